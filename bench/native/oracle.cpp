// What a codec spends on each patch of sampled frames, for bench/selection: its own motion vectors
// and the luma residual against the picture that they predict. The video is one that x264 made with
// one reference and no B pictures (bench/selection/oracle.mjs), so the reference of a picture is
// the picture before it.
//
//   cps_oracle VIDEO ROWS COLS ID...   ascending ids -> float32 [2][3][T][ROWS][COLS] on stdout
//
// The three forms: 'frame', 'interval', 'raw'; docs/lab/selection-evidence.md says what they are.
// First as they are, then with what lies above a percentile cut off, as energies have it. A key
// picture has no vectors: it takes the maps of the picture before it.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "ffmpeg/handles.h"

extern "C" {
#include <libavutil/motion_vector.h>
}

namespace cps::bench {
namespace {

constexpr int kCell = 4;  // luma samples a side, as the energies have it
constexpr double kLeastMotion = 0.25, kLeastResidual = 1;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::Corrupt, Stage::Decode, what);
}

struct Luma {
  int width = 0, height = 0;
  std::vector<uint8_t> samples;
  int at(int y, int x) const {
    return samples[static_cast<size_t>(std::clamp(y, 0, height - 1)) * static_cast<size_t>(width) +
                   static_cast<size_t>(std::clamp(x, 0, width - 1))];
  }
  // Bilinear between samples.
  double at(double y, double x) const {
    const int y0 = static_cast<int>(std::floor(y)), x0 = static_cast<int>(std::floor(x));
    const double wy = y - y0, wx = x - x0;
    return (1 - wy) * ((1 - wx) * at(y0, x0) + wx * at(y0, x0 + 1)) +
           wy * ((1 - wx) * at(y0 + 1, x0) + wx * at(y0 + 1, x0 + 1));
  }
};

// Per cell: length of the motion in samples, mean absolute residual in levels.
struct Maps {
  std::vector<double> motion, residual;
  void add(const Maps& other) {
    for (size_t i = 0; i < motion.size(); ++i) motion[i] += other.motion[i];
    for (size_t i = 0; i < residual.size(); ++i) residual[i] += other.residual[i];
  }
};

double percentile95(std::vector<double> values) {
  const auto rank = static_cast<std::ptrdiff_t>(std::llround(0.95 * double(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<size_t>(rank)];
}

class Oracle {
 public:
  Oracle(const char* path, int rows, int cols, std::vector<int64_t> ids)
      : rows_(rows), cols_(cols), ids_(std::move(ids)) {
    AVFormatContext* opened = nullptr;
    if (avformat_open_input(&opened, path, nullptr, nullptr) < 0) fail("cannot open the video");
    format_.reset(opened);
    if (avformat_find_stream_info(opened, nullptr) < 0) fail("no stream info");
    stream_ = av_find_best_stream(opened, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    if (stream_ < 0) fail("no video");
    const AVCodecParameters* parameters = opened->streams[stream_]->codecpar;
    const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
    codec_.reset(avcodec_alloc_context3(codec));
    avcodec_parameters_to_context(codec_.get(), parameters);
    codec_->thread_count = 1;
    AVDictionary* options = nullptr;
    av_dict_set(&options, "flags2", "+export_mvs", 0);
    if (avcodec_open2(codec_.get(), codec, &options) < 0) fail("cannot open the decoder");
    av_dict_free(&options);
  }

  void run() {
    const UniqueAVPacket packet(av_packet_alloc());
    const UniqueAVFrame frame(av_frame_alloc());
    const auto receive = [&] {
      while (avcodec_receive_frame(codec_.get(), frame.get()) == 0) add(*frame);
    };
    while (av_read_frame(format_.get(), packet.get()) == 0) {
      if (packet->stream_index == stream_ && avcodec_send_packet(codec_.get(), packet.get()) < 0) {
        fail("cannot decode");
      }
      av_packet_unref(packet.get());
      receive();
    }
    avcodec_send_packet(codec_.get(), nullptr);
    receive();
    if (next_ != ids_.size()) fail("the video ends before the last frame");
    write();
  }

 private:
  void add(const AVFrame& frame) {
    Luma luma{frame.width, frame.height, {}};
    for (int y = 0; y < frame.height; ++y) {
      const uint8_t* row = frame.data[0] + static_cast<ptrdiff_t>(y) * frame.linesize[0];
      luma.samples.insert(luma.samples.end(), row, row + frame.width);
    }
    if (number_ == 0) {
      cellRows_ = (frame.height + kCell - 1) / kCell;
      cellCols_ = (frame.width + kCell - 1) / kCell;
      last_ = sum_ = empty();
    } else if (frame.pict_type != AV_PICTURE_TYPE_I) {
      last_ = mapsOf(frame, luma);
    }
    if (number_ > 0) sum_.add(last_);
    before_ = std::move(luma);
    if (next_ < ids_.size() && ids_[next_] == number_) {
      own_.push_back(last_);
      interval_.push_back(sum_);
      sum_ = empty();
      ++next_;
    }
    ++number_;
  }

  Maps empty() const {
    const std::vector<double> zero(static_cast<size_t>(cellRows_ * cellCols_), 0.0);
    return {zero, zero};
  }

  Maps mapsOf(const AVFrame& frame, const Luma& luma) const {
    const auto width = static_cast<size_t>(luma.width);
    std::vector<double> dy(luma.samples.size(), 0), dx = dy;
    const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_MOTION_VECTORS);
    const size_t count = data ? data->size / sizeof(AVMotionVector) : 0;
    for (size_t i = 0; i < count; ++i) {
      AVMotionVector v;
      std::copy_n(data->data + i * sizeof v, sizeof v, reinterpret_cast<uint8_t*>(&v));
      if (v.source >= 0) fail("a picture is predicted from a later one");
      for (int y = std::max(0, v.dst_y - v.h / 2); y < std::min(luma.height, v.dst_y + v.h / 2);
           ++y) {
        for (int x = std::max(0, v.dst_x - v.w / 2); x < std::min(luma.width, v.dst_x + v.w / 2);
             ++x) {
          dy[static_cast<size_t>(y) * width + static_cast<size_t>(x)] =
              double(v.motion_y) / v.motion_scale;
          dx[static_cast<size_t>(y) * width + static_cast<size_t>(x)] =
              double(v.motion_x) / v.motion_scale;
        }
      }
    }
    Maps maps = empty();
    std::vector<int> samples(maps.motion.size(), 0);
    for (int y = 0; y < luma.height; ++y) {
      for (int x = 0; x < luma.width; ++x) {
        const size_t i = static_cast<size_t>(y) * width + static_cast<size_t>(x);
        const auto cell = static_cast<size_t>(y / kCell * cellCols_ + x / kCell);
        maps.motion[cell] += std::hypot(dy[i], dx[i]);
        maps.residual[cell] += std::abs(luma.samples[i] - before_.at(y + dy[i], x + dx[i]));
        ++samples[cell];
      }
    }
    for (size_t c = 0; c < samples.size(); ++c) {
      maps.motion[c] /= samples[c];
      maps.residual[c] /= samples[c];
    }
    return maps;
  }

  // Mean over the cells whose middle lies in the patch.
  std::vector<float> patches(const Maps& maps, double motionUnit, double residualUnit,
                             double most) const {
    const auto n = static_cast<size_t>(rows_ * cols_);
    std::vector<double> sums(n, 0);
    std::vector<int> cells(n, 0);
    for (int y = 0; y < cellRows_; ++y) {
      for (int x = 0; x < cellCols_; ++x) {
        const int row = std::min(rows_ - 1, (kCell * y + kCell / 2) * rows_ / before_.height);
        const int col = std::min(cols_ - 1, (kCell * x + kCell / 2) * cols_ / before_.width);
        const auto patch = static_cast<size_t>(row * cols_ + col);
        const auto cell = static_cast<size_t>(y * cellCols_ + x);
        sums[patch] += 0.5 * (std::min(most, maps.motion[cell] / motionUnit) +
                              std::min(most, maps.residual[cell] / residualUnit));
        ++cells[patch];
      }
    }
    std::vector<float> means;
    for (size_t i = 0; i < n; ++i) means.push_back(cells[i] ? float(sums[i] / cells[i]) : 0.0f);
    return means;
  }

  void write() const {
    std::vector<double> motion, residual;
    for (const Maps& maps : interval_) {
      motion.insert(motion.end(), maps.motion.begin(), maps.motion.end());
      residual.insert(residual.end(), maps.residual.begin(), maps.residual.end());
    }
    const double motionUnit = unitOf(kLeastMotion, motion);
    const double residualUnit = unitOf(kLeastResidual, residual);
    for (const double most : {std::numeric_limits<double>::infinity(), 1.0}) {
      for (const auto* frames : {&own_, &interval_}) {
        for (const Maps& maps : *frames) {
          put(patches(maps, unitOf(kLeastMotion, maps.motion),
                      unitOf(kLeastResidual, maps.residual), most));
        }
      }
      for (const Maps& maps : interval_) put(patches(maps, motionUnit, residualUnit, most));
    }
  }

  static double unitOf(double least, const std::vector<double>& values) {
    return std::max(least, percentile95(values));
  }
  static void put(const std::vector<float>& values) {
    std::fwrite(values.data(), sizeof(float), values.size(), stdout);
  }

  const int rows_, cols_;
  const std::vector<int64_t> ids_;
  UniqueAVFormatContext format_;
  UniqueAVCodecContext codec_;
  int stream_ = -1, cellRows_ = 0, cellCols_ = 0;
  int64_t number_ = 0;
  size_t next_ = 0;
  Luma before_;
  Maps last_, sum_;
  std::vector<Maps> own_, interval_;
};

}  // namespace
}  // namespace cps::bench

int main(int argc, char** argv) {
  try {
    if (argc < 5) throw std::runtime_error("cps_oracle VIDEO ROWS COLS ID...");
    std::vector<int64_t> ids;
    for (int i = 4; i < argc; ++i) ids.push_back(std::atoll(argv[i]));
    cps::bench::Oracle(argv[1], std::atoi(argv[2]), std::atoi(argv[3]), ids).run();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
