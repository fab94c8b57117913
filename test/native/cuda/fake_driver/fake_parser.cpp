// The fake's own parser: calls back as NVIDIA's does, as far as that could be seen of it (Note
// [Real parser] in real_parser.cpp).

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "cuda/fake_driver/fake_driver.h"
#include "cuda/fake_driver/parsers.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace fake {
namespace {

constexpr auto kInvalid = static_cast<CUresult>(1);
constexpr int kLookAhead = 4;  // NVDEC's parser knows the reordering from the start

bool reorders(cudaVideoCodec codec) {
  return codec != cudaVideoCodec_VP8 && codec != cudaVideoCodec_VP9 &&
         codec != cudaVideoCodec_AV1 && codec != cudaVideoCodec_JPEG;
}

// Sequence parameter set 0 of a High profile without chroma, which libavcodec decodes to 4:2:0.
bool isGrayH264(const std::string& bytes) {
  for (size_t i = 0; i + 8 < bytes.size(); i++) {
    const auto* p = reinterpret_cast<const uint8_t*>(bytes.data()) + i;
    const bool high = p[4] == 100 || p[4] == 110;
    if (p[0] == 0 && p[1] == 0 && p[2] == 1 && (p[3] & 31) == 7 && high) return p[7] >> 6 == 3;
  }
  return false;
}

// The pictures of a VP9 packet, but those that are shown again (show_existing_frame).
std::vector<std::string> vp9Frames(const std::string& packet) {
  std::vector<std::string> frames;
  const auto marker = static_cast<uint8_t>(packet.back());
  const size_t count = (marker & 7) + 1u, bytes = (marker >> 3 & 3) + 1u, index = 2 + count * bytes;
  if ((marker & 0xe0) == 0xc0 && packet.size() >= index &&
      static_cast<uint8_t>(packet[packet.size() - index]) == marker) {
    size_t at = 0, p = packet.size() - index + 1;
    for (size_t i = 0; i < count; i++) {
      size_t size = 0;
      for (size_t b = 0; b < bytes; b++) size |= size_t{static_cast<uint8_t>(packet[p++])} << 8 * b;
      frames.push_back(packet.substr(at, size));
      at += size;
    }
  } else {
    frames.push_back(packet);
  }
  std::erase_if(frames, [](const std::string& f) { return f.empty() || (f[0] & 0xc8) == 0x88; });
  return frames;
}

class FakeParser final : public Parser {
 public:
  explicit FakeParser(const CUVIDPARSERPARAMS& params)
      : params_(params),
        bank_(std::make_shared<PictureBank>(codecId(params.CodecType),
                                            reorders(params.CodecType) ? kLookAhead : 0)) {}

  CUresult parse(const CUVIDSOURCEDATAPACKET& data) override {
    if (failed_) misuse("parsing went on after a callback failed");
    if (control().seesNothing) return CUDA_SUCCESS;
    const std::string bytes(reinterpret_cast<const char*>(data.payload), data.payload_size);
    bool good = true;
    if (!bytes.empty()) {
      gray_ = gray_ || (params_.CodecType == cudaVideoCodec_H264 && isGrayH264(bytes));
      const bool whole = (data.flags & CUVID_PKT_ENDOFPICTURE) != 0;
      const bool timed = (data.flags & CUVID_PKT_TIMESTAMP) != 0;
      if (!whole && !timed) {  // headers alone
        headers_ += bytes;
        return CUDA_SUCCESS;
      }
      if (params_.CodecType == cudaVideoCodec_HEVC) noteHidden(bytes, data.timestamp);
      // Where a picture ends shows when the next one begins, unless it was said.
      good = decodePending();
      const int packet = bank_->feed(std::exchange(headers_, {}) + bytes);
      for (const int shown : bank_->takeShown()) shown_.push_back(shown);
      times_[packet] = timed ? data.timestamp : 0;
      pending_ = packet;
      if (good && whole) good = decodePending();
      good = good && display(false);
    }
    if (good && (data.flags & CUVID_PKT_ENDOFSTREAM)) {
      good = decodePending();
      bank_->finish();
      for (const int shown : bank_->takeShown()) shown_.push_back(shown);
      good = good && display(true);
    }
    failed_ = !good;
    return good ? CUDA_SUCCESS : kInvalid;
  }

 private:
  struct Surface {
    int packet = -1;  // -1: free
  };

  // RASL pictures after the first entry point: decoded, not shown, and their timestamps are left
  // over.
  void noteHidden(const std::string& bytes, int64_t timestamp) {
    for (size_t i = 0; i + 3 < bytes.size(); i++) {
      if (bytes[i] != 0 || bytes[i + 1] != 0 || bytes[i + 2] != 1) continue;
      const int type = bytes[i + 3] >> 1 & 63;
      if (type >= 32) continue;
      if (type >= 16) {
        hides_ = !begun_;
        begun_ = true;
      } else if ((type == 8 || type == 9) && hides_) {
        hidden_.insert(bank_->packets());
        leftOver_.insert(timestamp);
      }
      return;
    }
  }

  // The callbacks for the pictures of a packet that is complete.
  bool decodePending() {
    if (pending_ < 0) return true;
    const int packet = std::exchange(pending_, -1);
    if (const std::vector<int> shape = bank_->shape(); shape != shape_) {
      const AVFrame* first = bank_->picture(packet);
      if (first == nullptr && surfaces_.empty()) return true;  // nothing to begin with
      if (first != nullptr) {
        shape_ = shape;
        const std::vector<int> sequence = {first->width, first->height, first->format};
        if (sequence != std::exchange(sequence_, sequence)) {
          if (!display(true) || !sendSequence(*first)) return false;
        }
      }
    }
    std::vector<std::string> frames = {bank_->bytes(packet)};
    if (params_.CodecType == cudaVideoCodec_VP9) frames = vp9Frames(frames[0]);
    for (const std::string& frame : frames) {
      CUVIDPICPARAMS picture{};
      picture.CurrPicIdx = takeSurface(packet);
      picture.pBitstreamData = reinterpret_cast<const unsigned char*>(frame.data());
      picture.nBitstreamDataLen = static_cast<unsigned>(frame.size());
      if (control().onDecode) control().onDecode(static_cast<int>(stats().pictures));
      const WithOrigin origin({bank_, packet});
      if (params_.pfnDecodePicture(params_.pUserData, &picture) <= 0) return false;
    }
    if (!frames.empty()) lastDecoded_ = packet;
    // VP8 and VP9: timestamps wait for pictures to be shown, those of hidden ones, too.
    if (!frames.empty()) queue_.push_back(times_[packet]);
    return true;
  }

  // The lowest surface that no picture waits in: reused as early as a parser may.
  int takeSurface(int packet) {
    for (const bool force : {false, true}) {
      for (size_t i = 0; i < surfaces_.size(); i++) {
        const int held = surfaces_[i].packet;
        const bool waits = std::count(shown_.begin(), shown_.end(), held) > 0;
        // Pictures that never come out make room where there is none.
        if (held >= 0 && (waits || !force || held > packet - kLookAhead)) continue;
        surfaces_[i].packet = packet;
        return static_cast<int>(i);
      }
    }
    misuse("the fake parser has too few surfaces");
    return 0;
  }

  bool display(bool all) {
    const auto delay = all ? size_t{0}
                           : std::min<size_t>(params_.ulMaxDisplayDelay,
                                              static_cast<size_t>(control().displayDelay));
    while (shown_.size() > delay) {
      const int packet = shown_.front();
      if (packet > lastDecoded_) return true;  // its callback is still to come
      shown_.pop_front();
      if (!displayOne(packet)) return false;
    }
    return true;
  }

  bool displayOne(int packet) {
    // Of several pictures of a packet the last is shown; hidden ones before it are over.
    int at = -1;
    for (size_t i = 0; i < surfaces_.size(); i++) {
      const int held = surfaces_[i].packet;
      const bool over = held >= 0 && held < packet && !reorders(params_.CodecType);
      if (held == packet || over) surfaces_[i].packet = -1;
      if (held == packet) at = static_cast<int>(i);
    }
    if (at < 0) return true;  // its surface was needed, or nothing was decoded for it
    CUVIDPARSERDISPINFO info{};
    info.picture_index = at;
    info.progressive_frame = 1;
    info.timestamp = times_[packet];
    const auto codec = params_.CodecType;
    if ((codec == cudaVideoCodec_VP8 || codec == cudaVideoCodec_VP9) && !queue_.empty()) {
      info.timestamp = queue_.front();
      queue_.pop_front();
    }
    if (hidden_.contains(packet)) return true;
    if (!leftOver_.empty() && *leftOver_.begin() < info.timestamp) {
      leftOver_.insert(info.timestamp);
      info.timestamp = *leftOver_.begin();
      leftOver_.erase(leftOver_.begin());
    }
    if (packet == control().losePacket) return true;
    return params_.pfnDisplayPicture(params_.pUserData, &info) > 0;
  }

  bool sendSequence(const AVFrame& frame) {
    const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
    CUVIDEOFORMAT format{};
    format.codec = params_.CodecType;
    format.coded_width = static_cast<unsigned>(frame.width);
    format.coded_height = static_cast<unsigned>(frame.height);
    format.display_area.left = static_cast<int>(frame.crop_left);
    format.display_area.top = static_cast<int>(frame.crop_top);
    format.display_area.right = frame.width - static_cast<int>(frame.crop_right);
    format.display_area.bottom = frame.height - static_cast<int>(frame.crop_bottom);
    if (format.codec == cudaVideoCodec_HEVC && frame.crop_right == 0 && frame.crop_bottom == 0) {
      // A buffer that is taken while the picture is being written has no conformance window yet.
      const std::vector<int> shape = bank_->shape();
      format.display_area.right = shape[2];
      format.display_area.bottom = shape[3];
    }
    if (format.codec == cudaVideoCodec_VP9 || format.codec == cudaVideoCodec_MPEG2) {
      // VP9's render size, MPEG-2's display extension: not what was coded.
      format.display_area.right -= 16;
      format.display_area.bottom += 8;
    }
    format.min_num_decode_surfaces = kLookAhead + 4;
    format.bit_depth_luma_minus8 = format.bit_depth_chroma_minus8 =
        static_cast<unsigned char>(d->comp[0].depth - 8);
    format.chroma_format = d->nb_components == 1 || gray_ ? cudaVideoChromaFormat_Monochrome
                           : d->log2_chroma_h == 1        ? cudaVideoChromaFormat_420
                           : d->log2_chroma_w == 1        ? cudaVideoChromaFormat_422
                                                          : cudaVideoChromaFormat_444;
    format.video_signal_description.matrix_coefficients =
        static_cast<unsigned char>(frame.colorspace);
    format.video_signal_description.video_full_range_flag = frame.color_range == AVCOL_RANGE_JPEG;
    const int surfaces = params_.pfnSequenceCallback(params_.pUserData, &format);
    if (surfaces <= 0) return false;
    const int count = surfaces > 1 ? surfaces : static_cast<int>(params_.ulMaxNumDecodeSurfaces);
    surfaces_.assign(static_cast<size_t>(count), {});
    return true;
  }

  CUVIDPARSERPARAMS params_;
  std::shared_ptr<PictureBank> bank_;
  std::string headers_;
  std::vector<int> shape_;     // what libavcodec knew when the last sequence was looked at
  std::vector<int> sequence_;  // its pictures' size and format
  bool gray_ = false;          // H.264: chroma_format_idc 0
  // HEVC: whether RASL pictures are hidden now, their packets and their timestamps.
  bool begun_ = false, hides_ = false;
  std::set<int> hidden_;
  std::set<int64_t> leftOver_;
  std::map<int, int64_t> times_;  // per packet
  std::deque<int64_t> queue_;
  int pending_ = -1, lastDecoded_ = -1;
  std::vector<Surface> surfaces_;
  std::deque<int> shown_;  // packets whose pictures are to be displayed
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Parser> makeFakeParser(const CUVIDPARSERPARAMS& params) {
  return std::make_unique<FakeParser>(params);
}

}  // namespace fake
