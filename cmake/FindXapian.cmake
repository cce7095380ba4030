# Finds Xapian. Defines Xapian::xapian.
find_path(Xapian_INCLUDE_DIR xapian.h)
find_library(Xapian_LIBRARY xapian)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xapian REQUIRED_VARS Xapian_LIBRARY Xapian_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libxapian-dev, or configure with -DBRIEFWERK_WITH_XAPIAN=OFF")
if(Xapian_FOUND AND NOT TARGET Xapian::xapian)
  add_library(Xapian::xapian UNKNOWN IMPORTED)
  set_target_properties(Xapian::xapian PROPERTIES IMPORTED_LOCATION ${Xapian_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${Xapian_INCLUDE_DIR})
endif()
mark_as_advanced(Xapian_INCLUDE_DIR Xapian_LIBRARY)
