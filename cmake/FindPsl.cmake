# Finds libpsl. Defines Psl::psl.
find_path(Psl_INCLUDE_DIR libpsl.h)
find_library(Psl_LIBRARY psl)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Psl REQUIRED_VARS Psl_LIBRARY Psl_INCLUDE_DIR)
if(Psl_FOUND AND NOT TARGET Psl::psl)
  add_library(Psl::psl UNKNOWN IMPORTED)
  set_target_properties(Psl::psl PROPERTIES IMPORTED_LOCATION ${Psl_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${Psl_INCLUDE_DIR})
endif()
mark_as_advanced(Psl_INCLUDE_DIR Psl_LIBRARY)
