// libFuzzer: any bytes through demux -> index -> plan -> decode -> pictures. The first byte chooses
// the options, the rest is the file. Ends in pictures or in a cps::Error; anything else is a
// finding.
#include <cstdint>
#include <memory>
#include <mutex>

#include "core/error.h"
#include "core/picture.h"
#include "media/decode/cpu_source.h"

namespace {

class Sink final : public cps::FrameSink {
 public:
  void onFrame(cps::SourceFrame frame) override {
    // Touches the corners of every plane: an address that is wrong shows here.
    uint64_t sum = 0;
    for (int p = 0; p < frame.view.planes; ++p) {
      const int sw = p > 0 ? frame.view.log2ChromaW : 0, sh = p > 0 ? frame.view.log2ChromaH : 0;
      const int w = (frame.view.width + (1 << sw) - 1) >> sw;
      const int h = (frame.view.height + (1 << sh) - 1) >> sh;
      const cps::PlaneView& plane = frame.view.plane[p];
      for (const int y : {0, h - 1}) {
        for (const int x : {0, w - 1})
          sum += plane.data[y * plane.stride + int64_t{x} * plane.step];
      }
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    sum_ += sum;
  }

 private:
  std::mutex mutex_;
  uint64_t sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cps::MediaServices services = cps::makeMediaServices(
      std::make_shared<cps::TaskPool>(2), std::make_shared<cps::ThreadBudget>(2));
  if (size < 2) return 0;
  cps::SourceOptions options = {};
  options.decodeMode = data[0] & 1 ? cps::DecodeMode::Latency : cps::DecodeMode::Throughput;
  options.uniformStrategy = static_cast<cps::UniformStrategy>((data[0] >> 1) % 3);
  options.decodeThreads = 1 + (data[0] >> 4 & 1);
  options.maxFramePixels = 1 << 20;
  options.maxFrames = 2000;
  options.maxMemoryBytes = 64 << 20;
  cps::VideoInput input;
  input.bytes = std::make_shared<const std::vector<uint8_t>>(data + 1, data + size);
  const auto cancel = std::make_shared<cps::CancelToken>();
  cancel->setDeadline(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  cps::Profile profile;
  const cps::CallContext call{options, cancel, profile};
  try {
    const auto source = cps::openCpuSource(input, call, services);
    const int64_t total = source->info().totalFrames;
    std::vector<int64_t> ids = {0};
    if (total > 2) ids.push_back(total / 2);
    if (total > 1) ids.push_back(total - 1);
    Sink sink;
    source->decode(ids, sink);
  } catch (const cps::Error&) {
  }
  return 0;
}
