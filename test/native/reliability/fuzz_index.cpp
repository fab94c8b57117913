// libFuzzer: index files that lie, with the right checksum. The input edits the true index file of
// a clip; all frames are decoded with what is accepted of it. Each is the true one, or there is an
// error and the next call has none.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "core/error.h"
#include "core/picture.h"
#include "default_options.h"
#include "media/decode/cpu_source.h"
#include "media/index/index_file.h"

extern "C" {
#include <libavutil/crc.h>
}

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;
using Frames = std::map<int64_t, uint64_t>;  // hashes by display index

class Sink final : public cps::FrameSink {
 public:
  void onFrame(cps::SourceFrame frame) override {
    uint64_t hash = 14695981039346656037ull;
    for (int p = 0; p < frame.view.planes; ++p) {
      const int sw = p > 0 ? frame.view.log2ChromaW : 0, sh = p > 0 ? frame.view.log2ChromaH : 0;
      const int w = (frame.view.width + (1 << sw) - 1) >> sw;
      const int h = (frame.view.height + (1 << sh) - 1) >> sh;
      const cps::PlaneView& plane = frame.view.plane[p];
      for (int y = 0; y < h; ++y) {
        for (int x = 0; x < w; ++x) {
          hash = (hash ^ plane.data[y * plane.stride + int64_t{x} * plane.step]) * 1099511628211ull;
        }
      }
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    frames[frame.displayIndex] = hash;
  }
  Frames frames;

 private:
  std::mutex mutex_;
};

// Decodes every frame; false: an error, and the index is forgotten.
bool decodeAll(const std::string& video, const std::string& place, Frames& frames) {
  const cps::MediaServices services = cps::makeMediaServices(
      std::make_shared<cps::TaskPool>(1), std::make_shared<cps::ThreadBudget>(1));
  cps::SourceOptions options = default_options::defaultSource();
  options.readerCacheDir = place;
  options.uniformStrategy = cps::UniformStrategy::Stream;
  options.maxFrames = 2000;
  cps::Profile profile;
  const cps::CallContext call{options, std::make_shared<cps::CancelToken>(), profile};
  cps::VideoInput input;
  input.path = video;
  Sink sink;
  const auto source = cps::openCpuSource(input, call, services);
  std::vector<int64_t> ids(static_cast<size_t>(source->info().totalFrames));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
  bool good = true;
  try {
    source->decode(ids, sink);
  } catch (const cps::Error&) {
    good = false;
    if (!source->forgetStoredIndex()) std::abort();
  }
  frames = std::move(sink.frames);
  return good;
}

struct Clip {
  std::string video, place, index;
  Bytes bytes;
  Frames truth;
};

Clip makeClip(const std::string& folder, const std::string& name) {
  const char* fixtures = std::getenv("CPS_FIXTURES");
  if (!fixtures) {
    std::fputs("set CPS_FIXTURES to the folder scripts/fixtures.mjs fills\n", stderr);
    std::exit(1);
  }
  Clip clip;
  clip.video = std::string(fixtures) + "/" + name;
  clip.place = folder;
  if (!decodeAll(clip.video, folder, clip.truth)) std::abort();
  clip.index = cps::IndexFile(folder, *cps::openFileSource(clip.video)->identity()).path();
  std::ifstream in(clip.index, std::ios::binary);
  clip.bytes.assign(std::istreambuf_iterator<char>(in), {});
  return clip;
}

const std::vector<Clip>& clips() {
  static const std::vector<Clip> all = [] {
    const std::string folder =
        (fs::temp_directory_path() / ("cps-fuzz-index-" + std::to_string(::getpid()))).string();
    std::vector<Clip> list;
    for (const char* name : {"two_frames.mp4", "small.mp4", "vfr.mkv", "mpeg2.ts", "mpeg4.avi"}) {
      list.push_back(makeClip(folder, name));
    }
    return list;
  }();
  return all;
}

// Four bytes an edit: where, what, with which value.
Bytes edited(Bytes bytes, const uint8_t* data, size_t size) {
  bytes.resize(bytes.size() - 4);
  for (; size >= 4 && !bytes.empty(); data += 4, size -= 4) {
    const auto at = static_cast<std::ptrdiff_t>((data[0] | size_t{data[1]} << 8) % bytes.size());
    switch (data[2] % 4) {
      case 0:
        bytes[static_cast<size_t>(at)] ^= data[3];
        break;
      case 1:
        bytes[static_cast<size_t>(at)] = data[3];
        break;
      case 2:
        bytes.insert(bytes.begin() + at, data[3]);
        break;
      default:
        bytes.erase(bytes.begin() + at);
    }
  }
  const uint32_t sum =
      av_crc(av_crc_get_table(AV_CRC_32_IEEE), 0xffffffff, bytes.data(), bytes.size());
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<uint8_t>(sum >> (8 * i)));
  return bytes;
}

// `all`: the frames are those of a whole video, as its index has it. One that leaves out the last
// ones is not found out: no call reads their packets (Note [Index files]).
void requireTrue(const Clip& clip, const Frames& frames, bool all) {
  for (const auto& [d, hash] : frames) {
    const auto it = clip.truth.find(d);
    if (it == clip.truth.end() || it->second != hash) std::abort();
  }
  if (all && (frames.empty() || frames.rbegin()->first + 1 != std::ssize(frames))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const Clip& clip = clips()[data[0] % clips().size()];
  const Bytes bytes = edited(clip.bytes, data + 1, size - 1);
  std::ofstream(clip.index, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  Frames frames;
  const bool good = decodeAll(clip.video, clip.place, frames);
  requireTrue(clip, frames, good);
  if (good) return 0;
  // The index of that call is its own.
  if (!decodeAll(clip.video, clip.place, frames)) std::abort();
  requireTrue(clip, frames, true);
  if (frames.size() != clip.truth.size()) std::abort();
  return 0;
}
