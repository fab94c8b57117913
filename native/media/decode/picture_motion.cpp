#include "media/decode/picture_motion.h"

#include "ffmpeg/util.h"

extern "C" {
#include <libavutil/motion_vector.h>
}

namespace cps {

std::shared_ptr<const PictureMotion> motionOf(const AVFrame& frame, int32_t packet,
                                              PictureReferences references, bool mayLoseVectors) {
  constexpr int kQuarters = 4;
  auto motion = std::make_shared<PictureMotion>();
  motion->packet = packet;
  motion->references = references;
  if (isInterlaced(frame)) motion->references = {};
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_MOTION_VECTORS);
  if (!data) {
    const bool predicted = motion->references.refersTo == RefersTo::TheOneReference;
    if (mayLoseVectors && predicted) motion->references.refersTo = RefersTo::Unknown;
    return motion;
  }
  const auto* vectors = reinterpret_cast<const AVMotionVector*>(data->data);
  const size_t count = data->size / sizeof(AVMotionVector);
  motion->blocks.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const AVMotionVector& v = vectors[i];
    if (v.source >= 0 || v.motion_scale == 0 || kQuarters % v.motion_scale != 0) {
      motion->references.refersTo = RefersTo::Unknown;
      continue;
    }
    const int scale = kQuarters / v.motion_scale;
    motion->blocks.push_back(
        {v.dst_y - v.h / 2, v.dst_x - v.w / 2, v.h, v.w, v.motion_y * scale, v.motion_x * scale});
  }
  return motion;
}

}  // namespace cps
