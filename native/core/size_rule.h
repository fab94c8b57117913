#pragma once

#include <cstdint>
#include <vector>

#include "core/option_records.h"

namespace cps {

enum class SizeKind { Exact, Short, Long, Area, Patches };

// One rule of option `size`, with every kind's members; which of them count depends on the kind.
struct SizeStepRule {
  SizeKind kind = SizeKind::Exact;
  int32_t height = 0, width = 0;          // Exact
  int32_t side = 0;                       // Short, Long: of that side
  int32_t cropHeight = 0, cropWidth = 0;  // Short; 0: all of it
  bool even = false;                      // Long: the other side is made even
  bool pad = false;                       // Long: to a square
  double least = 0, most = 0;             // Area, in pixels
  int32_t multipleOf = 1;                 // Area
  bool ofVideo = false;                   // Area: of all frames together
  int32_t framesPerStep = 2;              // Area
  AreaBranch branch = AreaBranch::Rounded;
  bool maxOverFrames = false;          // Area: `most` is shared by the frames
  double capTokens = 0, capShare = 1;  // Area; 0 tokens: none
  int32_t patchSize = 0, patches = 0;  // Patches
};

// Option `augment` with its draws made: whether to flip is known.
struct Augment {
  bool randomCrop = false;    // places the crop of `size`
  bool resizedCrop = false;   // a part of the picture before `size`
  double scale[2] = {1, 1};   // of the picture's area
  double ratio[2] = {1, 1};   // width / height
  bool flip = false;          // left to right
  std::vector<double> draws;  // in [0, 1), kAugmentDraws of them
  bool any() const { return randomCrop || resizedCrop || flip; }
};
// Ten attempts of a part, four numbers each.
constexpr size_t kAugmentDraws = 40;

}  // namespace cps
