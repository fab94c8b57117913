#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/decode/frame_source.h"
#include "media/index/frame_index.h"

namespace cps {

// Which pictures of one FrameSource::decode() are still wanted, and the only way to its sink: each
// goes there once, as a picture or as a loss, whatever is decoded twice. Thread-safe.
class Targets {
 public:
  // Display indices as FrameSource::decode gets them; they, the index and the sink outlive this.
  Targets(const FrameIndex& index, std::span<const int64_t> displayIndices, FrameSink& sink);

  std::span<const int64_t> all() const { return all_; }
  // What the sink can do with pictures.
  size_t keepsFrames() const { return sink_.keepsFrames(all_.size()); }
  bool wantsOrder() const { return sink_.wantsOrder(); }
  bool wantsMotion() const { return sink_.wantsMotion(); }
  bool takesAnySize() const { return sink_.takesAnySize(); }
  bool takesLosses() const { return sink_.takesLosses(); }

  // Nothing where the picture is not wanted any more.
  void deliver(SourceFrame frame);
  void lose(int64_t displayIndex, const Error& why);

  // Display indices, ascending.
  std::vector<int64_t> remaining() const;
  // Of these packets those whose pictures are still wanted, in their order. To ask for many at a
  // time: asking one by one as they come takes as long as the square of their number.
  std::vector<int32_t> remaining(std::span<const int32_t> ordinals) const;

 private:
  static constexpr size_t kNotWanted = SIZE_MAX;
  size_t find(int64_t displayIndex) const;
  bool isOpen(int64_t displayIndex) const;
  bool take(int64_t displayIndex);

  const FrameIndex& index_;
  const std::span<const int64_t> all_;
  FrameSink& sink_;
  std::vector<std::atomic<bool>> taken_;  // per element of all_
};

}  // namespace cps
