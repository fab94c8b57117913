cps_test(pipeline_test pipeline/sampling_test.cpp pipeline/sampling_parity_test.cpp
  pipeline/selection_test.cpp pipeline/energy_stage_test.cpp)
