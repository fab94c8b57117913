#include "media/index/index_codec.h"

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "ffmpeg/util.h"
#include "media/index/index_times.h"

extern "C" {
#include <libavutil/crc.h>
#include <libavutil/pixdesc.h>
}

namespace cps {
namespace {

// A value that the format does not hold: in bytes that are read, or in an index to be written.
class Malformed : public std::exception {};

void require(bool holds) {
  if (!holds) throw Malformed();
}

// Integers are zigzag varints of seven bits a byte: differences of neighbours mostly take one.
class Writer {
 public:
  static constexpr bool kReads = false;

  void integer(const int64_t& value) {
    uint64_t rest = static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
    for (; rest >= 0x80; rest >>= 7) bytes.push_back(static_cast<uint8_t>(rest | 0x80));
    bytes.push_back(static_cast<uint8_t>(rest));
  }
  void raw(uint8_t* data, size_t n) { bytes.insert(bytes.end(), data, data + n); }

  std::vector<uint8_t> bytes;
};

class Reader {
 public:
  static constexpr bool kReads = true;

  Reader(std::span<const uint8_t> bytes, int64_t maxBytes, const CancelToken* cancel)
      : rest_(bytes), maxBytes_(maxBytes), cancel_(cancel) {}

  void integer(int64_t& value) {
    if (cancel_ && ++steps_ % 65536 == 0) cancel_->check(Stage::Index);
    uint64_t raw = 0;
    for (int shift = 0;; shift += 7) {
      require(!rest_.empty() && shift < 64);
      const uint8_t byte = rest_.front();
      rest_ = rest_.subspan(1);
      raw |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    value = static_cast<int64_t>(raw >> 1 ^ (0 - (raw & 1)));
  }
  void raw(uint8_t* data, size_t n) {
    require(n <= rest_.size());
    if (n > 0) std::memcpy(data, rest_.data(), n);
    rest_ = rest_.subspan(n);
  }
  size_t left() const { return rest_.size(); }
  int64_t maxBytes() const { return maxBytes_; }

 private:
  std::span<const uint8_t> rest_;
  int64_t maxBytes_;
  const CancelToken* cancel_;
  uint64_t steps_ = 0;
};

// One description of the format for both directions: each function below visits the same fields in
// the same order, whether they are written or read.
template <typename T>
requires std::integral<T> || std::is_enum_v<T>
void field(auto& io, T& value, int64_t least = std::numeric_limits<int64_t>::min(),
           int64_t most = std::numeric_limits<int64_t>::max()) {
  int64_t wide = 0;
  if constexpr (std::is_enum_v<T>) {
    wide = enumNumber(value);
  } else {
    wide = static_cast<int64_t>(value);
  }
  io.integer(wide);
  require(wide >= least && wide <= most);
  if constexpr (std::integral<T>) require(std::in_range<T>(wide));
  value = static_cast<T>(wide);
}

void flag(auto& io, bool& value) {
  int64_t wide = value;
  io.integer(wide);
  require(wide == 0 || wide == 1);
  value = wide != 0;
}

void real(auto& io, double& value) {
  auto bits = std::bit_cast<std::array<uint8_t, 8>>(value);
  io.raw(bits.data(), bits.size());
  value = std::bit_cast<double>(bits);
}

size_t count(auto& io, size_t size) {
  int64_t wide = static_cast<int64_t>(size);
  io.integer(wide);
  // Everything that is counted takes a byte at least, so no count can ask for more than there is.
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    require(wide >= 0 && static_cast<uint64_t>(wide) <= io.left());
  }
  return static_cast<size_t>(wide);
}

void text(auto& io, std::string& value) {
  value.resize(count(io, value.size()));
  io.raw(reinterpret_cast<uint8_t*>(value.data()), value.size());
}

constexpr int kInt = std::numeric_limits<int>::max();

void rational(auto& io, AVRational& value) {
  field(io, value.num, -kInt, kInt);
  field(io, value.den, -kInt, kInt);
}

// What a decoder is opened with. Side data (HDR metadata and the like) changes no picture.
void parameters(auto& io, AVCodecParameters& p) {
  field(io, p.codec_type, AVMEDIA_TYPE_VIDEO, AVMEDIA_TYPE_VIDEO);
  field(io, p.codec_id, 0, kInt);
  field(io, p.codec_tag);
  const size_t extra = count(io, static_cast<size_t>(p.extradata_size));
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    p.extradata = static_cast<uint8_t*>(av_mallocz(extra + AV_INPUT_BUFFER_PADDING_SIZE));
    checkAlloc(p.extradata, Stage::Index);
    p.extradata_size = static_cast<int>(extra);
  }
  io.raw(p.extradata, extra);
  field(io, p.format, -1, kInt);
  require(p.format == -1 || av_pix_fmt_desc_get(static_cast<AVPixelFormat>(p.format)) != nullptr);
  field(io, p.bit_rate, 0);
  field(io, p.bits_per_coded_sample, 0, kInt);
  field(io, p.bits_per_raw_sample, 0, kInt);
  field(io, p.profile, -kInt, kInt);
  field(io, p.level, -kInt, kInt);
  field(io, p.width, 0, kInt);
  field(io, p.height, 0, kInt);
  rational(io, p.sample_aspect_ratio);
  field(io, p.field_order, 0, AV_FIELD_BT);
  field(io, p.color_range, 0, AVCOL_RANGE_NB - 1);
  field(io, p.color_primaries, 0, AVCOL_PRI_NB - 1);
  field(io, p.color_trc, 0, AVCOL_TRC_NB - 1);
  field(io, p.color_space, 0, AVCOL_SPC_NB - 1);
  field(io, p.chroma_location, 0, AVCHROMA_LOC_NB - 1);
  field(io, p.video_delay, 0, 64);
}

void packetTable(auto& io, std::vector<PacketEntry>& packets) {
  const size_t size = count(io, packets.size());
  if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
    require(FrameIndex::countedBytes(size) <= io.maxBytes());
  }
  packets.resize(size);
  require(packets.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  // By column, each value as its difference from a guess; wrapping around is exact both ways.
  const auto column = [&](auto value, auto guess) {
    for (size_t i = 0; i < packets.size(); ++i) {
      auto& v = value(packets[i]);
      const uint64_t expected = static_cast<uint64_t>(guess(i));
      auto difference = static_cast<int64_t>(static_cast<uint64_t>(v) - expected);
      io.integer(difference);
      const auto wide = static_cast<int64_t>(static_cast<uint64_t>(difference) + expected);
      using T = std::remove_reference_t<decltype(v)>;
      require(std::in_range<T>(wide));
      v = static_cast<T>(wide);
    }
  };
  const auto last = [&](auto member) {
    return [&packets, member](size_t i) {
      return i > 0 ? static_cast<int64_t>(packets[i - 1].*member) : 0;
    };
  };
  column([](PacketEntry& e) -> int64_t& { return e.dts; },
         [&](size_t i) {
           const auto dts = [&](size_t at) { return static_cast<uint64_t>(packets[at].dts); };
           return i > 1 ? 2 * dts(i - 1) - dts(i - 2) : i > 0 ? dts(0) : 0;
         });
  column([](PacketEntry& e) -> int64_t& { return e.pts; },
         [&](size_t i) { return packets[i].dts; });
  column([](PacketEntry& e) -> int64_t& { return e.order; },
         [&](size_t i) { return packets[i].pts; });
  column([](PacketEntry& e) -> int64_t& { return e.duration; }, last(&PacketEntry::duration));
  column([](PacketEntry& e) -> int32_t& { return e.size; }, last(&PacketEntry::size));
  column([](PacketEntry& e) -> int64_t& { return e.pos; },
         [&](size_t i) {
           return i > 0 ? static_cast<uint64_t>(packets[i - 1].pos) +
                              static_cast<uint64_t>(packets[i - 1].size)
                        : 0;
         });
  column([](PacketEntry& e) -> int32_t& { return e.displayIndex; },
         last(&PacketEntry::displayIndex));
  for (PacketEntry& entry : packets) {
    uint8_t bits = static_cast<uint8_t>(entry.key | entry.discard << 1);
    io.raw(&bits, 1);
    require(bits < 4);
    entry.key = (bits & 1) != 0;
    entry.discard = (bits & 2) != 0;
  }
}

void sideDataTable(auto& io, FrameIndex& index) {
  index.inForce.resize(count(io, index.inForce.size()));
  const auto packets = static_cast<int64_t>(index.packets.size());
  int32_t last = 0;
  for (SideData& data : index.inForce) {
    field(io, data.from, last, packets - 1);
    last = data.from;
    field(io, data.type, 0, kInt);
    require(staysInForce(data.type));
    data.bytes.resize(count(io, data.bytes.size()));
    io.raw(data.bytes.data(), data.bytes.size());
  }
}

// Where it is not (IndexTrust::Sequential), it is stored.
void displayTable(auto& io, FrameIndex& index) {
  index.display.resize(count(io, index.display.size()));
  require(!index.display.empty());
  const auto packets = static_cast<int64_t>(index.packets.size());
  for (int32_t& ordinal : index.display) field(io, ordinal, 0, packets - 1);
}

// Most files' seconds are their timestamps in the time base; then one byte says so.
void seconds(auto& io, FrameIndex& index) {
  const double tick = av_q2d(index.timeBase);
  const auto computed = [&](size_t d) {
    return static_cast<double>(index.packets[static_cast<size_t>(index.display[d])].order) * tick;
  };
  index.timestampsSec.resize(index.display.size());
  bool plain = true;
  for (size_t d = 0; d < index.display.size() && plain; ++d) {
    plain = index.timestampsSec[d] == computed(d);
  }
  flag(io, plain);
  for (size_t d = 0; d < index.display.size(); ++d) {
    if (plain) {
      index.timestampsSec[d] = computed(d);
    } else {
      real(io, index.timestampsSec[d]);
      require(std::isfinite(index.timestampsSec[d]));
    }
  }
}

void collectKeys(FrameIndex& index) {
  for (size_t i = 0; i < index.packets.size(); ++i) {
    if (index.packets[i].key) index.keys.push_back(static_cast<int32_t>(i));
  }
}

// Where a packet is a picture, `display` follows from the packets.
void deriveDisplay(FrameIndex& index) {
  size_t shown = 0;
  for (const PacketEntry& entry : index.packets) shown += entry.displayIndex >= 0;
  require(shown > 0);
  index.display.assign(shown, -1);
  for (size_t i = 0; i < index.packets.size(); ++i) {
    const int32_t d = index.packets[i].displayIndex;
    if (d < 0) continue;
    require(static_cast<size_t>(d) < shown && index.display[static_cast<size_t>(d)] < 0);
    index.display[static_cast<size_t>(d)] = static_cast<int32_t>(i);
  }
}

void notes(auto& io, Notes& notes) {
  std::vector<Note> all = notes.list();
  const size_t size = count(io, all.size());
  for (size_t i = 0; i < size; ++i) {
    std::string code, message;
    std::vector<int64_t> frames;
    if constexpr (!std::remove_reference_t<decltype(io)>::kReads) {
      code = all[i].code.text();
      message = all[i].message;
      frames = all[i].frames;
    }
    text(io, code);
    text(io, message);
    frames.resize(count(io, frames.size()));
    for (int64_t& frame : frames) field(io, frame, 0);
    if constexpr (std::remove_reference_t<decltype(io)>::kReads) {
      const std::optional<NoteCode> known = NoteCode::named(code);
      require(known.has_value());
      notes.add({*known, message, frames});
    }
  }
}

// What opening the file and its first packet tell.
void head(auto& io, FrameIndex& index) {
  text(io, index.info.codec);
  text(io, index.info.format);
  parameters(io, *index.parameters);
  field(io, index.stream.streamIndex, 0, kInt);
  field(io, index.stream.codec, 0, kInt);
  field(io, index.seekKind, 0, static_cast<int64_t>(SeekKind::Byte));
  flag(io, index.plain);
  rational(io, index.timeBase);
  require(index.timeBase.num > 0 && index.timeBase.den > 0);
  flag(io, index.orientation.swapXY);
  flag(io, index.orientation.flipX);
  flag(io, index.orientation.flipY);
  field(io, index.storedWidth, 1, kInt);
  field(io, index.storedHeight, 1, kInt);
}

// That order and display agree with each other and with the timestamps or the order of decoding,
// which are compared with the packets.
void requireOrder(const FrameIndex& index) {
  if (index.trust == IndexTrust::Sequential) return;
  for (size_t i = 0; i < index.packets.size(); ++i) {
    const PacketEntry& e = index.packets[i];
    require(e.displayIndex < 0 || e.order != kNoOrder);
    if (e.order == kNoOrder) continue;
    if (index.trust == IndexTrust::Counted) {
      require(e.order == e.displayIndex);
    } else {
      require(e.order == e.pts || e.order == static_cast<int64_t>(i) ||
              (e.order == e.dts && e.pts == AV_NOPTS_VALUE));
    }
  }
  for (size_t d = 1; d < index.display.size(); ++d) {
    const auto orderOf = [&](size_t at) {
      return index.packets[static_cast<size_t>(index.display[at])].order;
    };
    require(orderOf(d - 1) < orderOf(d));
  }
}

void contents(auto& io, FrameIndex& index) {
  constexpr bool kReads = std::remove_reference_t<decltype(io)>::kReads;
  VideoInfo& info = index.info;
  head(io, index);
  real(io, info.fps);
  real(io, info.durationSec);
  require(info.fps >= 0 && info.fps < 1e9 && std::isfinite(info.durationSec));
  field(io, index.trust, 0, static_cast<int64_t>(IndexTrust::Sequential));
  field(io, index.reorderDepth, 0, 16);
  field(io, index.x264Build, -1, kInt);
  packetTable(io, index.packets);
  sideDataTable(io, index);
  bool seekable = index.seeks().seekable();
  flag(io, seekable);
  if (index.trust == IndexTrust::Sequential) displayTable(io, index);
  if constexpr (kReads) {
    if (!seekable) index.seeks().setSeekBroken();
    collectKeys(index);
    if (index.trust != IndexTrust::Sequential) deriveDisplay(index);
    requireOrder(index);
    info.totalFrames = static_cast<int64_t>(index.display.size());
    index.setShownSize();
    index.bitstream = bitstreamFormat(*index.parameters);
    index.stored = true;
  }
  seconds(io, index);
  notes(io, index.notes);
}

void header(auto& io, int64_t& version, int64_t& libraries, FileIdentity& video) {
  char magic[8] = {'c', 'p', 's', 'i', 'n', 'd', 'e', 'x'};
  io.raw(reinterpret_cast<uint8_t*>(magic), sizeof(magic));
  require(std::memcmp(magic, "cpsindex", sizeof(magic)) == 0);
  field(io, version);
  field(io, libraries);
  text(io, video.path);
  field(io, video.size);
  field(io, video.mtimeNs);
}

int64_t librariesNow() {
  return static_cast<int64_t>(avformat_version()) << 32 | avcodec_version();
}

uint32_t checksum(std::span<const uint8_t> bytes) {
  return av_crc(av_crc_get_table(AV_CRC_32_IEEE), 0xffffffff, bytes.data(), bytes.size());
}

}  // namespace

std::vector<uint8_t> encodeIndex(const FrameIndex& index, const FileIdentity& video) {
  Writer io;
  int64_t version = kIndexVersion, libraries = librariesNow();
  FileIdentity written = video;
  try {
    header(io, version, libraries, written);
    // The one description wants something it can change; a Writer leaves every value as it is.
    contents(io, const_cast<FrameIndex&>(index));
  } catch (const Malformed&) {
    return {};
  }
  uint32_t sum = checksum(io.bytes);
  io.raw(reinterpret_cast<uint8_t*>(&sum), sizeof(sum));
  return std::move(io.bytes);
}

bool sameHead(const FrameIndex& a, const FrameIndex& b) {
  Writer first, second;
  try {
    head(first, const_cast<FrameIndex&>(a));
    head(second, const_cast<FrameIndex&>(b));
  } catch (const Malformed&) {
    return false;
  }
  return first.bytes == second.bytes;
}

FrameIndexPtr decodeIndex(std::span<const uint8_t> bytes, const FileIdentity& video,
                          int64_t maxBytes, const CancelPtr& cancel) {
  uint32_t sum = 0;
  if (bytes.size() < sizeof(sum)) return nullptr;
  std::memcpy(&sum, bytes.last(sizeof(sum)).data(), sizeof(sum));
  bytes = bytes.first(bytes.size() - sizeof(sum));
  if (checksum(bytes) != sum) return nullptr;
  try {
    Reader io(bytes, maxBytes, cancel.get());
    int64_t version = 0, libraries = 0;
    FileIdentity stored;
    header(io, version, libraries, stored);
    require(version == kIndexVersion && libraries == librariesNow());
    require(stored.path == video.path && stored.size == video.size &&
            stored.mtimeNs == video.mtimeNs);
    auto index = std::make_shared<FrameIndex>();
    index->parameters.reset(checkAlloc(avcodec_parameters_alloc(), Stage::Index));
    contents(io, *index);
    require(io.left() == 0);
    findRestarts(*index);
    index->seal();
    return index;
  } catch (const Malformed&) {
    return nullptr;
  }
}

}  // namespace cps
