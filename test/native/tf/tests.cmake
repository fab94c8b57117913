# A library of TensorFlow's name that only keeps what it is told (Note [Fake TensorFlow]).
add_library(cps_fake_tf SHARED tf/fake_tf/fake_tf.cpp)
target_link_libraries(cps_fake_tf PRIVATE cps_flags)
target_include_directories(cps_fake_tf PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/native)
set_target_properties(cps_fake_tf PROPERTIES CXX_VISIBILITY_PRESET default
  OUTPUT_NAME tensorflow SUFFIX .so.2 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fake_tf)
cps_test(tf_adoption_test tf/adoption_test.cpp)
target_link_libraries(tf_adoption_test PRIVATE cps_fake_tf)
