// Workers that share the segments of a plan: what says nothing of the file ends the work of all.

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/error.h"
#include "media/media_common.h"

namespace media_test {
namespace {

// Two workers are there when the first picture's fails; then the others go on.
class FailingSink final : public cps::FrameSink {
 public:
  void onFrame(cps::SourceFrame /*frame*/) override {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool first = ++came_ == 1;
    wake_.notify_all();
    wake_.wait_for(lock, std::chrono::seconds(30), [&] { return first ? came_ > 1 : failed_; });
    if (!first) return;
    failed_ = true;
    wake_.notify_all();
    throw cps::Error(cps::ErrorCode::OutOfMemory, cps::Stage::Process, "no memory for a picture");
  }
  int came() const { return came_; }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  int came_ = 0;
  bool failed_ = false;
};

TEST(Workers, StopWhereOneOfThemRunsOutOfMemory) {
  Services services(2);
  cps::SourceOptions options = defaultSource();
  options.decodeThreads = 2;
  options.uniformStrategy = cps::UniformStrategy::Seek;
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  cps::VideoInput input;
  input.path = fixturePath("mjpeg.avi");
  const auto source = cps::openCpuSource(input, call, services.media);
  std::vector<int64_t> all(static_cast<size_t>(source->info().totalFrames));
  std::iota(all.begin(), all.end(), 0);
  ASSERT_GT(all.size(), 40u);
  FailingSink sink;
  const std::string error = errorOf([&] { source->decode(all, sink); });
  EXPECT_EQ(error, "ERR_CPS_OUT_OF_MEMORY: no memory for a picture");
  EXPECT_EQ(profile.values()["decoders"], 2);
  EXPECT_GT(sink.came(), 1);
  EXPECT_LT(sink.came(), static_cast<int>(all.size()) / 2) << "the other one did all the rest";
}

}  // namespace
}  // namespace media_test
