# pique.wasm: a standalone module without JavaScript glue; web/ instantiates it with one import.
# wasm/exports.txt lists the functions that the page may call, one a line, # begins a comment.
file(GLOB pique_wasm_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/wasm/*.c")

if(NOT PIQUE_SCALAR_ONLY) # browsers with SIMD have the other two as well
    target_compile_options(pique_flags INTERFACE -msimd128 -mnontrapping-fptoint -msign-ext)
endif()

# The module serves: what only training calls is left out. Small code for all but the inner loops.
# Without SIMD the scans have nothing to gain from more code than -Os makes.
target_compile_definitions(pique_flags INTERFACE PQ_INFERENCE)
file(GLOB pique_loops "${PROJECT_SOURCE_DIR}/src/kernels/isa_*.c")
set_property(SOURCE ${pique_loops} "${PROJECT_SOURCE_DIR}/src/retrieval/exact.c"
    APPEND PROPERTY COMPILE_OPTIONS $<IF:$<BOOL:${PIQUE_SCALAR_ONLY}>,-Os,-O2>)
set_property(SOURCE "${PROJECT_SOURCE_DIR}/src/base/table.c"
    "${PROJECT_SOURCE_DIR}/src/retrieval/losses.c"
    APPEND PROPERTY COMPILE_OPTIONS -Os) # makes vectors of their loops, which -Oz does not

set(list "${PROJECT_SOURCE_DIR}/wasm/exports.txt")
if(pique_wasm_sources AND EXISTS "${list}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${list}")
    file(STRINGS "${list}" lines)
    set(exports "")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "#.*$" "" line "${line}")
        string(STRIP "${line}" line)
        if(line)
            list(APPEND exports "_${line}") # C names begin with _ in Emscripten's settings
        endif()
    endforeach()
    list(JOIN exports "," exports)

    add_executable(pique_wasm ${pique_wasm_sources} $<TARGET_OBJECTS:pique_core>)
    set_target_properties(pique_wasm PROPERTIES
        OUTPUT_NAME pique SUFFIX .wasm LINK_DEPENDS "${list}")
    target_include_directories(pique_wasm PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(pique_wasm PRIVATE pique_flags pique_headers)
    target_link_options(pique_wasm PRIVATE
        -sTOTAL_STACK=512KB -sINITIAL_MEMORY=1MB
        -sSTANDALONE_WASM --no-entry -sFILESYSTEM=0 -sALLOW_MEMORY_GROWTH
        # wasm-opt need not keep what only could trap; it takes loops and branches apart and optimises what comes
        # of it twice, which makes the module smaller and no slower
        -sBINARYEN_EXTRA_PASSES=--converge,-tnh,--flatten,--rereloop,-Oz,-Oz
        "-sEXPORTED_FUNCTIONS=${exports}")
endif()
