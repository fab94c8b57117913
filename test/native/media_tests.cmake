cps_test(media_test media_plan_test.cpp media_source_test.cpp media_stream_test.cpp
         media_deaf_test.cpp media_index_file_test.cpp media_order_test.cpp
         media_next_step_test.cpp media_targets_test.cpp media_far_source_test.cpp
         media_common.cpp)
cps_test(media_frames_test media_frames_test.cpp media_common.cpp)
cps_test(media_colour_test media_colour_test.cpp)
cps_test(media_codec_test media_codec_test.cpp media_common.cpp)
cps_test(media_rules_test media_rules_test.cpp media_plain.cpp media_common.cpp
         hostile/reference.cpp)
cps_test(media_joined_test media_joined_test.cpp media_plain.cpp media_common.cpp
         hostile/reference.cpp)
