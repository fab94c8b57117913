// What this machine's GPU is and how fast it does our work. Prints one JSON object on stdout and
// progress on stderr. Exit status: 0, 3 where there is no usable GPU, 1 when something failed.
// scripts/gpu-check.sh runs it:
//   gpu_check facts | stages | decode CLIP... | faults CLIP
// ctest runs it over the fake driver as well, so that a GPU machine is not the first to run it.

#include <cstdio>

#include "cuda/check/checks.h"

namespace cps {
namespace {

void deviceFacts(Json& json, GpuRegistry& registry) {
  json.text("whyNotProcess", registry.whyNotProcess(0));
  json.text("whyNotDecode", registry.whyNotDecode(0));
  const auto api = registry.api();
  int version = 0, devices = 0;
  if (api->driverGetVersion && api->deviceGetCount && api->cudaProblem.empty()) {
    api->driverGetVersion(&version);
    api->deviceGetCount(&devices);
  }
  json.number("driverCudaVersion", version);
  json.number("devices", devices);
  json.open("device", '[');
  for (int id = 0; id < devices; id++) {
    const DeviceContext& device = *registry.device(id)->context;
    const DeviceContext::Current current(device);
    int major = 0, minor = 0, processors = 0;
    api->deviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, id);
    api->deviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, id);
    api->deviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, id);
    size_t available = 0, total = 0;
    api->memGetInfo(&available, &total);
    json.open("", '{');
    json.text("name", device.name());
    json.number("computeCapability", major * 10 + minor);
    json.number("multiprocessors", processors);
    json.number("memoryBytes", static_cast<double>(total));
    json.close('}');
  }
  json.close(']');
}

void nvdecAbilities(Json& json, GpuRegistry& registry) {
  json.open("nvdec", '[');
  if (registry.whyNotDecode(0).empty()) {
    const auto gpu = registry.device(0);
    const DeviceContext::Current current(*gpu->context);
    for (const cudaVideoCodec codec :
         {cudaVideoCodec_MPEG1, cudaVideoCodec_MPEG2, cudaVideoCodec_MPEG4, cudaVideoCodec_JPEG,
          cudaVideoCodec_H264, cudaVideoCodec_HEVC, cudaVideoCodec_VP8, cudaVideoCodec_VP9,
          cudaVideoCodec_AV1}) {
      for (const auto chroma : {cudaVideoChromaFormat_Monochrome, cudaVideoChromaFormat_420,
                                cudaVideoChromaFormat_422, cudaVideoChromaFormat_444}) {
        for (const int depth : {8, 10, 12}) {
          CUVIDDECODECAPS caps{};
          caps.eCodecType = codec;
          caps.eChromaFormat = chroma;
          caps.nBitDepthMinus8 = static_cast<unsigned>(depth - 8);
          const CUresult result = gpu->context->api().getDecoderCaps(&caps);
          if (result != CUDA_SUCCESS || !caps.bIsSupported) continue;
          json.open("", '{');
          json.text("format", NvdecFormat{codec, chroma, depth}.describe());
          json.number("engines", caps.nNumNVDECs);
          json.number("outputFormats", caps.nOutputFormatMask);
          json.number("minWidth", caps.nMinWidth);
          json.number("minHeight", caps.nMinHeight);
          json.number("maxWidth", caps.nMaxWidth);
          json.number("maxHeight", caps.nMaxHeight);
          json.number("maxMacroblocks", caps.nMaxMBCount);
          json.close('}');
        }
      }
    }
  }
  json.close(']');
}

int run(const std::string& what, const std::vector<std::string>& clips) {
  const CheckSetup setup = checkSetup();
  GpuRegistry registry{setup.driver};
  const std::string whyNot = registry.whyNotProcess(0);
  int failed = 0;
  Json json;
  json.open("", '{');
  if (what == "facts") {
    reportFacts(json, registry);
  } else if (!whyNot.empty()) {
    json.text("whyNot", whyNot);
  } else if (what == "stages") {
    json.open("stages", '[');
    for (const auto& [width, height] : setup.sizes) {
      for (const int32_t frames : setup.frames) benchStages(json, registry, width, height, frames);
    }
    json.close(']');
  } else if (const std::string why = registry.whyNotDecode(0); !why.empty()) {
    json.text("whyNot", why);
    failed++;  // a GPU without its decoder: an installation to look at, not a machine without one
  } else if (what == "decode") {
    json.open("decoding", '[');
    for (const std::string& clip : clips) {
      json.open("", '{');
      const size_t depth = json.depth();
      try {
        benchDecoding(json, registry, clip, setup.seconds);
      } catch (const std::exception& error) {
        failed++;
        json.closeTo(depth);
        json.text("error", error.what());
        std::fprintf(stderr, "  %s: %s\n", clip.c_str(), error.what());
      }
      json.close('}');
    }
    json.close(']');
  } else {
    failed = checkFaults(json, registry, clips.front(), setup.calls, setup.breakContext);
  }
  json.close('}');
  std::puts(json.str().c_str());
  return failed > 0 ? 1 : whyNot.empty() ? 0 : 3;
}

}  // namespace

void reportFacts(Json& json, GpuRegistry& registry) {
  deviceFacts(json, registry);
  nvdecAbilities(json, registry);
}

}  // namespace cps

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  const bool known = args.size() == 1
                         ? args[0] == "facts" || args[0] == "stages"
                         : args.size() >= 2 && (args[0] == "decode" || args[0] == "faults");
  if (!known) {
    std::fputs("usage: gpu_check facts | stages | decode CLIP... | faults CLIP\n", stderr);
    return 2;
  }
  try {
    return cps::run(args[0], {args.begin() + 1, args.end()});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_check: %s\n", error.what());
    return 1;
  }
}
