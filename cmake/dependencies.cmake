# What the project takes from outside, each looked for with a message that says how to get it.
#   everywhere   SIMDe and jsmn (headers only)
#   native       zlib, libcsv, OpenMP (optional: without it training runs on one thread)

function(pique_require variable what package)
    if(NOT ${variable})
        message(FATAL_ERROR "${what} not found. On Debian and Ubuntu: apt-get install ${package}; "
            "or run scripts/setup.sh, which installs everything that is missing.")
    endif()
endfunction()

# emcc's search is confined to its own tree, but these headers are the host's.
set(host_headers PATHS /usr/include /usr/local/include /opt/homebrew/include NO_CMAKE_FIND_ROOT_PATH)
find_path(PIQUE_SIMDE_DIR simde/wasm/simd128.h ${host_headers})
find_path(PIQUE_JSMN_DIR jsmn.h ${host_headers})
mark_as_advanced(PIQUE_SIMDE_DIR PIQUE_JSMN_DIR)
pique_require(PIQUE_SIMDE_DIR "SIMDe (simde/wasm/simd128.h)" libsimde-dev)
pique_require(PIQUE_JSMN_DIR "jsmn (jsmn.h)" libjsmn-dev)

# A folder with links to just these headers: with the whole of the host's include folder on its path
# emcc would pick the host's C library.
set(headers "${PROJECT_BINARY_DIR}/headers")
file(MAKE_DIRECTORY "${headers}")
file(CREATE_LINK "${PIQUE_SIMDE_DIR}/simde" "${headers}/simde" SYMBOLIC)
file(CREATE_LINK "${PIQUE_JSMN_DIR}/jsmn.h" "${headers}/jsmn.h" COPY_ON_ERROR SYMBOLIC)
add_library(pique_headers INTERFACE)
target_include_directories(pique_headers SYSTEM INTERFACE "${headers}")

if(NOT EMSCRIPTEN)
    find_package(ZLIB)
    pique_require(ZLIB_FOUND "zlib" zlib1g-dev)
    find_package(LibCSV)
    pique_require(LibCSV_FOUND "libcsv (csv.h)" libcsv-dev)
    find_package(OpenMP COMPONENTS C)
    if(NOT OpenMP_C_FOUND)
        message(STATUS "OpenMP not found: training and evaluation will use one thread")
    endif()
endif()
