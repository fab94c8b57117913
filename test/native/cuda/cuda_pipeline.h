#pragma once

// One call of the whole pipeline over the fake driver, and the download of its result.

#include <string>
#include <vector>

#include "cuda/cuda_device.h"
#include "media/media_common.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"

namespace cuda_test {

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::vector<uint8_t> bytesOf(const cps::Context& context, const cps::Buffer& buffer) {
  const cps::Buffer host =
      buffer.device().isCpu() ? cps::Buffer() : context.gpu()->downloadPinned(buffer);
  const cps::Buffer& from = buffer.device().isCpu() ? buffer : host;
  return {from.as<uint8_t>(), from.as<uint8_t>() + from.bytes()};
}

struct Outcome {
  std::string error;  // "CODE: message"; empty: it worked
  std::vector<uint8_t> bytes;
};

struct Pipeline {
  Pipeline(cps::Backend decode, cps::Backend process, const char* clip = "h264_bpyramid.mp4") {
    context.setGpu(backend());
    options.sampling.sample = sampleOf(3);
    options.devices.nvdecReuseOpenDecoder = true;
    options.devices.decodeBackend = decode;
    options.devices.processBackend = process;
    options.patch.minPixels = options.patch.maxPixels = 56 * 56;
    options.patch.kKeep = {24};
    input.path = media_test::fixturePath(clip);
  }

  cps::PatchResult patches() {
    cps::Profile profile;
    return cps::runPatchStream(input, options, context, std::make_shared<cps::CancelToken>(),
                               profile);
  }
  cps::FramesResult frames() {
    cps::Profile profile;
    return cps::runDecodeOnly(input, media_test::framesOf(options), context,
                              std::make_shared<cps::CancelToken>(), profile);
  }
  Outcome run(bool decodeOnly = false) {
    Outcome outcome;
    outcome.error = media_test::errorOf([&] {
      outcome.bytes =
          decodeOnly ? bytesOf(context, frames().frames) : bytesOf(context, patches().patches);
    });
    return outcome;
  }

  cps::Context context{1};
  cps::PatchStreamOptions options = default_options::defaultPatchStream();
  cps::VideoInput input;
};

}  // namespace cuda_test
