#pragma once

#include <optional>
#include <string>

#include "core/cancel.h"
#include "core/notes.h"
#include "core/options.h"
#include "ffmpeg/handles.h"
#include "media/decode/frame_source.h"

namespace cps {

// A decoded picture with what keeps its planes alive.
struct ViewedFrame {
  std::shared_ptr<const void> owner;
  FrameView view;
  std::optional<LumaView> luma;  // SourceFrame::luma
};

// Maps a decoded picture's planes without copying them. Formats whose samples are not whole
// little-endian bytes or 16-bit words (palette, big endian ...) are unpacked once into 8- or 16-bit
// planes; what ops cannot convert as FFmpeg's scaler does becomes RGB here (Note [Pictures of the
// scaler] in scaled_rgb.h). Throws Error(Unsupported) for what holds no pixels (hardware surfaces).
// Unpacking and converting hear `cancel`, which may be null, all the time.
ViewedFrame viewOf(const AVFrame& frame, const Orientation& orientation, ColorMatrixOption matrix,
                   Notes& notes, const std::string& where, const CancelToken* cancel);

// Bytes of one decoded picture; an estimate when the format is not known beforehand (< 0).
int64_t pictureBytes(int format, int64_t width, int64_t height);
// The same of one that waits for its patches.
int64_t keptPictureBytes(int format, int32_t width, int32_t height);

}  // namespace cps
