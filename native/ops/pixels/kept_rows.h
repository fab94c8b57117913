#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/buffer.h"
#include "core/picture.h"

namespace cps {

// Note [Kept rows]
// Pictures wait for the selection, which needs the scores of every frame. But a bilinear resize
// without antialiasing reads two rows of the picture for each row of the result: most rows of a
// picture that is several times the target's size can never be asked for. They are let go as soon
// as the energy has seen them, and the decoder gets its picture back.
//
// What is kept is a picture again, of fewer rows: whole groups of the rows that share a chroma row,
// with the first and the last group, and with the group above where chroma is the mean of two rows.
// So nothing that reads samples knows of it; only the resize's taps go through `compact`.
class KeptRows {
 public:
  // For a resize of `frame` to outHeight x outWidth (display orientation).
  KeptRows(const FrameView& frame, int32_t outHeight, int32_t outWidth);

  int32_t originalRows() const { return static_cast<int32_t>(compact_.size()); }
  int32_t keptRows() const { return kept_; }
  // Where stored row `row` of the original lies in the kept picture; -1 where it was left out.
  int32_t compact(int32_t row) const { return compact_[static_cast<size_t>(row)]; }
  bool operator==(const KeptRows&) const = default;

 private:
  std::vector<int32_t> compact_;
  int32_t kept_ = 0;
};

struct KeptPicture {
  Buffer memory;
  FrameView view;  // of `memory`; height is rows->keptRows()
  std::shared_ptr<const KeptRows> rows;
};

// A copy of those rows in host memory, where that saves at least a quarter of the picture and its
// planes are laid out as decoders do (planar, semi-planar, gray, packed RGB); else nothing.
std::optional<KeptPicture> keepRows(const FrameView& frame, int32_t outHeight, int32_t outWidth);

}  // namespace cps
