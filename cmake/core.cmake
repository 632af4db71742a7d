# The portable core: src/**/*.c as objects, for the libraries and for the WebAssembly module.
file(GLOB_RECURSE pique_core_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.c")

# Instruction-set variants: one file each, left out where the set does not exist.
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
set(pique_is_x86 FALSE)
if(processor MATCHES "^(x86_64|amd64)$" AND NOT EMSCRIPTEN)
    set(pique_is_x86 TRUE)
endif()
if(PIQUE_SCALAR_ONLY)
    list(FILTER pique_core_sources EXCLUDE REGEX "/kernels/isa_(v128|avx2|avx512|avx512vnni)\\.c$")
elseif(NOT pique_is_x86)
    list(FILTER pique_core_sources EXCLUDE REGEX "/kernels/isa_avx(2|512|512vnni)\\.c$")
endif()
if(pique_is_x86)
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/kernels/isa_v128.c"
        PROPERTIES COMPILE_OPTIONS "-msse4.1")
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/kernels/isa_avx2.c"
        PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/kernels/isa_avx512.c"
        PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mfma")
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/kernels/isa_avx512vnni.c"
        PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;-mavx512vnni;-mfma")
endif()

add_library(pique_core OBJECT ${pique_core_sources})
target_include_directories(pique_core PUBLIC "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(pique_core PRIVATE pique_flags pique_headers)
set_target_properties(pique_core PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
