#pragma once

#include <memory>
#include <string>

#include "backend/kernels.h"
#include "media/decode/frame_source.h"
#include "pipeline/context.h"

namespace cps {

// The two stages of a call, each on its device.
struct Backends {
  std::unique_ptr<FrameSource> source;
  std::unique_ptr<Kernels> kernels;
  std::string fallbackReason;  // why an 'auto' stage is on the CPU; empty when none is
};

// 'auto' takes the GPU where it works for this stream, else the CPU and says why; what processes
// goes where the frames are decoded. An explicit 'gpu' that is missing throws
// Error(BackendUnavailable) with what is missing.
Backends openBackends(const VideoInput& input, const CallContext& call,
                      const DevicesOptions& devices, Context& context);

// Takes the CPU's source for one that failed in decode(): what a stream asks for shows in full only
// when it is read. What processes may be another one then, so nothing may be left that uses it. An
// explicit 'gpu' throws as openBackends does.
void fallBackToCpu(Backends& backends, const VideoInput& input, const CallContext& call,
                   const DevicesOptions& devices, Context& context, const Error& why);

// The frame on `device`: itself, or a copy made by the GPU backend's transfer.
SourceFrame onDevice(SourceFrame frame, const Device& device, Context& context);

}  // namespace cps
