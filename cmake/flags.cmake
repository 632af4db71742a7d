# Compiler flags that every target of the project gets, through the interface library pique_flags.
add_library(pique_flags INTERFACE)

# Results must not depend on what a compiler chooses to fuse: no contraction of a * b + c, here or in
# any instruction-set variant. The kernels ask for fused operations where they want them.
target_compile_options(pique_flags INTERFACE -ffp-contract=off)

target_compile_options(pique_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla)
if(PIQUE_WERROR)
    target_compile_options(pique_flags INTERFACE -Werror)
endif()

if(PIQUE_SCALAR_ONLY)
    target_compile_definitions(pique_flags INTERFACE PQ_SCALAR_ONLY)
endif()

if(PIQUE_SANITIZE)
    target_compile_options(pique_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(pique_flags INTERFACE -fsanitize=address,undefined)
endif()
if(PIQUE_FUZZERS)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "PIQUE_FUZZERS needs clang; configure with -DCMAKE_C_COMPILER=clang")
    endif()
    target_compile_options(pique_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
