# Finds BoringSSL: first in BoringSSL_ROOT (a prefix with include/openssl and static or shared ssl and crypto), then
# Debian's android-libboringssl-dev (headers in include/android, libraries in the android folder below the library
# directory). Defines BoringSSL::crypto and BoringSSL::ssl, and BoringSSL_LIBRARY_DIR for the run path.
#
# The search is by full path on purpose: a bare -lssl could take OpenSSL's library for BoringSSL's headers.

set(_prefix_hints ${BoringSSL_ROOT} $ENV{BoringSSL_ROOT})
if(_prefix_hints)
  find_path(BoringSSL_INCLUDE_DIR openssl/base.h PATHS ${_prefix_hints} PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_library(BoringSSL_CRYPTO_LIBRARY NAMES libcrypto.a libcrypto.so PATHS ${_prefix_hints}
               PATH_SUFFIXES lib lib64 . crypto build/crypto build NO_DEFAULT_PATH)
  find_library(BoringSSL_SSL_LIBRARY NAMES libssl.a libssl.so PATHS ${_prefix_hints}
               PATH_SUFFIXES lib lib64 . ssl build/ssl build NO_DEFAULT_PATH)
else()
  find_path(BoringSSL_INCLUDE_DIR openssl/base.h PATHS /usr/include/android NO_DEFAULT_PATH)
  find_library(BoringSSL_CRYPTO_LIBRARY NAMES libcrypto.so.0 libcrypto.so
               PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android /usr/lib/android NO_DEFAULT_PATH)
  find_library(BoringSSL_SSL_LIBRARY NAMES libssl.so.0 libssl.so
               PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android /usr/lib/android NO_DEFAULT_PATH)
endif()

if(BoringSSL_INCLUDE_DIR AND EXISTS ${BoringSSL_INCLUDE_DIR}/openssl/base.h)
  file(STRINGS ${BoringSSL_INCLUDE_DIR}/openssl/base.h _is_boring REGEX "define OPENSSL_IS_BORINGSSL")
  file(STRINGS ${BoringSSL_INCLUDE_DIR}/openssl/base.h _api REGEX "define BORINGSSL_API_VERSION")
  string(REGEX MATCH "[0-9]+$" BoringSSL_VERSION "${_api}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoringSSL
  REQUIRED_VARS BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY BoringSSL_INCLUDE_DIR _is_boring
  VERSION_VAR BoringSSL_VERSION
  REASON_FAILURE_MESSAGE "give BoringSSL_ROOT=<prefix>, or install android-libboringssl-dev")

if(BoringSSL_FOUND AND NOT TARGET BoringSSL::crypto)
  get_filename_component(BoringSSL_LIBRARY_DIR ${BoringSSL_CRYPTO_LIBRARY} DIRECTORY)
  find_package(Threads REQUIRED)
  foreach(part crypto ssl)
    string(TOUPPER ${part} upper)
    add_library(BoringSSL::${part} UNKNOWN IMPORTED)
    set_target_properties(BoringSSL::${part} PROPERTIES IMPORTED_LOCATION ${BoringSSL_${upper}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${BoringSSL_INCLUDE_DIR})
  endforeach()
  set_property(TARGET BoringSSL::crypto APPEND PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
  set_property(TARGET BoringSSL::ssl APPEND PROPERTY INTERFACE_LINK_LIBRARIES BoringSSL::crypto)
  if(BoringSSL_CRYPTO_LIBRARY MATCHES "\\.so")
    # Programs find the library without help, in the build tree and installed; RUNPATH is inherited by consumers.
    set_property(TARGET BoringSSL::crypto APPEND PROPERTY
      INTERFACE_LINK_OPTIONS "LINKER:-rpath,${BoringSSL_LIBRARY_DIR}")
  endif()
endif()
mark_as_advanced(BoringSSL_INCLUDE_DIR BoringSSL_CRYPTO_LIBRARY BoringSSL_SSL_LIBRARY)
