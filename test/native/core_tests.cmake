cps_test(core_test core_test.cpp)
