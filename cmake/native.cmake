# The native half: readers, training, evaluation, and the command line on top.
file(GLOB_RECURSE pique_native_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/*.c")
list(FILTER pique_native_sources EXCLUDE REGEX "/native/cli/")

set(pique_objects $<TARGET_OBJECTS:pique_core>)
if(pique_native_sources)
    add_library(pique_native OBJECT ${pique_native_sources})
    target_include_directories(pique_native PUBLIC
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")
    target_link_libraries(pique_native PRIVATE
        pique_flags pique_headers ZLIB::ZLIB LibCSV::LibCSV)
    if(OpenMP_C_FOUND)
        target_link_libraries(pique_native PRIVATE OpenMP::OpenMP_C)
    endif()
    # The C library's POSIX functions (fsync, rename, clocks), which strict C99 hides.
    target_compile_definitions(pique_native PRIVATE _POSIX_C_SOURCE=200809L)
    set_target_properties(pique_native PROPERTIES
        POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    list(APPEND pique_objects $<TARGET_OBJECTS:pique_native>)
endif()

# One set of objects, two libraries. Only what the public headers mark PIQUE_API is visible in the
# shared one; the tests link the static one, where internal functions can be reached.
add_library(pique SHARED ${pique_objects})
add_library(pique_static STATIC ${pique_objects})
set_target_properties(pique PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C)
set_target_properties(pique_static PROPERTIES OUTPUT_NAME pique LINKER_LANGUAGE C)
foreach(library pique pique_static)
    add_library(pique::${library} ALIAS ${library})
    target_include_directories(${library} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${library} PRIVATE ZLIB::ZLIB LibCSV::LibCSV m)
    if(OpenMP_C_FOUND)
        target_link_libraries(${library} PRIVATE OpenMP::OpenMP_C)
    endif()
    if(PIQUE_SANITIZE)
        target_link_options(${library} PUBLIC -fsanitize=address,undefined)
    endif()
endforeach()

file(GLOB pique_cli_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/native/cli/*.c")
if(pique_cli_sources)
    add_executable(pique_cli ${pique_cli_sources})
    set_target_properties(pique_cli PROPERTIES OUTPUT_NAME pique)
    target_compile_definitions(pique_cli PRIVATE _POSIX_C_SOURCE=200809L)
    target_link_libraries(pique_cli PRIVATE pique_flags pique_headers pique_static)
endif()
