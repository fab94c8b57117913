# The GPU path without a GPU: everything in cuda/ but the launches, over a fake driver and with the
# kernels' programs emulated. Needs the ffnvcodec headers, not nvcc.
option(CPS_BUILD_GPU_TESTS "Build what only a GPU runs, and the check of a GPU machine" ON)
set(check_sources gpu_check.cpp bench_decode.cpp bench_stages.cpp faults.cpp)
list(TRANSFORM check_sources PREPEND ${PROJECT_SOURCE_DIR}/cuda/check/)
if(TARGET cps_cuda_host)
  add_library(cps_fake_driver SHARED cuda/fake_driver/fake_cuda.cpp
    cuda/fake_driver/fake_nvcuvid.cpp cuda/fake_driver/fake_nvml.cpp cuda/fake_driver/fake_parser.cpp
    cuda/fake_driver/picture_bank.cpp cuda/fake_driver/real_parser.cpp)
  target_link_libraries(cps_fake_driver PRIVATE cps_flags PkgConfig::FFMPEG ${CMAKE_DL_LIBS})
  target_compile_options(cps_fake_driver PRIVATE ${test_options})
  target_include_directories(cps_fake_driver SYSTEM PRIVATE ${CPS_FFNVCODEC_INCLUDE})
  target_include_directories(cps_fake_driver PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/native)
  set_target_properties(cps_fake_driver PROPERTIES CXX_VISIBILITY_PRESET default
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

  add_library(cps_cuda_emulated OBJECT cuda/ops/emulation.cpp)
  target_link_libraries(cps_cuda_emulated PUBLIC cps_cuda_host cps_fake_driver)
  target_include_directories(cps_cuda_emulated PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(cps_cuda_emulated PUBLIC
    CPS_FAKE_DRIVER="$<TARGET_FILE_NAME:cps_fake_driver>") # loaded already: found by its name

  function(cps_cuda_test name)
    cps_test(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE cps_cuda_emulated cps_cuda_host cps_fake_driver)
  endfunction()

  cps_cuda_test(cuda_ops_test cuda/ops/kernels_emulated.cpp ops/energy/energy_test.cpp ops/energy/maps_test.cpp
    ops/pixels/pixels_test.cpp ops/pixels/parity_test.cpp ops/pixels/resample_test.cpp ops/pixels/values_test.cpp)
  target_compile_definitions(cuda_ops_test PRIVATE CPS_TEST_EMULATED_CUDA
    CPS_PARITY_DIR="${CMAKE_SOURCE_DIR}/test/parity")
  cps_cuda_test(cuda_equality_test cuda/ops/equality_test.cpp cuda/ops/equality_models_test.cpp)
  cps_cuda_test(cuda_lifetime_test cuda/driver/lifetime_test.cpp)
  cps_cuda_test(cuda_driver_test cuda/driver/driver_test.cpp)
  cps_cuda_test(cuda_failures_test cuda/nvdec/failures_test.cpp)
  cps_cuda_test(cuda_decode_test cuda/nvdec/decode_test.cpp)
  target_include_directories(cuda_decode_test SYSTEM PRIVATE ${CPS_FFNVCODEC_INCLUDE})
  cps_cuda_test(cuda_real_parser_test cuda/nvdec/real_parser_test.cpp)
  cps_cuda_test(cuda_recovery_test cuda/driver/recovery_test.cpp)
  cps_cuda_test(cuda_pipeline_test cuda/gpu_decode_test.cpp cuda/gpu_options_test.cpp)

  # What scripts/gpu-check.sh runs on a GPU machine, tried out here first.
  if(CPS_BUILD_GPU_TESTS)
    add_executable(cuda_check ${check_sources} cuda/check/check_fake.cpp)
    target_compile_options(cuda_check PRIVATE ${test_options})
    target_include_directories(cuda_check SYSTEM PRIVATE ${CPS_FFNVCODEC_INCLUDE})
    target_link_libraries(cuda_check PRIVATE cps_cuda_emulated cps_cuda_host cps_fake_driver)
    add_test(NAME cuda_check_facts COMMAND cuda_check facts)
    add_test(NAME cuda_check_stages COMMAND cuda_check stages)
    foreach(part faults decode)
      add_test(NAME cuda_check_${part} COMMAND sh -c
        "exec '$<TARGET_FILE:cuda_check>' ${part} \"$CPS_FIXTURES/h264_bpyramid.mp4\"")
      set_tests_properties(cuda_check_${part} PROPERTIES TIMEOUT 120)
    endforeach()
  endif()

  # ONNX Runtime's table over the memory of the fake driver.
  add_library(cps_fake_ort SHARED ort/fake_ort/fake_ort.cpp)
  target_link_libraries(cps_fake_ort PRIVATE cps_flags cps_fake_driver)
  target_include_directories(cps_fake_ort PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/native)
  set_target_properties(cps_fake_ort PROPERTIES CXX_VISIBILITY_PRESET default
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

  # The addon over the fake driver, for test/reliability/gpu-emulated.test.ts.
  if(TARGET cps_addon_objects AND TARGET cps_cuda)
    add_library(cps_addon_emulated SHARED
      $<TARGET_OBJECTS:cps_addon_objects> $<TARGET_OBJECTS:cps_cuda_host>
      $<TARGET_OBJECTS:cps_cuda_emulated> ${CMAKE_JS_SRC})
    set_target_properties(cps_addon_emulated PROPERTIES PREFIX "" SUFFIX ".node"
      LINKER_LANGUAGE CXX OUTPUT_NAME codec_patch_stream
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/emulated)
    target_link_libraries(cps_addon_emulated PRIVATE cps_core cps_fake_driver ${CMAKE_JS_LIB}
      ${CMAKE_DL_LIBS})
  endif()
endif()

# The same comparisons on a real GPU with the real kernels; skipped where there is none.
if(TARGET cps_cuda AND CPS_BUILD_GPU_TESTS)
  cps_test(gpu_equality_test cuda/ops/equality_test.cpp cuda/ops/equality_models_test.cpp)
  target_link_libraries(gpu_equality_test PRIVATE cps_cuda)
  target_compile_definitions(gpu_equality_test PRIVATE CPS_TEST_REAL_GPU)
  # Facts and speed of a real GPU, for scripts/gpu-check.sh. Without one it says what is missing.
  add_executable(gpu_check ${check_sources} ${PROJECT_SOURCE_DIR}/cuda/check/real_gpu.cpp)
  target_link_libraries(gpu_check PRIVATE cps_cuda)
  target_include_directories(gpu_check SYSTEM PRIVATE ${CPS_FFNVCODEC_INCLUDE})
  add_test(NAME gpu_check_says_what_is_missing COMMAND gpu_check facts)
  set_tests_properties(gpu_check_says_what_is_missing PROPERTIES
    PASS_REGULAR_EXPRESSION "\"whyNotProcess\":")
  cps_test(gpu_decode_test cuda/gpu_decode_test.cpp cuda/gpu_options_test.cpp)
  target_link_libraries(gpu_decode_test PRIVATE cps_cuda)
  target_compile_definitions(gpu_decode_test PRIVATE CPS_TEST_REAL_GPU)
endif()
