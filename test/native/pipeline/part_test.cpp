// Parts of a held video whose index turns out to be wrong: a part that reaches beyond the frames
// there are is an error, whatever samples it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "core/error.h"
#include "default_options.h"
#include "media/decode/count_pass.h"
#include "media/index/index_codec.h"
#include "media/index/index_file.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"

namespace cps {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFrames = 100, kListed = 120;

// A folder with a stored index of the video that lists kListed frames.
class StoredLie {
 public:
  explicit StoredLie(const std::string& video)
      : folder_(fs::temp_directory_path() / ("cps-part-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    Context context(1);
    const SourceOptions options = default_options::defaultSource();
    Profile profile;
    const CallContext call{options, std::make_shared<CancelToken>(), profile};
    const auto bytes = openFileSource(video);
    const FrameIndexPtr built = buildFrameIndex(bytes, call, context.media());
    auto& index = const_cast<FrameIndex&>(*built);  // nobody else holds it yet
    const auto shownAt = [&](size_t d) {
      return index.packets[static_cast<size_t>(index.display[d])].pts;
    };
    const int64_t step = shownAt(1) - shownAt(0);
    for (auto d = static_cast<int64_t>(index.display.size()); d < kListed; ++d) {
      PacketEntry entry = index.packets[static_cast<size_t>(index.display.back())];
      entry.displayIndex = static_cast<int32_t>(d);
      entry.pts += step;
      entry.dts = index.packets.back().dts + step;
      entry.order = entry.pts;
      entry.pos += entry.size;
      index.display.push_back(static_cast<int32_t>(index.packets.size()));
      index.packets.push_back(entry);
      index.timestampsSec.push_back(static_cast<double>(entry.order) * av_q2d(index.timeBase));
    }
    FileIdentity identity = *bytes->identity();
    const IndexFile file(folder_.string(), identity);
    identity.path = fs::absolute(video).lexically_normal().string();
    const std::vector<uint8_t> encoded = encodeIndex(index, identity);
    std::ofstream(file.path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(encoded.data()),
               static_cast<std::streamsize>(encoded.size()));
  }
  ~StoredLie() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  StoredLie(const StoredLie&) = delete;
  StoredLie& operator=(const StoredLie&) = delete;

  std::string folder() const { return folder_.string(); }

 private:
  fs::path folder_;
};

SampleRule keyFrames() {
  SampleRule rule = sampleOf(2);
  std::get<CountRule>(rule.value).only = SampleOnly::KeyFrames;
  return rule;
}

TEST(PartOfAVideo, BeyondTheFramesThatThereAreIsAnError) {
  const char* fixtures = std::getenv("CPS_FIXTURES");
  ASSERT_NE(fixtures, nullptr) << "set CPS_FIXTURES";
  const std::string video = std::string(fixtures) + "/h264_bpyramid.mp4";
  struct Part {
    int64_t from, to;
    SampleRule rule;
  };
  const std::vector<Part> parts = {{90, 110, sampleOf(8)},
                                   {105, 118, sampleOf(4)},
                                   {0, 120, keyFrames()},
                                   {119, 120, keyFrames()}};
  for (const Part& part : parts) {
    SCOPED_TRACE(std::to_string(part.from) + " to " + std::to_string(part.to));
    const StoredLie lie(video);
    Context context(1);
    Profile profile;
    DecodeOnlyOptions options = default_options::defaultDecodeOnly();
    options.source.readerCacheDir = lie.folder();
    options.frame.width = 16;
    options.frame.height = 16;
    VideoInput input;
    input.path = video;
    const auto cancel = std::make_shared<CancelToken>();
    VideoInput held;
    held.opened = runOpenVideo(input, options, context, cancel, profile).video;
    const auto& opened = static_cast<const HeldVideo&>(*held.opened);
    ASSERT_EQ(opened.index()->info.totalFrames, kListed);
    const auto decode = [&](FramePart of, const SampleRule& rule) {
      held.part = of;
      options.sampling.sample = rule;
      return runDecodeOnly(held, options, context, cancel, profile);
    };

    // The call that finds out.
    EXPECT_THROW(decode({99, kListed}, sampleOf(8)), Error);
    EXPECT_EQ(opened.index()->info.totalFrames, kFrames);
    // And those after it.
    try {
      decode({part.from, part.to}, part.rule);
      ADD_FAILURE() << "decoded";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Corrupt) << error.what();
      EXPECT_NE(std::string(error.what()).find("Open the video again"), std::string::npos)
          << error.what();
      EXPECT_NE(std::string(error.what()).find("100 frames"), std::string::npos) << error.what();
    }
    const std::vector<int64_t> ids = decode({90, kFrames}, sampleOf(3)).sample.frameIds;
    ASSERT_EQ(ids.size(), 3u);
    EXPECT_EQ(ids.front(), 90);
    EXPECT_EQ(ids.back(), kFrames - 1);
  }
}

}  // namespace
}  // namespace cps
