// Energy 'codec' of whole streams against libavcodec alone: one thread, packet by packet, its
// vectors and pictures through naive/energy_codec.h.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "backend/cpu_kernels.h"
#include "core/error.h"
#include "default_options.h"
#include "ffmpeg/handles.h"
#include "naive/energy_codec.h"
#include "naive/test_frame.h"
#include "ops/energy/codec_motion_cpu.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"
#include "pipeline/sample_of.h"

extern "C" {
#include <libavutil/motion_vector.h>
}

#include <random>

namespace cps {
namespace {

TEST(CodecMaps, AgreeWithNaiveForEveryKindOfFrame) {
  std::mt19937 rng(11);
  const auto kernels = makeCpuKernels({});
  uint32_t seed = 70;
  for (const auto& [h, w] : {std::pair{33, 50}, std::pair{70, 65}, std::pair{130, 141}}) {
    for (const auto& spec : naive::frameSpecs(w, h, seed++)) {
      const naive::TestFrame frame(spec);
      if (frame.view.color.matrix == ColorMatrix::Rgb) continue;
      const naive::TestFrame before(spec);
      std::vector<MotionBlock> blocks;
      const int range = spec.orientation.flipX ? 30 : 3000;
      for (int y = 0; y < frame.view.height; y += 8) {
        for (int x = 0; x < frame.view.width; x += 16) {
          if (rng() % 5 == 0) continue;  // intra
          blocks.push_back({y, x, 8, 16, int(rng() % uint32_t(2 * range)) - range,
                            int(rng() % uint32_t(2 * range)) - range});
        }
      }
      const auto expected = naive::codecMaps(frame.view, before.view, blocks);
      CellGrid grid = makeCellGrid(frame.view.displayHeight(), frame.view.displayWidth());
      std::vector<uint8_t> cells(size_t(grid.cells())), residual(cells.size());
      std::vector<Move> moves(cells.size());
      kernels->lumaCells(frame.view, grid, cells.data());
      codecMapsCpu(frame.view, before.view, blocks, cells.data(), grid, moves.data(),
                   residual.data());
      for (size_t i = 0; i < cells.size(); i++) {
        const int dy = moves[i].dy, dx = moves[i].dx;
        const int motion2 = isNoMove(moves[i]) ? 0 : dy * dy + dx * dx;
        ASSERT_EQ(expected.motion2.values[i], motion2) << naive::describe(spec) << " cell " << i;
        ASSERT_EQ(expected.residual.values[i], residual[i])
            << naive::describe(spec) << " cell " << i;
      }
    }
  }
}

// A clip by the ffmpeg command line.
std::string makeClip(const std::string& name, const std::string& encoding) {
  const auto folder = std::filesystem::temp_directory_path() / "cps-codec-energy";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  const std::string command =
      "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=s=208x144:r=25:d=1.2 -pix_fmt yuv420p " +
      encoding + " '" + path + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return path;
}

struct Picture {
  std::vector<uint8_t> luma;
  int width = 0, height = 0;
  bool intra = false;
  std::vector<MotionBlock> blocks;

  FrameView view() const {
    FrameView v;
    v.width = width;
    v.height = height;
    v.planes = 1;
    v.plane[0] = {luma.data(), width, 1, 0};
    return v;
  }
};

// Every picture of a file in display order, which is decoding order here.
std::vector<Picture> decodeAll(const std::string& path, int flags = 0) {
  std::vector<Picture> out;
  AVFormatContext* format = nullptr;
  EXPECT_EQ(avformat_open_input(&format, path.c_str(), nullptr, nullptr), 0);
  avformat_find_stream_info(format, nullptr);
  const AVCodecParameters* parameters = format->streams[0]->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  AVCodecContext* context = avcodec_alloc_context3(codec);
  avcodec_parameters_to_context(context, parameters);
  context->thread_count = 1;
  context->flags |= flags;
  context->export_side_data |= AV_CODEC_EXPORT_DATA_MVS;
  EXPECT_EQ(avcodec_open2(context, codec, nullptr), 0);
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  const auto take = [&] {
    while (avcodec_receive_frame(context, frame) == 0) {
      Picture p;
      p.width = frame->width;
      p.height = frame->height;
      p.intra = frame->pict_type == AV_PICTURE_TYPE_I;
      for (int y = 0; y < p.height; y++) {
        const uint8_t* row = frame->data[0] + y * frame->linesize[0];
        p.luma.insert(p.luma.end(), row, row + p.width);
      }
      if (const AVFrameSideData* side =
              av_frame_get_side_data(frame, AV_FRAME_DATA_MOTION_VECTORS)) {
        const auto* v = reinterpret_cast<const AVMotionVector*>(side->data);
        for (size_t i = 0; i < side->size / sizeof *v; i++) {
          const int scale = 4 / v[i].motion_scale;
          p.blocks.push_back({v[i].dst_y - v[i].h / 2, v[i].dst_x - v[i].w / 2, v[i].h, v[i].w,
                              v[i].motion_y * scale, v[i].motion_x * scale});
        }
      }
      out.push_back(std::move(p));
    }
  };
  while (av_read_frame(format, packet) >= 0) {
    if (packet->stream_index == 0) {
      avcodec_send_packet(context, packet);
      take();
    }
    av_packet_unref(packet);
  }
  avcodec_send_packet(context, nullptr);
  take();
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&context);
  avformat_close_input(&format);
  return out;
}

struct Call {
  Context context{4};
  PatchStreamOptions options = default_options::defaultPatchStream();
  VideoInput input;
  explicit Call(const std::string& path) {
    input.path = path;
    options.devices.decodeBackend = options.devices.processBackend = Backend::Cpu;
    options.patch.energy = Energy::Codec;
    options.patch.maps = true;
  }
  PatchResult operator()(std::vector<int64_t> ids) {
    IndicesRule rule;
    rule.indices.assign(ids.begin(), ids.end());
    options.sampling.sample.value = std::move(rule);
    Profile profile;
    return runPatchStream(input, options, context, std::make_shared<CancelToken>(), profile);
  }
};

void expectSameMaps(const std::string& path, int threads) {
  std::vector<Picture> pictures = decodeAll(path);
  ASSERT_EQ(pictures.size(), 30U) << path;
  // MPEG decoders give the last picture out without vectors unless they hold none back.
  pictures.back() = decodeAll(path, AV_CODEC_FLAG_LOW_DELAY).back();
  Call run(path);
  run.options.source.decodeThreads = threads;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i<30; i += threads> 1 ? 1 : 3) ids.push_back(i);
  if (ids.back() != 29) ids.push_back(29);
  const PatchResult result = run(ids);
  ASSERT_TRUE(result.maps);
  const size_t cells = size_t(result.maps->rows) * size_t(result.maps->cols);
  int predicted = 0;
  for (size_t t = 0; t < ids.size(); t++) {
    const Picture& p = pictures[size_t(ids[t])];
    naive::CodecMaps expected{naive::Map<int>(result.maps->rows, result.maps->cols),
                              naive::Map<int>(result.maps->rows, result.maps->cols)};
    if (!p.intra) {
      expected = naive::codecMaps(p.view(), pictures[size_t(ids[t]) - 1].view(), p.blocks);
      predicted++;
    }
    for (size_t i = 0; i < cells; i++) {
      ASSERT_EQ(expected.motion2.values[i], result.maps->motion2.as<int32_t>()[t * cells + i])
          << path << " frame " << ids[t] << " cell " << i;
      ASSERT_EQ(expected.residual.values[i], result.maps->residual.as<int32_t>()[t * cells + i])
          << path << " frame " << ids[t] << " cell " << i;
    }
  }
  EXPECT_GT(predicted, int(ids.size()) / 2) << path;
}

const std::map<std::string, std::string> kUsable = {
    {"h264.mp4", "-c:v libx264 -bf 0 -refs 1 -g 12"},
    {"h264_long.mkv", "-c:v libx264 -bf 0 -refs 1"},
    {"mpeg1.mpg", "-c:v mpeg1video -q:v 4"},
    {"mpeg1.mkv", "-c:v mpeg1video -q:v 20 -g 7"},
    {"mpeg2.ts", "-c:v mpeg2video -q:v 4"},
    {"mpeg2.mkv", "-c:v mpeg2video -q:v 20 -g 7 -intra_vlc 1"},
    {"mpeg4.mp4", "-c:v mpeg4 -q:v 4"},
    // Vectors of 8x8 blocks in quarter samples.
    {"mpeg4_quarter.avi", "-c:v mpeg4 -q:v 6 -g 9 -flags +mv4+qpel"},
};

TEST(CodecEnergy, VectorsAndResidualsAreThoseOfTheStream) {
  for (const auto& [name, encoding] : kUsable) {
    const std::string path = makeClip(name, encoding);
    expectSameMaps(path, 1);
    if (HasFatalFailure()) return;
  }
}

// Frame threads lose no vectors.
TEST(CodecEnergy, FrameThreadsChangeNothing) {
  const std::string path = makeClip("h264_threads.mp4", "-c:v libx264 -bf 0 -refs 1");
  for (int i = 0; i < 3; i++) expectSameMaps(path, 4);
}

TEST(CodecEnergy, OtherStreamsAreRefusedWithTheCommandThatHelps) {
  const std::map<std::string, std::string> refused = {
      {"b.mp4", "-c:v libx264 -bf 2 -b_strategy 0 -refs 1"},
      {"refs.mp4", "-c:v libx264 -bf 0 -refs 3"},
      {"interlaced.mp4", "-c:v libx264 -bf 0 -refs 1 -flags +ildct+ilme"},
      {"b.ts", "-c:v mpeg2video -bf 2 -q:v 4"},
      {"interlaced.ts", "-c:v mpeg2video -q:v 4 -flags +ildct+ilme"},
      {"b_mpeg4.mp4", "-c:v mpeg4 -q:v 4 -bf 2"},
      {"interlaced.avi", "-c:v mpeg4 -q:v 4 -flags +ildct+ilme"},
      {"gmc.avi", "-c:v libxvid -q:v 4 -gmc 1"},
      {"vp8.webm", "-c:v libvpx -b:v 300k"},
      {"hevc.mp4", "-c:v libx265 -x265-params log-level=error:bframes=0:ref=1"},
  };
  for (const auto& [name, encoding] : refused) {
    Call run(makeClip("no_" + name, encoding));
    try {
      run({5, 7, 11, 13});
      ADD_FAILURE() << name << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Unsupported) << name << ": " << error.what();
      EXPECT_NE(std::string(error.what()).find("-bf 0 -refs 1"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace cps
