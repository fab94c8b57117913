# Operations against their scalar reference and FFmpeg's scaler.
pkg_check_modules(CPS_BENCH_SWSCALE REQUIRED IMPORTED_TARGET libswscale libavutil)
cps_bench(ops_bench ops_bench.cpp)
target_include_directories(ops_bench PRIVATE ${PROJECT_SOURCE_DIR}/test/native)
target_link_libraries(ops_bench PRIVATE PkgConfig::CPS_BENCH_SWSCALE)
