#include "media/container/mp4_tables.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace cps {
namespace {

// Of libavformat's AVIndexEntry; edit lists make it copy the table.
constexpr int64_t kEntryBytes = 24;
constexpr int kMaxDepth = 10;
constexpr size_t kWindow = 512;
constexpr int64_t kTooMany = int64_t{1} << 50;

struct Box {
  std::string_view type;
  int64_t payload = 0, end = 0;
};

uint32_t be32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

// What one track claims.
struct Claims {
  int64_t samples = 0, edits = 0, chunks = 0;
  // Sound of one tick for each sample gets an entry for 160 samples or more, by its chunks.
  bool sound = false, video = false, plain = true;
  std::vector<Box> runs;  // stsc
};

class Mp4Tables {
 public:
  Mp4Tables(ByteSource& source, int64_t maxBytes, const CancelPtr& cancel)
      : source_(source), size_(source.size()), maxBytes_(maxBytes), cancel_(cancel) {}

  void check() {
    Claims rest;  // fragments, and tables outside any track
    walk(0, size_, 0, rest);
    add(rest);
  }

 private:
  // Copies [at, at + n) to `out`; false where the file ends before.
  bool read(int64_t at, uint8_t* out, size_t n) {
    if (at < 0 || at + static_cast<int64_t>(n) > size_) return false;
    if (at < windowAt_ || at + static_cast<int64_t>(n) > windowAt_ + windowSize_) {
      windowAt_ = at;
      windowSize_ = static_cast<int64_t>(source_.readAt(at, window_.data(), window_.size()));
      if (static_cast<int64_t>(n) > windowSize_) return false;
    }
    std::copy_n(window_.data() + (at - windowAt_), n, out);
    return true;
  }

  void checkNowAndThen() {
    if (cancel_ && ++steps_ % 1024 == 0) cancel_->check(Stage::Open);
  }

  void walk(int64_t at, int64_t end, int depth, Claims& claims) {
    while (at + 8 <= end) {
      std::array<uint8_t, 16> head;
      checkNowAndThen();
      if (!read(at, head.data(), 8)) return;
      int64_t bytes = be32(head.data()), header = 8;
      if (bytes == 1) {
        if (!read(at, head.data(), 16)) return;
        const uint64_t large = uint64_t{be32(head.data() + 8)} << 32 | be32(head.data() + 12);
        bytes = large > static_cast<uint64_t>(end - at) ? end - at : static_cast<int64_t>(large);
        header = 16;
      } else if (bytes == 0) {
        bytes = end - at;
      }
      if (bytes < header) return;
      // As FFmpeg does: a box that is larger than what holds it ends there.
      bytes = std::min(bytes, end - at);
      const Box box{{reinterpret_cast<const char*>(head.data()) + 4, 4}, at + header, at + bytes};
      look(box, depth, claims);
      at += bytes;
    }
  }

  // FFmpeg takes these for a moov if one begins inside.
  bool isHiddenMoov(const Box& box) {
    std::array<uint8_t, 8> inside;
    return (box.type == "free" || box.type == "hoov") && box.payload + 8 <= box.end &&
           read(box.payload, inside.data(), 8) &&
           (std::equal(inside.begin() + 4, inside.end(), "mvhd") ||
            std::equal(inside.begin() + 4, inside.end(), "cmov"));
  }

  // Boxes whose contents FFmpeg reads as boxes from a place that depends on the codec: no table has
  // business there.
  void refuseTablesIn(const Box& box) {
    constexpr size_t kChunk = 256 * 1024, kHead = 8;
    std::vector<uint8_t> chunk(
        static_cast<size_t>(std::clamp<int64_t>(box.end - box.payload, 0, kChunk)));
    for (int64_t at = box.payload; at + static_cast<int64_t>(kHead) <= box.end;) {
      if (cancel_) cancel_->check(Stage::Open);
      const auto wanted =
          static_cast<size_t>(std::min(box.end - at, static_cast<int64_t>(chunk.size())));
      const size_t got = source_.readAt(at, chunk.data(), wanted);
      if (got < kHead) return;
      for (size_t i = 0; i + kHead <= got; ++i) {
        refuseTable(box, chunk.data() + i, box.end - at - static_cast<int64_t>(i));
      }
      at += static_cast<int64_t>(got - kHead + 1);
    }
  }

  // `head` is the beginning of a box, if it is one; `room` what is left of `box`.
  void refuseTable(const Box& box, const uint8_t* head, int64_t room) {
    const uint8_t first = head[4];
    if (first != 's' && first != 't' && first != 'c') return;
    const std::string_view type(reinterpret_cast<const char*>(head) + 4, 4);
    if (type != "stsz" && type != "stz2" && type != "trun" && type != "stbl" && type != "cmov") {
      return;
    }
    const int64_t bytes = be32(head);
    if (bytes <= 1 || (bytes >= 8 && bytes <= room)) {
      throw Error(ErrorCode::Corrupt, Stage::Open,
                  where() + " has a sample table inside '" + std::string(box.type) +
                      "', where none belongs. The file is damaged.");
    }
  }

  void look(const Box& box, int depth, Claims& claims) {
    constexpr std::array<std::string_view, 14> kParents = {"moov", "mdia", "minf", "stbl", "moof",
                                                           "traf", "edts", "mvex", "udta", "dinf",
                                                           "tref", "wave", "sinf", "schi"};
    if (box.type == "trak" && depth < kMaxDepth) {
      Claims track;
      walk(box.payload, box.end, depth + 1, track);
      return add(track);
    }
    if (depth < kMaxDepth &&
        (std::find(kParents.begin(), kParents.end(), box.type) != kParents.end() ||
         isHiddenMoov(box))) {
      return walk(box.payload, box.end, depth + 1, claims);
    }
    if (box.type == "stsd" || box.type == "meta") return refuseTablesIn(box);
    std::array<uint8_t, 16> p;
    if (box.payload + 8 > box.end || !read(box.payload, p.data(), 8)) return;
    const int64_t count = be32(p.data() + 4);
    const int64_t room = box.end - box.payload - 8;
    if (box.type == "cmov") {
      throw Error(ErrorCode::Unsupported, Stage::Open,
                  where() +
                      " has a compressed QuickTime header; write the file again, for example "
                      "with ffmpeg -i FILE -c copy NEW.mov.");
    } else if (box.type == "elst") {
      claims.edits += std::min(count, room / 12);
    } else if (box.type == "trun") {
      claims.samples += count;
    } else if (box.type == "stco") {
      claims.chunks += std::min(count, room / 4);
    } else if (box.type == "co64") {
      claims.chunks += std::min(count, room / 8);
    } else if (box.type == "stsc") {
      claims.runs.push_back({{}, box.payload, box.end});
    } else if (box.type == "stts") {
      const bool ticks = count == 1 && read(box.payload, p.data(), 16) && be32(p.data() + 12) == 1;
      claims.plain = claims.plain && ticks;
    } else if (box.type == "hdlr" && read(box.payload, p.data(), 12)) {
      const std::string_view kind(reinterpret_cast<const char*>(p.data()) + 8, 4);
      claims.sound = claims.sound || kind == "soun";
      claims.video = claims.video || kind == "vide";
    } else if ((box.type == "stsz" || box.type == "stz2") && read(box.payload, p.data(), 12)) {
      const int64_t samples = be32(p.data() + 8);
      const bool constant = box.type == "stsz" && count != 0;
      // A size for each sample takes half a byte or more: no more than the box holds.
      claims.samples += constant ? samples : std::min(samples, 2 * std::max<int64_t>(room, 0));
    }
  }

  // Samples that the chunks of sound claim to hold.
  int64_t inChunks(const Claims& claims) {
    int64_t total = 0;
    for (const Box& box : claims.runs) {
      std::array<uint8_t, 12> p;
      if (!read(box.payload, p.data(), 8)) continue;
      const int64_t runs = std::min<int64_t>(be32(p.data() + 4), (box.end - box.payload - 8) / 12);
      int64_t first = 0, samples = 0;
      for (int64_t i = 0; i <= runs; ++i) {
        checkNowAndThen();
        int64_t next = claims.chunks + 1;
        if (i < runs) {
          if (!read(box.payload + 8 + i * 12, p.data(), 12)) break;
          next = be32(p.data());
        }
        // Two factors below 2^32; the sum stays where nothing overflows.
        if (i > 0 && next > first) {
          const double product = static_cast<double>(next - first) * static_cast<double>(samples);
          total += static_cast<int64_t>(std::min(product, 1e15));
        }
        first = next;
        samples = be32(p.data() + 4);
        if (total > kTooMany) return kTooMany;
      }
    }
    return total;
  }

  void add(const Claims& c) {
    int64_t entries = c.samples;
    if (c.sound && !c.video && c.plain && !c.runs.empty()) {
      entries = inChunks(c) / 160 + c.chunks;
    } else if (c.samples > size_) {
      throw Error(ErrorCode::Corrupt, Stage::Open,
                  "The tables of " + where() + " claim " + std::to_string(c.samples) +
                      " samples, more than the file has bytes. The file is damaged.");
    }
    // FFmpeg copies the table once for each edit at most.
    entries_ += static_cast<int64_t>(
        std::min(static_cast<double>(entries) * static_cast<double>(1 + c.edits), 1e15));
    if (entries_ > maxBytes_ / kEntryBytes) {
      throw Error(ErrorCode::OutOfMemory, Stage::Open,
                  "The tables of " + where() + " claim " + std::to_string(entries_) +
                      " entries, which take more than maxMemoryBytes = " +
                      std::to_string(maxBytes_) + "; raise maxMemoryBytes or cut the video.");
    }
  }

  std::string where() const { return "'" + source_.describe() + "'"; }

  ByteSource& source_;
  const int64_t size_, maxBytes_;
  const CancelPtr& cancel_;
  int64_t steps_ = 0;
  int64_t entries_ = 0;
  std::array<uint8_t, kWindow> window_;
  int64_t windowAt_ = 0, windowSize_ = 0;
};

}  // namespace

void checkMp4Tables(ByteSource& source, int64_t maxBytes, const CancelPtr& cancel) {
  Mp4Tables(source, maxBytes, cancel).check();
}

}  // namespace cps
