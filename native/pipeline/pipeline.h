#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/kernels.h"
#include "core/buffer.h"
#include "core/options.h"
#include "core/profile.h"
#include "media/decode/frame_source.h"
#include "media/decode/held_video.h"
#include "pipeline/damage.h"
#include "pipeline/energy_stage.h"
#include "pipeline/ignored.h"
#include "pipeline/picture_steps.h"

namespace cps {

class Context;

// What option `augment` drew.
struct DrawnAugmentation {
  ShownPart crop;
  bool flipped = false;
};

// Facts about the sampled frames that every result carries.
struct SampleInfo {
  VideoInfo video;
  std::vector<int64_t> frameIds;         // [T], display indices in the order of the sample
  std::vector<double> timestampsSec;     // [T]
  std::vector<double> secondsFromStart;  // [T], since the first frame of the video
  std::vector<uint8_t> isKeyFrame;       // [T], the container's key flags
  std::string decodeBackend;             // "cpu" or "cuda:N"
  std::string processBackend;
  std::vector<Note> notes;              // by code
  std::vector<ReplacedFrame> replaced;  // Note [Damaged frames]
  std::vector<int64_t> skipped;
  std::optional<DrawnAugmentation> augmentation;
  std::string
      fallbackReason;  // why 'auto' did not take the GPU; empty when it did or was not asked
};

struct PatchResult {
  SampleInfo sample;
  std::vector<uint8_t> isI;  // [T], after the first-frame rule of DESIGN section 4.2
  PatchGrid grid;
  Buffer patches;  // [count, 3, P, P] (or [count, P, P, 3]) of outputDtype, on the process device
  int64_t count = 0;               // K
  std::optional<Bars> letterbox;   // where 'letterbox' is ignored
  Buffer fields;                   // int32 [count, 6]: seqPos, frameId, isI, linear, h, w; host
  Buffer scores;                   // float32 [count]; host
  std::optional<EnergyMaps> maps;  // option maps
  Buffer frameScores;  // float32 [T, rows, cols]: every patch's score; host (heat maps, statistics)
};

struct FramesResult {
  SampleInfo sample;
  int32_t width = 0, height = 0;  // of the frames tensor
  Buffer frames;  // [T, H, W, 3] or as options.layout says, of outputDtype, on the process device
};

struct OpenedVideo {
  std::shared_ptr<const HeldVideo> video;
  std::vector<Note> notes;
};

PatchResult runPatchStream(const VideoInput& input, const PatchStreamOptions& options,
                           Context& context, const CancelPtr& cancel, Profile& profile);
FramesResult runDecodeOnly(const VideoInput& input, const DecodeOnlyOptions& options,
                           Context& context, const CancelPtr& cancel, Profile& profile);
// Of the options those count that opening needs.
OpenedVideo runOpenVideo(const VideoInput& input, const DecodeOnlyOptions& options,
                         Context& context, const CancelPtr& cancel, Profile& profile);

}  // namespace cps
