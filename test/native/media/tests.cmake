cps_test(media_test media/plan/plan_test.cpp media/decode/source_test.cpp media/container/stream_test.cpp
         media/container/deaf_test.cpp media/index/in_force_test.cpp media/index/index_file_test.cpp
         media/index/not_kept_test.cpp media/codec/order_test.cpp media/decode/next_step_test.cpp
         media/decode/segment_damage_test.cpp media/decode/targets_test.cpp media/decode/workers_test.cpp
         media/container/far_source_test.cpp)
target_link_options(media_test PRIVATE
  -Wl,--wrap=_ZNSt13random_device7_M_initERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE)
cps_test(media_frames_test media/decode/frames_test.cpp)
cps_test(media_colour_test media/decode/colour_test.cpp)
cps_test(media_codec_test media/codec/codec_test.cpp)
cps_test(media_rules_test media/codec/rules_test.cpp)
cps_test(media_joined_test media/damage/joined_test.cpp)
cps_test(media_index_test media/index/index_digest_test.cpp)
target_compile_definitions(media_index_test PRIVATE
  CPS_INDEX_DIGEST_FILE="${CMAKE_CURRENT_SOURCE_DIR}/media/index/index_digest.txt")
