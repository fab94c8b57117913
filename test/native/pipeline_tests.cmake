cps_test(pipeline_test pipeline_test.cpp)
