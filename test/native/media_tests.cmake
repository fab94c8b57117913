cps_test(media_frames_test media_frames_test.cpp media_common.cpp)
