cps_test(pipeline_test pipeline/sampling/sampling_test.cpp pipeline/sampling/sampling_parity_test.cpp
  pipeline/selection_test.cpp pipeline/ignored_test.cpp pipeline/energies/energy_stage_test.cpp
  pipeline/energies/codec_energy_test.cpp
  pipeline/part_test.cpp pipeline/picture_steps_test.cpp)
target_compile_definitions(pipeline_test PRIVATE CPS_PARITY_DIR="${CMAKE_SOURCE_DIR}/test/parity")
