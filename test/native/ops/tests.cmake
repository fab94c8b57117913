# ops tests
cps_test(ops_test
  ops/pixels/arrange_test.cpp
  ops/energy/energy_test.cpp
  ops/geometry_test.cpp
  ops/energy/maps_test.cpp
  ops/pixels/parity_test.cpp
  ops/pixels/pixels_test.cpp
  ops/pixels/resample_test.cpp
  ops/pixels/swscale_test.cpp
  ops/pixels/values_test.cpp)
pkg_check_modules(CPS_SWSCALE REQUIRED IMPORTED_TARGET libswscale libavutil)
target_link_libraries(ops_test PRIVATE PkgConfig::CPS_SWSCALE)
target_compile_definitions(ops_test PRIVATE CPS_PARITY_DIR="${CMAKE_SOURCE_DIR}/test/parity")
