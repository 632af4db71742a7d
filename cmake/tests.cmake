# The C tests: sources are found by name, so a new test needs no entry here.
#
#   tests/{unit,kernels,golden}/test_*.c   a program each, linked with the static library and with the
#                                          folder's other .c files (helpers)
#   tests/grad/*.c                         one program over a second build of the graph in double
#   tests/fuzz/replay_*.c                  a program each; run with the corpus folder as argument
#   tests/fuzz/fuzz_*.c                    libFuzzer targets (PIQUE_FUZZERS)
#   tests/bench/*.c                        built, never run as tests
#
# Tests run with the project's folder as working directory.
find_package(cmocka QUIET)
pique_require(cmocka_FOUND "cmocka" libcmocka-dev)
# cmocka 1.1.5 exports cmocka::cmocka, some packagings only variables.
add_library(pique_cmocka INTERFACE)
if(TARGET cmocka::cmocka)
    target_link_libraries(pique_cmocka INTERFACE cmocka::cmocka)
else()
    target_include_directories(pique_cmocka SYSTEM INTERFACE ${CMOCKA_INCLUDE_DIR})
    target_link_libraries(pique_cmocka INTERFACE ${CMOCKA_LIBRARIES})
endif()

# pique_test_program(name library sources...)
function(pique_test_program name library)
    add_executable(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_compile_definitions(${name} PRIVATE _POSIX_C_SOURCE=200809L)
    target_include_directories(${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${name} PRIVATE
        pique_flags pique_headers ${library} pique_cmocka ZLIB::ZLIB m)
    if(OpenMP_C_FOUND)
        target_link_libraries(${name} PRIVATE OpenMP::OpenMP_C)
    endif()
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # gcc does not know that an assertion of cmocka does not come back.
        target_compile_options(${name} PRIVATE -Wno-maybe-uninitialized)
    endif()
endfunction()

function(pique_register name)
    add_test(NAME ${name} COMMAND ${name} ${ARGN} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

foreach(folder unit kernels golden)
    file(GLOB tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.c")
    file(GLOB helpers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/*.c")
    list(FILTER helpers EXCLUDE REGEX "/test_[^/]*$")
    foreach(source IN LISTS tests)
        get_filename_component(name "${source}" NAME_WE)
        pique_test_program(${name} pique_static "${source}" ${helpers})
        pique_register(${name})
    endforeach()
endforeach()

# Gradients are compared with differences of values, which float is too coarse for.
file(GLOB grad_tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/grad/*.c")
if(grad_tests)
    set(double_sources ${pique_core_sources})
    list(FILTER double_sources INCLUDE REGEX "/src/(base|kernels|graph|layers|models)/")
    list(FILTER double_sources EXCLUDE REGEX "/kernels/isa_(v128|avx2|avx512|avx512vnni)\\.c$")
    add_library(pique_double STATIC ${double_sources})
    target_compile_definitions(pique_double PUBLIC PQ_REAL_DOUBLE PQ_SCALAR_ONLY)
    target_include_directories(pique_double PUBLIC "${PROJECT_SOURCE_DIR}/src")
    target_link_libraries(pique_double PRIVATE pique_flags pique_headers)
    pique_test_program(test_grad pique_double ${grad_tests})
    pique_register(test_grad)
endif()

file(GLOB replays CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/replay_*.c")
foreach(source IN LISTS replays)
    get_filename_component(name "${source}" NAME_WE)
    pique_test_program(${name} pique_static "${source}")
    pique_register(${name} tests/fuzz/corpus)
endforeach()

if(PIQUE_FUZZERS)
    file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
    foreach(source IN LISTS fuzzers)
        get_filename_component(name "${source}" NAME_WE)
        pique_test_program(${name} pique_static "${source}")
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endforeach()
endif()

# The products beside a BLAS, where there is OpenBLAS to compare with.
find_path(PIQUE_CBLAS_INCLUDE cblas.h PATH_SUFFIXES openblas)
find_library(PIQUE_OPENBLAS openblas)
file(GLOB benches CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/bench/*.c")
if(PIQUE_CBLAS_INCLUDE AND PIQUE_OPENBLAS)
    pique_test_program(bench_gemm pique_static "${PROJECT_SOURCE_DIR}/tests/bench/bench_gemm.c")
    target_include_directories(bench_gemm SYSTEM PRIVATE "${PIQUE_CBLAS_INCLUDE}")
    target_link_libraries(bench_gemm PRIVATE "${PIQUE_OPENBLAS}")
else()
    message(STATUS "bench_gemm is left out: it takes OpenBLAS (libopenblas-dev)")
endif()
list(FILTER benches EXCLUDE REGEX "/bench_gemm\\.c$")
foreach(source IN LISTS benches)
    get_filename_component(name "${source}" NAME_WE)
    pique_test_program(${name} pique_static "${source}")
endforeach()
