# ops tests
cps_test(ops_test
  ops_arrange_test.cpp
  ops_energy_test.cpp
  ops_geometry_test.cpp
  ops_maps_test.cpp
  ops_parity_test.cpp
  ops_pixels_test.cpp
  ops_resample_test.cpp
  ops_swscale_test.cpp
  ops_values_test.cpp)
pkg_check_modules(CPS_SWSCALE REQUIRED IMPORTED_TARGET libswscale libavutil)
target_link_libraries(ops_test PRIVATE PkgConfig::CPS_SWSCALE)
target_compile_definitions(ops_test PRIVATE CPS_PARITY_DIR="${CMAKE_SOURCE_DIR}/test/parity")
