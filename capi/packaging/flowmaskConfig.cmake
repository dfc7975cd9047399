# find_package(flowmask) gives flowmask::flowmask, the shared library, and flowmask::static.
get_filename_component(_flowmask_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET flowmask::flowmask)
  add_library(flowmask::flowmask SHARED IMPORTED)
  set_target_properties(flowmask::flowmask PROPERTIES
    IMPORTED_LOCATION "${_flowmask_prefix}/lib/libflowmask.so"
    IMPORTED_SONAME "libflowmask.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_flowmask_prefix}/include")
  add_library(flowmask::static STATIC IMPORTED)
  set_target_properties(flowmask::static PROPERTIES
    IMPORTED_LOCATION "${_flowmask_prefix}/lib/libflowmask.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_flowmask_prefix}/include"
    INTERFACE_LINK_LIBRARIES "gcc_s;util;rt;pthread;m;dl;c")
endif()
unset(_flowmask_prefix)
