#include "cuda/nvdec/session.h"

#include <algorithm>

namespace cps {
namespace {

// Pooled decoders of pictures up to this size are made for all of it and for this many reference
// pictures, so that ordinary streams of other sizes can take them over. Larger ones are made as
// they are asked for: their surfaces take too much memory to be spared for others.
constexpr unsigned kRoomyWidth = 1920, kRoomyHeight = 1088, kRoomySurfaces = 20;

bool maySpare(const SessionRequest& request) {
  return request.width <= kRoomyWidth && request.height <= kRoomyHeight;
}

// Surfaces hold whole pairs of samples; an odd target would be scaled to.
unsigned even(unsigned size) { return (size + 1) & ~1u; }

}  // namespace

NvdecSession::NvdecSession(std::shared_ptr<DeviceContext> device, const SessionRequest& request,
                           bool roomy)
    : device_(std::move(device)),
      stream_(std::make_shared<Stream>(device_)),
      current_(request),
      roomy_(roomy && maySpare(request)),
      maxWidth_(roomy_ ? kRoomyWidth : even(request.width)),
      maxHeight_(roomy_ ? kRoomyHeight : even(request.height)),
      surfaces_(roomy_ ? std::max(request.surfaces, kRoomySurfaces) : request.surfaces) {
  CUVIDDECODECREATEINFO info{};
  info.ulWidth = even(request.width);
  info.ulHeight = even(request.height);
  info.ulNumDecodeSurfaces = surfaces_;
  info.CodecType = request.format.codec;
  info.ChromaFormat = request.format.chroma;
  info.ulCreationFlags = cudaVideoCreate_PreferCUVID;
  info.bitDepthMinus8 = static_cast<tcu_ulong>(request.format.bitDepth - 8);
  info.ulMaxWidth = maxWidth_;
  info.ulMaxHeight = maxHeight_;
  info.OutputFormat = request.format.surface();
  info.DeinterlaceMode = cudaVideoDeinterlaceMode_Weave;
  info.ulTargetWidth = info.ulWidth;
  info.ulTargetHeight = info.ulHeight;
  info.ulNumOutputSurfaces = kMappedSurfaces;
  const DeviceContext::Current current(*device_);
  const CUresult result = device_->api().createDecoder(&decoder_, &info);
  if (DeviceContext::refuses(result)) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Decode,
                "NVDEC of " + device_->device().name() + " (" + device_->name() +
                    ") makes no decoder for " + request.format.describe() + ", " +
                    std::to_string(request.width) + "x" + std::to_string(request.height) +
                    ": cuvidCreateDecoder failed with " + device_->api().describe(result));
  }
  device_->check(result, "cuvidCreateDecoder", Stage::Decode);
}

NvdecSession::~NvdecSession() {
  // Where the context cannot be made current as well: see ~NvdecParser.
  const DeviceContext::Cleanup cleanup(*device_);
  cleanup(device_->api().destroyDecoder(decoder_), "cuvidDestroyDecoder");
}

bool NvdecSession::fits(const SessionRequest& request) const {
  return request.format == current_.format && request.surfaces <= surfaces_ &&
         request.width <= maxWidth_ && request.height <= maxHeight_;
}

void NvdecSession::reconfigure(const SessionRequest& request) {
  if (request.width == current_.width && request.height == current_.height) return;
  CUVIDRECONFIGUREDECODERINFO info{};
  info.ulWidth = info.ulTargetWidth = even(request.width);
  info.ulHeight = info.ulTargetHeight = even(request.height);
  info.ulNumDecodeSurfaces = surfaces_;
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().reconfigureDecoder(decoder_, &info), "cuvidReconfigureDecoder",
                 Stage::Decode);
  current_ = request;
}

CUVIDDECODECAPS NvdecDevice::caps(const NvdecFormat& format) {
  const std::array<int, 3> key = {format.codec, format.chroma, format.bitDepth};
  const std::lock_guard lock(mutex_);
  if (const auto it = caps_.find(key); it != caps_.end()) return it->second;
  CUVIDDECODECAPS caps{};
  caps.eCodecType = format.codec;
  caps.eChromaFormat = format.chroma;
  caps.nBitDepthMinus8 = static_cast<unsigned>(format.bitDepth - 8);
  const DeviceContext::Current current(*device_);
  const CUresult result = device_->api().getDecoderCaps(&caps);
  // Drivers that are older than a codec refuse to speak of it.
  caps.bIsSupported = caps.bIsSupported && !DeviceContext::refuses(result);
  if (!DeviceContext::refuses(result)) {
    device_->check(result, "cuvidGetDecoderCaps", Stage::Open);
  }
  return caps_[key] = caps;
}

void NvdecDevice::checkCaps(const NvdecFormat& format, int width, int height) {
  const CUVIDDECODECAPS c = caps(format);
  const std::string who = "NVDEC of " + device_->device().name() + " (" + device_->name() + ")";
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::BackendUnavailable, Stage::Open, who + why);
  };
  if (!c.bIsSupported || !(c.nOutputFormatMask >> format.surface() & 1)) {
    refuse(" does not decode " + format.describe());
  }
  const auto w = static_cast<unsigned>(width), h = static_cast<unsigned>(height);
  if (w < c.nMinWidth || h < c.nMinHeight || w > c.nMaxWidth || h > c.nMaxHeight ||
      uint64_t{(w + 15) / 16} * ((h + 15) / 16) > c.nMaxMBCount) {
    refuse(" decodes " + format.describe() + " from " + std::to_string(c.nMinWidth) + "x" +
           std::to_string(c.nMinHeight) + " to " + std::to_string(c.nMaxWidth) + "x" +
           std::to_string(c.nMaxHeight) + " (" + std::to_string(c.nMaxMBCount) +
           " macroblocks), this video is " + std::to_string(width) + "x" + std::to_string(height));
  }
}

std::unique_ptr<NvdecSession> NvdecDevice::take(const SessionRequest& request, bool reuse) {
  if (reuse) {
    std::unique_ptr<NvdecSession> found;
    {
      const std::lock_guard lock(mutex_);
      // One of the same size needs nothing done to it; else the most recent that fits.
      auto best = idle_.end();
      for (auto it = idle_.begin(); it != idle_.end(); ++it) {
        if (!(*it)->fits(request)) continue;
        const SessionRequest& now = (*it)->current();
        const bool same = now.width == request.width && now.height == request.height;
        if (best == idle_.end() || same) best = it;
        if (same) break;
      }
      if (best != idle_.end()) {
        found = std::move(*best);
        idle_.erase(best);
      }
    }
    if (found) {
      try {
        found->reconfigure(request);
        return found;
      } catch (const Error&) {
        found.reset();  // dropped; a new one says whether it is the device
      }
    }
  }
  try {
    return std::make_unique<NvdecSession>(device_, request, reuse);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::OutOfMemory) throw;
  }
  // What lies idle holds memory that this one needs more.
  dropIdle();
  device_->trim();
  return std::make_unique<NvdecSession>(device_, request, false);
}

void NvdecDevice::dropIdle() {
  std::list<std::unique_ptr<NvdecSession>> dropped;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  dropped.swap(idle_);
}

int NvdecDevice::engines(const NvdecFormat& format) {
  return std::max<int>(caps(format).nNumNVDECs, 1);
}

void NvdecDevice::giveBack(std::unique_ptr<NvdecSession> session, int limit) {
  std::list<std::unique_ptr<NvdecSession>> dropped;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  idle_.push_front(std::move(session));
  while (static_cast<int>(idle_.size()) > std::max(0, limit)) {
    dropped.splice(dropped.begin(), idle_, std::prev(idle_.end()));
  }
}

}  // namespace cps
