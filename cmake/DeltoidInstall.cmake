# cmake --install: the program, the library (shared and static), its headers, pkg-config file and CMake package, manual
# pages and shell completion. And `deltoid_doc`: the headers as HTML pages, where Doxygen is installed.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(deltoid_shared SHARED)
deltoid_link_rooms(deltoid_shared PRIVATE ${DELTOID_ROOMS})
target_include_directories(deltoid_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(deltoid_shared PROPERTIES OUTPUT_NAME deltoid EXPORT_NAME deltoid VERSION ${PROJECT_VERSION}
                                                SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C)
if(NOT DELTOID_SANITIZE)
  target_link_options(deltoid_shared PRIVATE -Wl,--no-undefined)
endif()

# What a program linked with the static library needs beside it, as flags: for the pkg-config file.
set(libraries ${HDF5_HL_LIBRARIES} ${HDF5_C_LIBRARIES})
list(FILTER libraries INCLUDE REGEX libhdf5)
list(REMOVE_DUPLICATES libraries)
list(JOIN libraries " " DELTOID_PC_LIBS_PRIVATE)
if(libdeflate_FOUND)
  string(APPEND DELTOID_PC_LIBS_PRIVATE " -ldeflate")
endif()
string(APPEND DELTOID_PC_LIBS_PRIVATE " -lhwloc -lcrypto -lz ${OpenMP_C_FLAGS} -lpthread -lm")
# The file names its own place, so that what is installed can be moved.
file(RELATIVE_PATH DELTOID_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" DELTOID_PC_UP ${DELTOID_PC_UP})
configure_file(${CMAKE_SOURCE_DIR}/cmake/deltoid.pc.in ${CMAKE_BINARY_DIR}/deltoid.pc @ONLY)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/deltoidConfig.cmake.in ${CMAKE_BINARY_DIR}/deltoidConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deltoid)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/deltoidConfigVersion.cmake COMPATIBILITY SameMinorVersion)

# Manual pages and completion come from the program's own tables (src/cli/manual.c).
set(DELTOID_MANUAL ${CMAKE_BINARY_DIR}/manual)
add_custom_command(
  OUTPUT ${DELTOID_MANUAL}/stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${DELTOID_MANUAL}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${DELTOID_MANUAL}
  COMMAND deltoid help --manual ${DELTOID_MANUAL}
  COMMAND ${CMAKE_COMMAND} -E touch ${DELTOID_MANUAL}/stamp
  DEPENDS deltoid
  COMMENT "Manual pages and shell completion")
add_custom_target(deltoid_manual ALL DEPENDS ${DELTOID_MANUAL}/stamp)

install(TARGETS deltoid RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS deltoid_shared EXPORT deltoid LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS libdeltoid ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/deltoid DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT deltoid NAMESPACE deltoid:: FILE deltoidTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deltoid)
install(FILES ${CMAKE_BINARY_DIR}/deltoidConfig.cmake ${CMAKE_BINARY_DIR}/deltoidConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/deltoid)
install(FILES ${CMAKE_BINARY_DIR}/deltoid.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${DELTOID_MANUAL}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(DIRECTORY ${DELTOID_MANUAL}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 FILES_MATCHING PATTERN "*.5")
install(FILES ${DELTOID_MANUAL}/deltoid.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME deltoid)
install(FILES ${DELTOID_MANUAL}/_deltoid DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${DELTOID_MANUAL}/deltoid.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

find_package(Doxygen QUIET)
if(DOXYGEN_FOUND)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/Doxyfile.in ${CMAKE_BINARY_DIR}/Doxyfile @ONLY)
  add_custom_target(deltoid_doc COMMAND Doxygen::doxygen ${CMAKE_BINARY_DIR}/Doxyfile COMMENT "Pages of the headers, in doc/html")
endif()
