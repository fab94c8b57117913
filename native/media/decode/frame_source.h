#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/device.h"
#include "core/error.h"
#include "core/motion.h"
#include "core/picture.h"
#include "media/codec/picture_references.h"
#include "media/index/timeline.h"
#include "media/index/video_info.h"

namespace cps {

// The luma of a picture, as a gray picture.
struct LumaView {
  std::shared_ptr<const void> owner;
  FrameView view;
};

// What a stream says of a picture's motion (Note [One reference]).
struct PictureMotion {
  int32_t packet = 0;  // its place in decode order
  PictureReferences references;
  std::vector<MotionBlock> blocks;
};

// A decoded picture; `owner` keeps its planes alive (an AVFrame reference or a device allocation).
struct SourceFrame {
  std::shared_ptr<const void> owner;
  FrameView view;
  // Where the view is RGB that was made of a picture with a luma plane: that plane.
  std::optional<LumaView> luma;
  std::shared_ptr<const PictureMotion> motion;  // where the sink wants it and the stream has it
  Device device;
  int64_t displayIndex = 0;
  double timestampSec = 0;  // the container's own: pts * time base
  bool isKeyFrame = false;  // the container's key flag of this frame's packet
};

// Receives each wanted picture once, in any order, possibly from several threads at a time.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void onFrame(SourceFrame frame) = 0;
  // How many of `wanted` pictures are still held when onFrame has returned: they count for
  // maxMemoryBytes.
  virtual size_t keepsFrames(size_t wanted) const { return wanted; }
  // Whether pictures should come in about display order. Segments that are decoded at the same time
  // begin in that order then, not the longest first.
  virtual bool wantsOrder() const { return false; }
  // Whether pictures should come with their motion.
  virtual bool wantsMotion() const { return false; }
  // Whether pictures of another size than the video's are of use (Note [Sizes] in
  // ops/energy/cells_math.h).
  virtual bool takesAnySize() const { return false; }
  // Whether pictures that cannot be had are told of (onLost) instead of failing the call.
  virtual bool takesLosses() const { return false; }
  // A wanted picture that cannot be had, once, like onFrame.
  virtual void onLost(int64_t /*displayIndex*/, const Error& why) { throw why; }
};

// One opened video on one device. Constructed by a backend (CPU: media/decode/cpu_source.h; GPU:
// cuda/).
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  virtual Device device() const = 0;
  // Exact: where a container cannot be trusted to say how many pictures come out, the source has
  // found out by decoding (Note [Trust] in frame_index.h).
  virtual const VideoInfo& info() const = 0;
  virtual Timeline timeline() const = 0;
  // Decodes exactly the pictures with these display indices (ascending, distinct, < totalFrames)
  // and gives each to the sink. Throws Error(Corrupt) naming the frame when one cannot be had and
  // the sink takes no losses: never a neighbour, never a damaged picture. (A device other than the
  // CPU may throw in any case.)
  virtual void decode(std::span<const int64_t> displayIndices, FrameSink& sink) = 0;
  // Whether this source worked by an index from disk, which may be what is wrong (Note [Index
  // files] in index_file.h); it is forgotten then.
  virtual bool forgetStoredIndex() { return false; }
};

}  // namespace cps
