# Finds cares. Defines CAres::cares.
find_path(CAres_INCLUDE_DIR ares.h)
find_library(CAres_LIBRARY cares)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAres REQUIRED_VARS CAres_LIBRARY CAres_INCLUDE_DIR)
if(CAres_FOUND AND NOT TARGET CAres::cares)
  add_library(CAres::cares UNKNOWN IMPORTED)
  set_target_properties(CAres::cares PROPERTIES IMPORTED_LOCATION ${CAres_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${CAres_INCLUDE_DIR})
endif()
mark_as_advanced(CAres_INCLUDE_DIR CAres_LIBRARY)
