#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/pixels/kept_rows.h"
#include "ops/pixels/resample_axis.h"
#include "ops/simd/table.h"

namespace cps {

// Owns the tables of a ResizePlan (Note [Resize plan]) for pictures of one layout.
class ResizeTables {
 public:
  // `rows`: which rows of the picture the view still holds (Note [Kept rows]); null: all of them.
  ResizeTables(const FrameView& frame, int32_t outHeight, int32_t outWidth,
               const KeptRows* rows = nullptr);
  // A part of the picture, or of the result (resample_axis.h).
  ResizeTables(const FrameView& frame, const ResampleAxis& y, const ResampleAxis& x);
  ResizeTables(const ResizeTables&) = delete;
  ResizeTables& operator=(const ResizeTables&) = delete;

  // Whether the tables hold for `frame` as well: everything equal but the addresses.
  bool fits(const FrameView& frame, const KeptRows* rows = nullptr) const;
  // The plan for a frame that fits.
  ResizePlan planFor(const FrameView& frame) const;

 private:
  // One tap of one plane kind along an axis.
  struct Window {
    int64_t offset;
    int32_t shift;
  };

  ResizeFetch chooseFetch() const;
  int kinds() const { return frame_.planes == 3 ? 3 : 1; }
  const PlaneView& plane(int kind) const { return frame_.plane[kind ? 1 : 0]; }
  int64_t rowBytes(int kind) const;
  Window rowWindow(int kind, int32_t display) const;
  Window columnWindow(int kind, int32_t display, int32_t other) const;
  Window window(bool sourceRows, int kind, int32_t display, int32_t other) const;
  void build();

  FrameView frame_;
  std::optional<KeptRows> rows_;
  ColorCoeffs coeffs_;
  ResizeFetch fetch_ = ResizeFetch::Direct;
  int32_t outHeight_, outWidth_;
  std::vector<BilinearTap> tapY_, tapX_;
  std::vector<ResizeLine> lines_;
  std::vector<int32_t> offset_[3][2], shift_[3][2];
  std::vector<float> w0_, w1_;
};

}  // namespace cps
