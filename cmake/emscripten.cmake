# Toolchain of the wasm presets: finds the CMake platform file that comes with the emcc in PATH (or
# with EMSDK, or Debian's package) and hands over to it.
find_program(pique_emcc emcc HINTS "$ENV{EMSDK}/upstream/emscripten")
if(NOT pique_emcc)
    message(FATAL_ERROR "emcc not found. On Debian and Ubuntu: apt-get install emscripten; elsewhere "
        "install the Emscripten SDK and put emcc into PATH.")
endif()
file(REAL_PATH "${pique_emcc}" pique_emcc_real)
get_filename_component(pique_emcc_dir "${pique_emcc_real}" DIRECTORY)
find_file(pique_emscripten_platform cmake/Modules/Platform/Emscripten.cmake
    PATHS "${pique_emcc_dir}" /usr/share/emscripten NO_DEFAULT_PATH)
if(NOT pique_emscripten_platform)
    message(FATAL_ERROR "cmake/Modules/Platform/Emscripten.cmake not found beside ${pique_emcc_real}")
endif()
include("${pique_emscripten_platform}")
