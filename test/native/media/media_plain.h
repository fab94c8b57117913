#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "media/media_common.h"
#include "reliability/hostile/reference.h"

namespace media_test {

using hostile::Bytes;

Bytes fixtureBytes(const std::string& name);
Bytes joined(Bytes a, const Bytes& b);
cps::VideoInput inMemory(const Bytes& bytes);

// Bytes in a file, whose index is made once for all calls.
class InFile {
 public:
  explicit InFile(const Bytes& bytes);
  ~InFile();
  InFile(const InFile&) = delete;
  InFile& operator=(const InFile&) = delete;
  cps::VideoInput input() const;

 private:
  std::string path_;
};

// Samples and colours of what comes out, by display index.
struct Look {
  uint64_t hash = 0;
  cps::ColorMatrix matrix = cps::ColorMatrix::Bt601;
  bool fullRange = false;
  bool operator==(const Look&) const = default;
};

struct Result {
  std::map<int64_t, Look> frames;
  std::set<int64_t> lost;  // where losses are taken
  std::string error;
  bool operator==(const Result&) const = default;
};

struct Way {
  cps::UniformStrategy strategy = cps::UniformStrategy::Seek;
  int threads = 1;
};
inline constexpr std::array kWays = {
    Way{cps::UniformStrategy::Stream, 1}, Way{cps::UniformStrategy::Seek, 1},
    Way{cps::UniformStrategy::Stream, 2}, Way{cps::UniformStrategy::Seek, 2},
    Way{cps::UniformStrategy::Seek, 4}};
std::string nameOf(const Way& way);

// `ids` empty: all. `takesLosses`: as under option damaged 'skip', with pictures of any size.
Result decodeBytes(const cps::VideoInput& input, Way way, Services& services,
                   std::vector<int64_t> ids = {}, bool takesLosses = false);

// Whether every picture, alone and with the others, is the one of a plain decode.
void expectAsPlain(const Bytes& bytes, const std::string& what);

// The same where some cannot be had: these are the same in every way, alone and with others, and
// the rest is that of a plain decode. Returns them.
std::set<int64_t> expectSameLosses(const Bytes& bytes, const std::string& what);

// The packets of a clip in a container of this format, each as `change` makes it: none, itself, or
// several. Times of those that are added are halfway to the next one's.
using ChangePacket = std::vector<Bytes> (*)(int ordinal, const Bytes& packet);
Bytes withPackets(const std::string& name, const char* format, ChangePacket change);

}  // namespace media_test
