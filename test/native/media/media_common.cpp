#include "media/media_common.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "ffmpeg/handles.h"
#include "media/frame_hash.h"

namespace media_test {
namespace {

using frame_hash::Hash;
using frame_hash::hashOfFrame;

AVStream* referenceStream(AVFormatContext& context) {
  AVStream* best = nullptr;
  const auto rank = [](const AVStream& s) {
    return std::pair<bool, int64_t>((s.disposition & AV_DISPOSITION_DEFAULT) != 0,
                                    int64_t{s.codecpar->width} * s.codecpar->height);
  };
  for (unsigned i = 0; i < context.nb_streams; ++i) {
    AVStream* s = context.streams[i];
    if (s->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    if (s->disposition & AV_DISPOSITION_ATTACHED_PIC) continue;
    if (!best || rank(*best) < rank(*s)) best = s;
  }
  return best;
}

}  // namespace

bool Fixture::has(const std::string& feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

std::string Fixture::path() const { return fixturePath(name); }

std::string fixtureDir() {
  const char* dir = std::getenv("CPS_FIXTURES");
  if (!dir) throw std::runtime_error("set CPS_FIXTURES to the folder scripts/fixtures.mjs fills");
  return dir;
}

std::string fixturePath(const std::string& name) { return fixtureDir() + "/" + name; }

std::vector<Fixture> fixtures(bool bad) {
  std::ifstream manifest(fixtureDir() + "/manifest.tsv");
  if (!manifest) throw std::runtime_error("no manifest.tsv in " + fixtureDir());
  std::vector<Fixture> list;
  for (std::string line; std::getline(manifest, line);) {
    Fixture fixture;
    std::stringstream fields(line);
    std::string features;
    std::getline(fields, fixture.name, '\t');
    std::getline(fields, features);
    std::stringstream words(features);
    for (std::string word; std::getline(words, word, ',');) fixture.features.push_back(word);
    if (fixture.has("bad") == bad) list.push_back(fixture);
  }
  return list;
}

std::vector<ReferenceFrame> decodeSequentially(const std::string& path) {
  AVFormatContext* opened = nullptr;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "scan_all_pmts", "1", 0);  // as the ffmpeg CLI does
  const int status = avformat_open_input(&opened, path.c_str(), nullptr, &options);
  av_dict_free(&options);
  if (status < 0) {
    throw std::runtime_error("reference: cannot open " + path);
  }
  cps::UniqueAVFormatContext context(opened);
  avformat_find_stream_info(opened, nullptr);
  AVStream* stream = referenceStream(*opened);
  const AVCodec* codec = avcodec_find_decoder(stream->codecpar->codec_id);
  cps::UniqueAVCodecContext decoder(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(decoder.get(), stream->codecpar);
  decoder->thread_count = 1;
  decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
  if (avcodec_open2(decoder.get(), codec, nullptr) < 0) {
    throw std::runtime_error("reference: cannot open the decoder for " + path);
  }
  cps::UniqueAVPacket packet(av_packet_alloc());
  cps::UniqueAVFrame frame(av_frame_alloc());
  std::vector<ReferenceFrame> frames;
  const auto receive = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) >= 0) {
      ReferenceFrame out;
      out.hash = hashOfFrame(*frame);
      out.width = frame->width;
      out.height = frame->height;
      const int64_t time = frame->best_effort_timestamp;
      out.hasTime = time != AV_NOPTS_VALUE;
      if (out.hasTime) out.seconds = static_cast<double>(time) * av_q2d(stream->time_base);
      frames.push_back(out);
    }
  };
  while (av_read_frame(opened, packet.get()) >= 0) {
    if (packet->stream_index == stream->index) {
      while (avcodec_send_packet(decoder.get(), packet.get()) == AVERROR(EAGAIN)) receive();
      receive();
    }
    av_packet_unref(packet.get());
  }
  avcodec_send_packet(decoder.get(), nullptr);
  receive();
  return frames;
}

std::vector<uint16_t> samplesOf(const cps::FrameView& view) {
  std::vector<uint16_t> samples;
  for (int c = 0; c < view.planes; ++c) {
    const cps::PlaneView& plane = view.plane[c];
    const int shiftW = c > 0 ? view.log2ChromaW : 0, shiftH = c > 0 ? view.log2ChromaH : 0;
    const int width = (view.width + (1 << shiftW) - 1) >> shiftW;
    const int height = (view.height + (1 << shiftH) - 1) >> shiftH;
    for (int y = 0; y < height; ++y) {
      const uint8_t* p = plane.data + y * plane.stride;
      for (int x = 0; x < width; ++x, p += plane.step) {
        const uint32_t word = view.bitDepth > 8 ? p[0] | uint32_t{p[1]} << 8 : p[0];
        samples.push_back(static_cast<uint16_t>(word >> plane.shift));
      }
    }
  }
  return samples;
}

uint64_t hashOf(const cps::FrameView& view) {
  Hash hash;
  for (const uint16_t sample : samplesOf(view)) hash.add(sample);
  return hash.value();
}

void Collector::onFrame(cps::SourceFrame frame) {
  const Got got = {hashOf(frame.view), frame.timestampSec, frame.isKeyFrame,
                   frame.view.displayWidth(), frame.view.displayHeight()};
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!frames.emplace(frame.displayIndex, got).second) ++repeats;
}

Services::Services(int threads)
    : media(cps::makeMediaServices(std::make_shared<cps::TaskPool>(threads),
                                   std::make_shared<cps::ThreadBudget>(threads))) {}

void decodeWith(const std::string& path, const cps::SourceOptions& options, Services& services,
                const std::vector<int64_t>& indices, Decoded& out) {
  cps::Profile profile;
  const cps::CallContext call = {options, std::make_shared<cps::CancelToken>(), profile};
  cps::VideoInput input;
  input.path = path;
  const auto source = cps::openCpuSource(input, call, services.media);
  out.info = source->info();
  source->decode(indices, out.sink);
  out.profile = profile.values();
}

cps::VideoInfo probe(const std::string& path, Services& services) {
  Decoded out;
  decodeWith(path, defaultSource(), services, {}, out);
  return out.info;
}

std::vector<int64_t> sampled(int64_t total, int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t id = count > 1 ? i * (total - 1) / (count - 1) : 0;
    if (ids.empty() || ids.back() != id) ids.push_back(id);
  }
  return ids;
}

}  // namespace media_test
