# make install: headers, both libraries, the command line, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/pique")
install(TARGETS pique pique_static EXPORT pique-targets)
if(TARGET pique_cli)
    install(TARGETS pique_cli)
endif()
# What `pique site` starts and copies, where the npm package has been built; package.json says that they are modules.
install(DIRECTORY dist/ DESTINATION "${CMAKE_INSTALL_DATADIR}/pique/dist" OPTIONAL)
install(FILES package.json DESTINATION "${CMAKE_INSTALL_DATADIR}/pique")
install(FILES src/pique.h src/pique_train.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT pique-targets NAMESPACE pique:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/pique-config.cmake.in pique-config.cmake
    INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(pique-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/pique-config.cmake" "${PROJECT_BINARY_DIR}/pique-config-version.cmake"
    cmake/FindLibCSV.cmake DESTINATION "${package_dir}")

# The prefix is found from the file's own place, so an installed tree may be moved.
file(RELATIVE_PATH PIQUE_PC_TO_PREFIX
    "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
set(PIQUE_PC_OPENMP "${OpenMP_C_FLAGS}")
configure_file(cmake/pique.pc.in pique.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/pique.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
