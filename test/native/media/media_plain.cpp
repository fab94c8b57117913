#include "media/media_plain.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <span>

#include "media/container/demuxer.h"

namespace media_test {
namespace {

struct Looks final : cps::FrameSink {
  explicit Looks(bool takesLosses) : takes(takesLosses) {}
  void onFrame(cps::SourceFrame frame) override {
    const Look look = {hashOf(frame.view), frame.view.color.matrix, frame.view.color.fullRange};
    const std::lock_guard<std::mutex> lock(mutex);
    frames[frame.displayIndex] = look;
  }
  bool takesAnySize() const override { return takes; }
  bool takesLosses() const override { return takes; }
  void onLost(int64_t displayIndex, const cps::Error& why) override {
    if (!takes) throw why;
    const std::lock_guard<std::mutex> lock(mutex);
    lost.insert(displayIndex);
  }
  const bool takes;
  std::mutex mutex;
  std::map<int64_t, Look> frames;
  std::set<int64_t> lost;
};

constexpr std::array kFewWays = {Way{cps::UniformStrategy::Stream, 1},
                                 Way{cps::UniformStrategy::Seek, 2}};

// Pictures to ask for alone: some, and those on both sides of where losses begin and end.
std::set<int64_t> tellingOnes(int64_t count, const std::set<int64_t>& lost) {
  constexpr size_t kMost = 10;
  std::set<int64_t> ones;
  for (int64_t d = 1; d < count && (longForm() > 0 || ones.size() < kMost); ++d) {
    if (lost.contains(d) != lost.contains(d - 1)) ones.insert({d - 1, d});
  }
  const int64_t step = std::max<int64_t>(1, longForm() > 0 ? count / 7 : count / 2);
  for (int64_t d = 0; d < count; d += step) ones.insert(d);
  return ones;
}

// Whether these are the pictures of a plain decode, in their order. Where packets tell without
// decoding which picture they are, those that do not decode keep their numbers, and are lost.
bool isOf(const Result& got, const hostile::Reference& plain) {
  const bool numbered = got.frames.size() + got.lost.size() == plain.frames.size();
  if (got.frames.size() + got.lost.size() < plain.frames.size()) return false;
  size_t at = 0;
  for (const auto& [d, look] : got.frames) {
    if (numbered) at = static_cast<size_t>(d);
    while (!numbered && at < plain.frames.size() && plain.frames[at].hash != look.hash) ++at;
    if (at == plain.frames.size() || plain.frames[at].hash != look.hash) return false;
    ++at;
  }
  return true;
}

}  // namespace

Bytes fixtureBytes(const std::string& name) { return hostile::readFile(fixturePath(name)); }

Bytes joined(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

cps::VideoInput inMemory(const Bytes& bytes) {
  cps::VideoInput input;
  input.bytes = std::make_shared<const Bytes>(bytes);
  return input;
}

InFile::InFile(const Bytes& bytes)
    : path_(testing::TempDir() + "cps_plain_" + std::to_string(::getpid())) {
  std::ofstream(path_, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

InFile::~InFile() { std::filesystem::remove(path_); }

cps::VideoInput InFile::input() const {
  cps::VideoInput input;
  input.path = path_;
  return input;
}

std::string nameOf(const Way& way) {
  const bool seek = way.strategy == cps::UniformStrategy::Seek;
  return std::to_string(way.threads) + " threads, " + (seek ? "seek" : "stream");
}

Result decodeBytes(const cps::VideoInput& input, Way way, Services& services,
                   std::vector<int64_t> ids, bool takesLosses) {
  cps::SourceOptions options = defaultSource();
  options.uniformStrategy = way.strategy;
  options.decodeThreads = way.threads;
  options.readerCacheSize = 1000;
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  Looks sink(takesLosses);
  Result result;
  result.error = errorOf([&] {
    const auto source = cps::openCpuSource(input, call, services.media);
    if (ids.empty()) {
      ids.resize(static_cast<size_t>(source->info().totalFrames));
      std::iota(ids.begin(), ids.end(), 0);
    }
    source->decode(ids, sink);
  });
  result.frames = std::move(sink.frames);
  result.lost = std::move(sink.lost);
  return result;
}

void expectAsPlain(const Bytes& bytes, const std::string& what) {
  EXPECT_EQ(expectSameLosses(bytes, what), std::set<int64_t>()) << what;
}

std::set<int64_t> expectSameLosses(const Bytes& bytes, const std::string& what) {
  SCOPED_TRACE(what);
  const hostile::Reference plain = hostile::decodeReference(bytes, 10'000, 60);
  EXPECT_GT(plain.frames.size(), 8u);
  const InFile file(bytes);
  std::optional<Result> first;
  for (const Way& way : longForm() > 0 ? std::span<const Way>(kWays) : kFewWays) {
    SCOPED_TRACE(nameOf(way));
    Services services(4);
    const auto decode = [&](const std::vector<int64_t>& ids) {
      Result got = decodeBytes(file.input(), way, services, ids, true);
      EXPECT_EQ(got.error, "");
      return got;
    };
    const Result all = decode({});
    if (!first) first = all;
    const auto count = static_cast<int64_t>(all.frames.size() + all.lost.size());
    EXPECT_TRUE(isOf(all, plain));
    EXPECT_TRUE(all == *first);
    const auto expectAsInAll = [&](const std::vector<int64_t>& ids) {
      const Result got = decode(ids);
      EXPECT_EQ(got.frames.size() + got.lost.size(), ids.size());
      for (const auto& [d, look] : got.frames) {
        EXPECT_TRUE(all.frames.contains(d) && all.frames.at(d) == look) << "picture " << d;
      }
      for (const int64_t d : got.lost) EXPECT_TRUE(all.lost.contains(d)) << "picture " << d;
    };
    for (const int64_t d : tellingOnes(count, all.lost)) expectAsInAll({d});
    std::vector<int64_t> some;
    for (int64_t d = 0; d < count; d += 3) some.push_back(d);
    expectAsInAll(some);
    if (all.lost.empty()) continue;
    EXPECT_NE(decodeBytes(file.input(), way, services, {*all.lost.begin()}).error, "");
  }
  return first->lost;
}

Bytes withPackets(const std::string& name, const char* format, ChangePacket change) {
  cps::Demuxer demuxer(cps::openFileSource(fixturePath(name)), nullptr);
  AVFormatContext* context = nullptr;
  avformat_alloc_output_context2(&context, nullptr, format, nullptr);
  context->flags |= AVFMT_FLAG_BITEXACT;  // no random numbers in Matroska
  AVStream* stream = avformat_new_stream(context, nullptr);
  avcodec_parameters_copy(stream->codecpar, &demuxer.parameters());
  stream->codecpar->codec_tag = 0;
  stream->time_base = demuxer.stream().time_base;
  avio_open_dyn_buf(&context->pb);
  EXPECT_GE(avformat_write_header(context, nullptr), 0);
  const cps::UniqueAVPacket packet = cps::makePacket(cps::Stage::Decode);
  for (int ordinal = 0; demuxer.read(*packet); ++ordinal) {
    const Bytes bytes(packet->data, packet->data + packet->size);
    int64_t after = 0;
    for (const Bytes& data : change(ordinal, bytes)) {
      const cps::UniqueAVPacket out = cps::makePacket(cps::Stage::Decode);
      av_new_packet(out.get(), static_cast<int>(data.size()));
      std::copy(data.begin(), data.end(), out->data);
      out->flags = data == bytes ? packet->flags : 0;
      out->pts = packet->pts + after;
      out->dts = packet->dts == AV_NOPTS_VALUE ? packet->pts + after : packet->dts + after;
      after += av_rescale_q(1, {1, 100}, demuxer.stream().time_base);
      out->pos = -1;
      av_packet_rescale_ts(out.get(), demuxer.stream().time_base, stream->time_base);
      av_write_frame(context, out.get());
    }
  }
  av_write_trailer(context);
  uint8_t* data = nullptr;
  const int size = avio_close_dyn_buf(context->pb, &data);
  context->pb = nullptr;
  Bytes out(data, data + size);
  av_free(data);
  avformat_free_context(context);
  return out;
}

}  // namespace media_test
