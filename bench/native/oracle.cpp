// What a codec spends on each patch of sampled frames, for bench/selection: its own motion vectors
// and the luma residual against the picture that they predict. The video is one that x264 made with
// one reference and no B pictures (bench/selection/oracle.mjs), so the reference of a picture is
// the picture before it.
//
//   cps_oracle VIDEO ROWS COLS ID...   ascending ids -> float32 [4][3][T][ROWS][COLS] on stdout,
//   and
//                                      the most that the residual of a patch is in any interval
//
// Four readings of the design's text, each with the forms 'frame', 'interval' and 'raw';
// docs/lab/selection-evidence.md says what they are. The first two are of whole levels, as energy
// 'codec' has them: cells of 8 bits, vectors of whole samples, key pictures zero. The others are
// of fractions, and a key picture takes the maps of the picture before it.
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
constexpr double kNoEnd = std::numeric_limits<double>::infinity();

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

// The same frames' maps in whole levels and in fractions.
struct Readings {
  Maps whole, fractions;
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
      last_ = sum_ = {empty(), empty()};
    } else if (frame.pict_type != AV_PICTURE_TYPE_I) {
      last_ = mapsOf(frame, luma);
    } else {
      last_.whole = empty();
    }
    if (number_ > 0) {
      sum_.whole.add(last_.whole);
      sum_.fractions.add(last_.fractions);
    }
    before_ = std::move(luma);
    if (next_ < ids_.size() && ids_[next_] == number_) {
      own_.push_back(last_);
      interval_.push_back(sum_);
      sum_ = {empty(), empty()};
      ++next_;
    }
    ++number_;
  }

  Maps empty() const {
    const std::vector<double> zero(static_cast<size_t>(cellRows_ * cellCols_), 0.0);
    return {zero, zero};
  }

  Readings mapsOf(const AVFrame& frame, const Luma& luma) const {
    const auto width = static_cast<size_t>(luma.width);
    // In quarter samples.
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
          const size_t at = static_cast<size_t>(y) * width + static_cast<size_t>(x);
          dy[at] = 4.0 * v.motion_y / v.motion_scale;
          dx[at] = 4.0 * v.motion_x / v.motion_scale;
        }
      }
    }
    Readings maps{empty(), empty()};
    const auto wholeSamples = [](double quarters) { return int(std::floor((quarters + 2) / 4)); };
    for (int row = 0; row < cellRows_; ++row) {
      for (int col = 0; col < cellCols_; ++col) {
        const int yEnd = std::min(kCell * (row + 1), luma.height);
        const int xEnd = std::min(kCell * (col + 1), luma.width);
        double motion = 0, residual = 0;
        int own = 0, predicted = 0, n = 0;
        for (int y = kCell * row; y < yEnd; ++y) {
          for (int x = kCell * col; x < xEnd; ++x) {
            const size_t i = static_cast<size_t>(y) * width + static_cast<size_t>(x);
            motion += std::hypot(dy[i], dx[i]) / 4;
            residual += std::abs(luma.at(y, x) - before_.at(y + dy[i] / 4, x + dx[i] / 4));
            own += luma.at(y, x);
            predicted += before_.at(y + wholeSamples(dy[i]), x + wholeSamples(dx[i]));
            ++n;
          }
        }
        const auto cell = static_cast<size_t>(row * cellCols_ + col);
        maps.whole.motion[cell] = maps.fractions.motion[cell] = motion / n;
        maps.fractions.residual[cell] = residual / n;
        maps.whole.residual[cell] =
            std::abs((2 * own + n) / (2 * n) - (2 * predicted + n) / (2 * n));
      }
    }
    return maps;
  }

  // Part of each patch of an axis that lies in each cell.
  static std::vector<double> weights(int patches, int cells, int size) {
    std::vector<double> out;
    for (int p = 0; p < patches; ++p) {
      const double from = double(p) * size / patches, to = double(p + 1) * size / patches;
      for (int c = 0; c < cells; ++c) {
        const double overlap = std::min(to, double(std::min(kCell * (c + 1), size))) -
                               std::max(from, double(kCell * c));
        out.push_back(std::max(0.0, overlap) / (to - from));
      }
    }
    return out;
  }

  // The mean of both maps over each patch.
  std::vector<float> patches(const Maps& maps, double motionUnit, double residualUnit,
                             double most) const {
    const std::vector<double> wy = weights(rows_, cellRows_, before_.height);
    const std::vector<double> wx = weights(cols_, cellCols_, before_.width);
    const auto rows = static_cast<size_t>(cellRows_), cols = static_cast<size_t>(cellCols_);
    std::vector<float> means;
    for (size_t i = 0; i < static_cast<size_t>(rows_); ++i) {
      for (size_t j = 0; j < static_cast<size_t>(cols_); ++j) {
        double sum = 0;
        for (size_t y = 0; y < rows; ++y) {
          if (wy[i * rows + y] == 0) continue;
          for (size_t x = 0; x < cols; ++x) {
            const size_t cell = y * cols + x;
            sum += wy[i * rows + y] * wx[j * cols + x] * 0.5 *
                   (std::min(most, maps.motion[cell] / motionUnit) +
                    std::min(most, maps.residual[cell] / residualUnit));
          }
        }
        means.push_back(float(sum));
      }
    }
    return means;
  }

  void writeNormalised(const std::vector<Maps>& frames, double most) const {
    for (const Maps& maps : frames) {
      put(patches(maps, unitOf(kLeastMotion, maps.motion), unitOf(kLeastResidual, maps.residual),
                  most));
    }
  }

  // Samples and levels as they are.
  void writeSums(const std::vector<Maps>& frames) const {
    for (const Maps& maps : frames) put(patches(maps, 1, 1, kNoEnd));
  }

  // By the percentiles of the whole clip.
  void writeByClip(const std::vector<Maps>& frames) const {
    std::vector<double> motion, residual;
    for (const Maps& maps : frames) {
      motion.insert(motion.end(), maps.motion.begin(), maps.motion.end());
      residual.insert(residual.end(), maps.residual.begin(), maps.residual.end());
    }
    const double motionUnit = unitOf(kLeastMotion, motion);
    const double residualUnit = unitOf(kLeastResidual, residual);
    for (const Maps& maps : frames) put(patches(maps, motionUnit, residualUnit, kNoEnd));
  }

  void write() const {
    for (const auto reading : {&Readings::whole, &Readings::fractions}) {
      std::vector<Maps> frames, sums;
      for (const Readings& maps : own_) frames.push_back(maps.*reading);
      for (const Readings& maps : interval_) sums.push_back(maps.*reading);
      writeNormalised(frames, 1);
      writeNormalised(sums, 1);
      writeSums(sums);
      writeNormalised(frames, kNoEnd);
      writeNormalised(sums, kNoEnd);
      writeByClip(sums);
    }
    float most = 0;
    for (const Readings& maps : interval_) {
      for (const float half : patches(maps.whole, kNoEnd, 1, kNoEnd))
        most = std::max(most, 2 * half);
    }
    put({most});
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
  Readings last_, sum_;
  std::vector<Readings> own_, interval_;
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
