#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/driver/device_context.h"
#include "cuda/nvdec/stream_format.h"

namespace cps {

// The coded picture a decoder works on. Decoders never crop or scale: the display area is cut out
// when a surface is copied, so a decoder shared by streams cannot mix up their crops.
struct SessionRequest {
  NvdecFormat format;
  unsigned width = 0, height = 0;  // coded size
  unsigned surfaces = 0;           // decode surfaces the stream needs at least
};

// Surfaces that may be mapped (being copied) at a time.
inline constexpr unsigned kMappedSurfaces = 4;

// One open NVDEC decoder with its stream.
class NvdecSession {
 public:
  // `roomy`: made for being reconfigured to other sizes later.
  NvdecSession(std::shared_ptr<DeviceContext> device, const SessionRequest& request, bool roomy);
  ~NvdecSession();
  NvdecSession(const NvdecSession&) = delete;
  NvdecSession& operator=(const NvdecSession&) = delete;

  bool fits(const SessionRequest& request) const;
  // Ready for the request, which must fit; does nothing where the size is the same.
  void reconfigure(const SessionRequest& request);

  CUvideodecoder get() const { return decoder_; }
  const std::shared_ptr<Stream>& stream() const { return stream_; }
  const SessionRequest& current() const { return current_; }
  unsigned surfaces() const { return surfaces_; }

 private:
  std::shared_ptr<DeviceContext> device_;
  std::shared_ptr<Stream> stream_;
  CUvideodecoder decoder_ = nullptr;
  SessionRequest current_;
  bool roomy_;
  unsigned maxWidth_, maxHeight_, surfaces_;
};

// NVDEC of one device: what it can do, asked once per format, and its idle decoders. Creating a
// decoder costs about ten times as much as reconfiguring one.
class NvdecDevice {
 public:
  explicit NvdecDevice(std::shared_ptr<DeviceContext> device) : device_(std::move(device)) {}

  DeviceContext& device() const { return *device_; }
  const std::shared_ptr<DeviceContext>& deviceRef() const { return device_; }
  StreamTagsCache& tags() { return tags_; }
  // Throws Error(BackendUnavailable) when the device does not decode such pictures.
  void checkCaps(const NvdecFormat& format, int width, int height);
  // How many engines there are for such pictures.
  int engines(const NvdecFormat& format);
  // With `reuse` an idle decoder where one fits, else a new one.
  std::unique_ptr<NvdecSession> take(const SessionRequest& request, bool reuse);
  // Keeps at most `limit` idle decoders. Only for decoders that saw no error.
  void giveBack(std::unique_ptr<NvdecSession> session, int limit);

 private:
  CUVIDDECODECAPS caps(const NvdecFormat& format);
  void dropIdle();

  std::shared_ptr<DeviceContext> device_;
  StreamTagsCache tags_;
  std::mutex mutex_;
  std::map<std::array<int, 3>, CUVIDDECODECAPS> caps_;
  std::list<std::unique_ptr<NvdecSession>> idle_;  // the most recently used first
};

}  // namespace cps
