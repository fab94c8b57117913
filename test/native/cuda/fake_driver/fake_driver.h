#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

// Note [Fake driver]
// A shared library with the entry points of libcuda and libnvcuvid that the GPU path uses, over
// host memory and software decoding. Everything enqueued on a stream waits there until something
// synchronises with it (or runs at once with `immediate`), so work that is used, freed or
// overwritten too early shows: freed memory is filled with 0xdd and given back to the allocator,
// where a sanitizer sees later accesses. Wrong uses are counted as `misuses` with a text.
namespace fake {

struct Control {
  // What the machine is like.
  int initResult = 0;
  int devices = 1;
  int driverVersion = 13000;
  int computeMajor = 9, computeMinor = 0;
  bool pools = true;
  size_t memoryLimit = size_t{4} << 30;
  bool immediate = false;  // run enqueued work at once
  // Makes one entry point ("*": any) fail: the call numbered `failAfter` (0: the next) returns
  // failResult. With `sticky` so does every later call, until the context is destroyed or reset;
  // calls that do not ask the context (device queries, making it current) are passed over then.
  // Calls that free or destroy do it all the same and report (as CUDA's do, with errors of earlier
  // work), except cuvidUnmapVideoFrame.
  std::string failCall;
  int failAfter = 0;
  int failResult = 0;
  bool sticky = false;
  bool resetHelps = true;
  bool foreign = false;  // another library has the primary context

  // NVDEC.
  bool codecSupported = true;
  int maxWidth = 8192, maxHeight = 8192;
  int minWidth = 48, minHeight = 16;
  int engines = 1;
  int mostDecoders = 64;     // for more of them there is no memory
  int statusAfter = 0;       // how often the status of a picture is asked for before it is known
  bool seesNothing = false;  // the parser finds no sequence header
  int displayDelay = 0;      // pictures the parser holds back
  int breakPacket = -1;      // the picture of a parser's packet so numbered decodes with an error
  int losePacket = -1;       // that one is never displayed
  std::string nvcuvid;       // a libnvcuvid whose parser is used (Note [Real parser])
  // Runs before each cuvidDecodePicture with the number of pictures decoded so far.
  std::function<void(int)> onDecode;
};

struct Stats {
  long deviceAllocations = 0, deviceBytes = 0;
  long pinnedAllocations = 0, streams = 0, events = 0, pools = 0;
  long contexts = 0;      // retains less releases
  long contextDepth = 0;  // pushes less pops, all threads
  long decoders = 0, parsers = 0, mapped = 0;
  long pinnedMade = 0;
  long uploads = 0, uploadedBytes = 0, downloads = 0, downloadedBytes = 0;
  long spins = 0;        // waits that keep a processor busy
  long streamWaits = 0;  // streams that were made to wait for an event
  unsigned long poolKeeps = 0;
  int poolDependencies = 1;
  long decodersMade = 0, capsAsked = 0, reconfigured = 0, pictures = 0, maps = 0;
  long surfacePixels = 0;  // of the last decoder: the room in its decode surfaces
  long resets = 0;
  // Of the real parser: what it decodes; that in a later packet's turn; what it shows; that with
  // another packet's timestamp.
  long parsedPictures = 0, lateDecodes = 0, displayed = 0, shiftedTimes = 0;
  std::string failedCall;  // the last one that failCall hit
  long misuses = 0;
  std::string misuse;
};

// Counters may be changed from several threads at a time.
inline void count(long& counter, long by = 1) { std::atomic_ref(counter) += by; }

Control& control();
Stats& stats();
// Fresh control and counters (live objects keep counting down, so call it only with none alive).
void reset();
// Runs everything enqueued.
void finish();
// Puts work on a stream; used by the emulated kernels.
void enqueue(void* stream, std::function<void()> work);

// Internals shared by the two halves.
int failing(const char* call);
// The same for calls that do not ask the context.
int failingApart(const char* call);
const char* errorName(int code);
bool contextIsBroken();
// What cudaDeviceReset does: everything in the context is gone.
void resetContext();
void misuse(const std::string& text);
void* deviceAllocate(size_t bytes);
void deviceRelease(void* data);

}  // namespace fake
