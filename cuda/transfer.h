#pragma once

#include "cuda/driver/registry.h"
#include "media/decode/frame_source.h"

namespace cps {

// A decoded picture on the other kind of device: one copy per plane (interleaved components are one
// plane), finished when it returns. The view keeps its layout, only addresses and strides change.
SourceFrame uploadFrame(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu);
SourceFrame downloadFrame(const SourceFrame& frame, const std::shared_ptr<GpuDevice>& gpu);

}  // namespace cps
