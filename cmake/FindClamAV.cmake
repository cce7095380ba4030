# Finds libclamav. Defines ClamAV::clamav. It brings OpenSSL's libcrypto: nothing with BoringSSL may link it.
find_path(ClamAV_INCLUDE_DIR clamav.h)
find_library(ClamAV_LIBRARY clamav)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ClamAV REQUIRED_VARS ClamAV_LIBRARY ClamAV_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libclamav-dev, or configure with -DBRIEFWERK_WITH_CLAMAV=OFF")
if(ClamAV_FOUND AND NOT TARGET ClamAV::clamav)
  add_library(ClamAV::clamav UNKNOWN IMPORTED)
  set_target_properties(ClamAV::clamav PROPERTIES IMPORTED_LOCATION ${ClamAV_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${ClamAV_INCLUDE_DIR})
endif()
mark_as_advanced(ClamAV_INCLUDE_DIR ClamAV_LIBRARY)
