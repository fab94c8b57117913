cps_test(core_test core/core_test.cpp)
