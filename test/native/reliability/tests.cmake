# Hostile input, faults and load. docs/lab/reliability.md says how to run the long versions.
add_executable(hostile_corpus
  reliability/hostile/audit.cpp
  reliability/hostile/main.cpp
  reliability/hostile/run.cpp)
target_include_directories(hostile_corpus PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(hostile_corpus PRIVATE cps_test_support ${CMAKE_DL_LIBS})
target_compile_options(hostile_corpus PRIVATE ${test_options})
# Its open() and socket() must come before the C library's for FFmpeg's libraries too.
set_target_properties(hostile_corpus PROPERTIES ENABLE_EXPORTS ON)
# One case of every second clip; two of each in the long form.
add_test(NAME hostile_corpus COMMAND sh -c
  "exec '$<TARGET_FILE:hostile_corpus>' --per-clip $((CPS_LONG ? 2 : 1)) --part 0/$((CPS_LONG ? 1 : 2))")
# Long, so it begins first.
set_tests_properties(hostile_corpus PROPERTIES TIMEOUT 600 COST 1000)
# Two cases per clip need not hold one that only Note [Marks] notices; these do.
add_test(NAME hostile_corpus_cut_hevc COMMAND hostile_corpus --clip hevc.ts --case cut@1)
set_tests_properties(hostile_corpus_cut_hevc PROPERTIES TIMEOUT 120)
# Slices that end where they should not, which only FFmpeg's concealment notices.
add_test(NAME hostile_corpus_mpeg2_slices COMMAND hostile_corpus --clip raw.m2v
  --case "flip-payload@8192-10-2|flip-header@0-1-0|mux-mpegts-every-fifth-noise")
set_tests_properties(hostile_corpus_mpeg2_slices PROPERTIES TIMEOUT 120)

cps_test(robust_alloc_test reliability/alloc_test.cpp)
target_link_options(robust_alloc_test PRIVATE -Wl,--wrap=aligned_alloc)
cps_test(robust_machine_test reliability/machine_test.cpp)
target_link_libraries(robust_machine_test PRIVATE ${CMAKE_DL_LIBS})
# Its pthread_create() and the like must come before the C library's for FFmpeg's libraries too.
set_target_properties(robust_machine_test PROPERTIES ENABLE_EXPORTS ON)
cps_test(robust_faults_test reliability/faults_test.cpp reliability/unreadable_test.cpp)
cps_test(robust_streams_test reliability/streams_test.cpp reliability/marks_test.cpp)

# Coverage-guided fuzzing: clang with libFuzzer, see scripts/sanitize.mjs.
option(CPS_BUILD_FUZZ "Build the fuzz targets (clang only)" OFF)
if(CPS_BUILD_FUZZ)
  add_executable(fuzz_decode reliability/fuzz_decode.cpp)
  target_link_libraries(fuzz_decode PRIVATE cps_core -fsanitize=fuzzer)
  add_executable(fuzz_index reliability/fuzz_index.cpp)
  target_include_directories(fuzz_index PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(fuzz_index PRIVATE cps_core -fsanitize=fuzzer)
  # Brings its own few functions of Node-API; the rest of what the header mentions is never called.
  set(modules ${PROJECT_SOURCE_DIR}/node_modules)
  add_executable(fuzz_options reliability/fuzz_options.cpp
    ${PROJECT_SOURCE_DIR}/native/napi/options_reader.cpp)
  target_include_directories(fuzz_options SYSTEM PRIVATE
    ${modules}/node-addon-api ${modules}/node-api-headers/include)
  target_compile_definitions(fuzz_options PRIVATE NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS
    NODE_ADDON_API_DISABLE_DEPRECATED CPS_FUZZ_SEEDS="${CMAKE_CURRENT_SOURCE_DIR}/reliability/fuzz_seeds")
  target_link_libraries(fuzz_options PRIVATE cps_core -fsanitize=fuzzer)
endif()
