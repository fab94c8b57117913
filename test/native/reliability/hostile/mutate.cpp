#include "reliability/hostile/mutate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace hostile {
namespace {

constexpr int kCuts = 50;

uint32_t readBe32(const Bytes& b, size_t at) {
  return uint32_t{b[at]} << 24 | uint32_t{b[at + 1]} << 16 | uint32_t{b[at + 2]} << 8 | b[at + 3];
}

void writeBe32(Bytes& b, size_t at, uint32_t v) {
  for (int i = 0; i < 4 && at + static_cast<size_t>(i) < b.size(); ++i) {
    b[at + static_cast<size_t>(i)] = static_cast<uint8_t>(v >> (24 - 8 * i));
  }
}

void writeLe32(Bytes& b, size_t at, uint32_t v) {
  for (int i = 0; i < 4 && at + static_cast<size_t>(i) < b.size(); ++i) {
    b[at + static_cast<size_t>(i)] = static_cast<uint8_t>(v >> (8 * i));
  }
}

struct Region {
  const char* name;
  size_t begin, end;
};

struct Box {
  std::string type;
  size_t begin, payload, end;
};

void walkBoxes(const Bytes& b, size_t begin, size_t end, std::vector<Box>& out) {
  constexpr std::array<std::string_view, 11> kParents = {
      "moov", "trak", "mdia", "minf", "stbl", "edts", "mvex", "moof", "traf", "udta", "dinf"};
  while (begin + 8 <= end && out.size() < 4096) {
    const size_t size = readBe32(b, begin);
    if (size < 8 || size > end - begin) return;
    const std::string type(reinterpret_cast<const char*>(b.data()) + begin + 4, 4);
    out.push_back({type, begin, begin + 8, begin + size});
    if (std::find(kParents.begin(), kParents.end(), type) != kParents.end()) {
      walkBoxes(b, begin + 8, begin + size, out);
    }
    if (type == "stsd") walkBoxes(b, begin + 16, begin + size, out);
    begin += size;
  }
}

std::vector<Box> boxesOf(const Bytes& b) {
  std::vector<Box> boxes;
  if (b.size() > 12 && std::memcmp(b.data() + 4, "ftyp", 4) == 0) walkBoxes(b, 0, b.size(), boxes);
  return boxes;
}

// Header, tables and payload as far as a look at the file tells.
std::vector<Region> regionsOf(const Bytes& b) {
  std::vector<Region> regions;
  for (const Box& box : boxesOf(b)) {
    if (box.type == "moov" || box.type == "moof") regions.push_back({"index", box.begin, box.end});
    if (box.type == "mdat") regions.push_back({"payload", box.payload, box.end});
    if (regions.size() >= 4) break;
  }
  if (regions.empty()) {
    regions.push_back({"payload", std::min<size_t>(b.size() / 4, 8192), b.size()});
    regions.push_back({"index", b.size() - std::min<size_t>(b.size() / 8, 4096), b.size()});
  }
  regions.push_back({"header", 0, std::min<size_t>(b.size(), 512)});
  return regions;
}

void addCuts(const Bytes& clip, std::vector<Mutation>& out) {
  const size_t n = clip.size();
  for (int i = 0; i < kCuts; ++i) {
    // A third in the first kilobytes (headers), a third spread evenly, a third in the tail.
    size_t at = 0;
    if (i < 17) {
      at = std::min<size_t>(n - 1, static_cast<size_t>(i * i) * 16 + static_cast<size_t>(i));
    } else if (i < 34) {
      at = n * static_cast<size_t>(i - 16) / 18 + static_cast<size_t>(i % 3);
    } else {
      at = n - std::min<size_t>(n, static_cast<size_t>((50 - i) * (50 - i)) * 24 + 1);
    }
    out.push_back({"cut@" + std::to_string(at), [&clip, at] {
                     return Bytes(clip.begin(), clip.begin() + static_cast<std::ptrdiff_t>(at));
                   }});
  }
}

void addFlips(const Bytes& clip, std::vector<Mutation>& out) {
  for (const Region& region : regionsOf(clip)) {
    if (region.end <= region.begin) continue;
    for (const int bits : {1, 10, 1000}) {
      for (int variant = 0; variant < 4; ++variant) {
        out.push_back({"flip-" + std::string(region.name) + "@" + std::to_string(region.begin) +
                           "-" + std::to_string(bits) + "-" + std::to_string(variant),
                       [&clip, region, bits, variant] {
                         Bytes b = clip;
                         for (int i = 0; i < bits; ++i) {
                           const uint64_t r = mix(static_cast<uint64_t>(i * 16 + variant) * 7919 +
                                                  static_cast<uint64_t>(bits));
                           b[region.begin + r % (region.end - region.begin)] ^=
                               static_cast<uint8_t>(1u << (r >> 61));
                         }
                         return b;
                       }});
      }
    }
  }
}

constexpr std::array<uint32_t, 6> kLies = {0, 1, 0x7fffffff, 0xffffffff, 1'000'000'000, 0x80000000};

void addLie(const Bytes& clip, const std::string& where, size_t at, bool bigEndian,
            std::vector<Mutation>& out) {
  for (const uint32_t lie : kLies) {
    out.push_back({"lie-" + where + "@" + std::to_string(at) + "=" + std::to_string(lie),
                   [&clip, at, lie, bigEndian] {
                     Bytes b = clip;
                     bigEndian ? writeBe32(b, at, lie) : writeLe32(b, at, lie);
                     return b;
                   }});
  }
}

void addMp4Lies(const Bytes& clip, std::vector<Mutation>& out) {
  constexpr std::array<std::string_view, 16> kTables = {
      "stsz", "stts", "ctts", "stss", "stco", "co64", "stsc", "mdhd",
      "mvhd", "tkhd", "elst", "trun", "tfhd", "tfdt", "trex", "avcC"};
  int moofs = 0;
  for (const Box& box : boxesOf(clip)) {
    if (box.type == "moof" && ++moofs > 1) break;
    const bool table = std::find(kTables.begin(), kTables.end(), box.type) != kTables.end();
    const bool sample = box.type == "avc1" || box.type == "hvc1" || box.type == "mp4v" ||
                        box.type == "av01" || box.type == "vp09" || box.type == "apcn";
    if (table || sample) {
      addLie(clip, box.type + ".size", box.begin, true, out);
      // Sample entries: width and height are the two 16-bit values at 24.
      const size_t from = sample ? box.payload + 24 : box.payload;
      const size_t to = std::min(box.end, from + (sample ? 4 : 32));
      for (size_t at = from; at + 4 <= to; at += 4) addLie(clip, box.type, at, true, out);
    }
    if (box.type == "mdat") addLie(clip, "mdat.size", box.begin, true, out);
  }
}

void addTagLies(const Bytes& clip, std::vector<Mutation>& out) {
  struct Tag {
    const char* name;
    std::string_view bytes;
    size_t offset;
    bool bigEndian;
  };
  using namespace std::string_view_literals;
  const std::array<Tag, 10> kTags = {{{"mkv.PixelWidth", "\xb0\x82"sv, 2, true},
                                      {"mkv.PixelHeight", "\xba\x82"sv, 2, true},
                                      {"mkv.TimestampScale", "\x2a\xd7\xb1"sv, 4, true},
                                      {"mkv.Duration", "\x44\x89"sv, 3, true},
                                      {"mkv.Cluster", "\x1f\x43\xb6\x75"sv, 4, true},
                                      {"mkv.SimpleBlock", "\xa3"sv, 1, true},
                                      {"avi.avih", "avih"sv, 8, false},
                                      {"avi.strh", "strh"sv, 28, false},
                                      {"avi.strf", "strf"sv, 12, false},
                                      {"avi.idx1", "idx1"sv, 4, false}}};
  const std::string_view all(reinterpret_cast<const char*>(clip.data()), clip.size());
  const bool mkv = all.substr(0, 4) == "\x1a\x45\xdf\xa3"sv, avi = all.substr(0, 4) == "RIFF";
  for (const Tag& tag : kTags) {
    if (!(tag.bigEndian ? mkv : avi)) continue;
    const size_t found = all.find(tag.bytes);
    if (found == std::string_view::npos) continue;
    for (size_t word = 0; word < (tag.bigEndian ? 1u : 10u); ++word) {
      addLie(clip, tag.name, found + tag.offset + 4 * word, tag.bigEndian, out);
    }
  }
}

// A kilobyte of tables that promises 10^9 pictures.
void addBillion(const Bytes& clip, std::vector<Mutation>& out) {
  const std::vector<Box> boxes = boxesOf(clip);
  if (boxes.empty()) return;
  for (const uint32_t sampleSize : {0u, 1u}) {
    for (const uint32_t count :
         {2'000'000u, 80'000'000u, 100'000'000u, 1'000'000'000u, 4'000'000'000u}) {
      out.push_back({"billion-" + std::to_string(sampleSize) + "-" + std::to_string(count),
                     [&clip, boxes, sampleSize, count] {
                       Bytes b = clip;
                       for (const Box& box : boxes) {
                         const size_t p = box.payload;
                         if (box.end < p + 16) continue;
                         if (box.type == "stsz") {
                           writeBe32(b, p + 4, sampleSize);
                           writeBe32(b, p + 8, count);
                         } else if (box.type == "stts") {
                           writeBe32(b, p + 4, 1);
                           writeBe32(b, p + 8, count);
                         } else if (box.type == "stsc") {
                           writeBe32(b, p + 4, 1);
                           writeBe32(b, p + 12, count);
                         } else if (box.type == "trun") {
                           writeBe32(b, p, 0);  // no value per picture: the count costs nothing
                           writeBe32(b, p + 4, count);
                         }
                       }
                       return b;
                     }});
    }
  }
}

}  // namespace

uint64_t mix(uint64_t seed) {  // splitmix64
  seed += 0x9e3779b97f4a7c15ull;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ull;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebull;
  return seed ^ (seed >> 31);
}

std::vector<Mutation> byteMutations(const Bytes& clip) {
  std::vector<Mutation> out;
  addCuts(clip, out);
  addFlips(clip, out);
  addMp4Lies(clip, out);
  addTagLies(clip, out);
  addBillion(clip, out);
  // Headers of any other kind: every second word of the first hundred bytes.
  for (size_t at = 0; at + 4 < std::min<size_t>(clip.size(), 100); at += 8) {
    addLie(clip, "head", at, true, out);
  }
  return out;
}

std::vector<Mutation> strangers() {
  const auto text = [](std::string s, size_t repeat = 1) {
    std::string all;
    for (size_t i = 0; i < repeat; ++i) all += s;
    return Bytes(all.begin(), all.end());
  };
  using namespace std::string_literals;
  std::vector<Mutation> out;
  out.push_back({"one-byte", [] { return Bytes(1, 0); }});
  out.push_back({"zeros", [] { return Bytes(100'000, 0); }});
  out.push_back({"ones", [] { return Bytes(100'000, 0xff); }});
  out.push_back({"noise", [] {
                   Bytes b(100'000);
                   for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<uint8_t>(mix(i));
                   return b;
                 }});
  out.push_back({"text", [text] { return text("This is not a video.\n", 2000); }});
  out.push_back({"json", [text] { return text("{\"frames\": [1, 2, 3]}\n", 500); }});
  out.push_back(
      {"html", [text] { return text("<!DOCTYPE html><html><body>video</body></html>", 99); }});
  // Magic numbers of other kinds of file, followed by noise.
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"zip", "PK\x03\x04\x14\0\0\0\x08\0"s},
      {"gzip", "\x1f\x8b\x08\0\0\0\0\0"s},
      {"tar-like", "video.mp4\0\0\0\0\0\0\0"s},
      {"pdf", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"s},
      {"elf",
       "\x7f"
       "ELF\x02\x01\x01\0"s},
      {"png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s},
      {"jpeg", "\xff\xd8\xff\xe0\0\x10JFIF\0"s},
      {"riff-wav", "RIFF\xff\xff\0\0WAVEfmt "s},
      {"mp3", "ID3\x04\0\0\0\0\0\x10\xff\xfb"s},
      {"ogg", "OggS\0\x02\0\0\0\0\0\0\0\0"s},
      {"ftyp-only",
       "\0\0\0\x18"
       "ftypmp42\0\0\0\0mp42isom"s},
      {"ebml-only", "\x1a\x45\xdf\xa3\x9f"s},
      {"flv-only", "FLV\x01\x05\0\0\0\x09\0\0\0\0"s}};
  for (const auto& [name, magic] : kinds) {
    out.push_back({name, [text, magic = magic] {
                     Bytes b = text(magic);
                     for (uint64_t i = 0; i < 20'000; ++i)
                       b.push_back(static_cast<uint8_t>(mix(i)));
                     return b;
                   }});
  }
  return out;
}

}  // namespace hostile
