// Loops whose length a file decides hear timeoutMs: files of many gigabytes that are read, byte for
// byte or box for box, before the first packet or between two.

#include <algorithm>
#include <chrono>
#include <cstring>

#include "media/container/mp4_tables.h"
#include "media/media_common.h"

namespace media_test {
namespace {

using Bytes = std::vector<uint8_t>;

// `head`, then `pattern` again and again up to `size` bytes.
class Endless final : public cps::ByteSource {
 public:
  Endless(Bytes head, Bytes pattern, int64_t size)
      : head_(std::move(head)), pattern_(std::move(pattern)), size_(size) {}
  int64_t size() const override { return size_; }
  std::string describe() const override { return "endless"; }
  size_t readAt(int64_t offset, uint8_t* dst, size_t n) override {
    n = static_cast<size_t>(std::clamp<int64_t>(size_ - offset, 0, static_cast<int64_t>(n)));
    for (size_t i = 0; i < n; ++i) {
      const size_t at = static_cast<size_t>(offset) + i;
      dst[i] = at < head_.size() ? head_[at] : pattern_[(at - head_.size()) % pattern_.size()];
    }
    return n;
  }

 private:
  Bytes head_, pattern_;
  int64_t size_;
};

void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes be(uint64_t value, int bytes) {
  Bytes out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  return out;
}

// The head of a box of 2^40 bytes.
Bytes openBox(const char* type) {
  Bytes out = be(1, 4);
  out.insert(out.end(), type, type + 4);
  append(out, be(uint64_t{1} << 40, 8));
  return out;
}

Bytes mp4(const std::vector<const char*>& boxes, const Bytes& inside = {}) {
  Bytes out = {0, 0, 0, 16, 'f', 't', 'y', 'p', 'i', 's', 'o', 'm', 0, 0, 0, 0};
  for (const char* type : boxes) append(out, openBox(type));
  append(out, inside);
  return out;
}

Bytes headOf(const std::string& fixture, size_t bytes) {
  const auto source = cps::openFileSource(fixturePath(fixture));
  Bytes out(bytes);
  out.resize(source->readAt(0, out.data(), bytes));
  return out;
}

struct Case {
  const char* name;
  Bytes head, pattern;
};

std::vector<Case> endlessFiles() {
  const Bytes zeros(4096, 0);
  Bytes smallBoxes = be(8, 4);
  append(smallBoxes, {'s', 'k', 'i', 'p'});
  Bytes run = be(1, 4);
  append(run, be(0, 8));
  Bytes nullPacket(188, 0xff);
  nullPacket[0] = 0x47, nullPacket[1] = 0x1f, nullPacket[3] = 0x10;
  // Version and flags, then 2^32 - 1 runs.
  Bytes runs = be(0, 4);
  append(runs, be(0xffffffff, 4));
  return {
      {"one box that is searched for tables", mp4({"meta"}), zeros},
      {"sample descriptions", mp4({"moov", "trak", "mdia", "minf", "stbl", "stsd"}), zeros},
      {"boxes of eight bytes", mp4({"moov"}), smallBoxes},
      {"runs of chunks", mp4({"moov", "trak", "mdia", "minf", "stbl", "stsc"}, runs), run},
      {"Matroska that never comes back in step", headOf("hevc_opengop.mkv", 600), zeros},
      {"a transport stream without a program", {}, nullPacket},
      {"a transport stream whose program ends", headOf("h264.ts", 188 * 40), nullPacket},
      {"AVI without chunks", headOf("mpeg4.avi", 6000), zeros},
  };
}

TEST(Deaf, EndlessFilesHearTimeouts) {
  using Clock = std::chrono::steady_clock;
  for (const Case& c : endlessFiles()) {
    SCOPED_TRACE(c.name);
    Services services(1);
    cps::Profile profile;
    const cps::SourceOptions options = defaultSource();
    const auto cancel = std::make_shared<cps::CancelToken>();
    const cps::CallContext call = {options, cancel, profile};
    const auto source = std::make_shared<Endless>(c.head, c.pattern, int64_t{1} << 40);
    const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(300);
    cancel->setDeadline(deadline);
    const std::string error = errorOf([&] { cps::openCpuSource(source, call, services.media); });
    // Some are refused before that; none takes longer.
    EXPECT_NE(error, "");
    EXPECT_LT(std::chrono::duration<double>(Clock::now() - deadline).count(), 3) << error;
  }
}

// Packets of one byte, without end.
TEST(Deaf, AnIndexThatGrowsCountsAgainstMaxMemoryBytes) {
  Bytes head = {'D', 'K', 'I', 'F', 0, 0, 32, 0, 'V', 'P', '8', '0', 64, 0, 64, 0,
                25,  0,   0,   0,   1, 0, 0,  0, 0,   0,   0,   0,   0,  0, 0,  0};
  const Bytes packet = {1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0x10};
  Services services(1);
  cps::Profile profile;
  cps::SourceOptions options = defaultSource();
  options.maxMemoryBytes = 4 << 20;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  const auto source = std::make_shared<Endless>(head, packet, int64_t{1} << 40);
  const std::string error = errorOf([&] { cps::openCpuSource(source, call, services.media); });
  EXPECT_NE(error.find("ERR_CPS_OUT_OF_MEMORY"), std::string::npos) << error;
  EXPECT_NE(error.find("frame index"), std::string::npos) << error;
  EXPECT_NE(error.find("maxMemoryBytes"), std::string::npos) << error;
}

TEST(Deaf, TablesAreFoundAcrossTheChunksThatAreRead) {
  for (const int64_t gap : {0, 100, 256 * 1024 - 20, 256 * 1024 - 8, 256 * 1024 - 3, 1'000'000}) {
    Bytes file = mp4({"meta"});
    file.resize(file.size() + static_cast<size_t>(gap), 0);
    append(file, be(16, 4));
    append(file, {'s', 't', 's', 'z'});
    file.resize(file.size() + 64, 0);
    const auto source = cps::openMemorySource(std::make_shared<const Bytes>(file));
    const std::string error =
        errorOf([&] { cps::checkMp4Tables(*source, int64_t{1} << 40, nullptr); });
    EXPECT_NE(error.find("ERR_CPS_CORRUPT"), std::string::npos) << gap << " " << error;
  }
}

}  // namespace
}  // namespace media_test
