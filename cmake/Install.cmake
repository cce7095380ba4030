# The installed package: find_package(Briefwerk CONFIG REQUIRED [COMPONENTS protocol …]).

configure_package_config_file(cmake/BriefwerkConfig.cmake.in ${PROJECT_BINARY_DIR}/BriefwerkConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Briefwerk)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/BriefwerkConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/BriefwerkConfig.cmake ${PROJECT_BINARY_DIR}/BriefwerkConfigVersion.cmake
              cmake/FindBoringSSL.cmake cmake/FindCAres.cmake cmake/FindPsl.cmake cmake/FindRE2.cmake cmake/FindRocksDB.cmake
              cmake/FindXapian.cmake cmake/FindZstd.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Briefwerk)
install(EXPORT BriefwerkTargets NAMESPACE Briefwerk:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Briefwerk)
