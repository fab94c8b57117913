#include "cuda/nvdec/parser.h"

namespace cps {

// The driver's C code calls back from here: no exception may pass through it.
template <typename Fn>
int NvdecParser::guarded(const Fn& fn) {
  if (stopped_) return 0;
  try {
    return fn();
  } catch (...) {
    error_ = std::current_exception();
    stopped_ = true;
    return 0;
  }
}

NvdecParser::NvdecParser(std::shared_ptr<DeviceContext> device, cudaVideoCodec codec,
                         unsigned displayDelay, ParserEvents& events)
    : device_(std::move(device)), events_(events) {
  CUVIDPARSERPARAMS params{};
  params.CodecType = codec;
  params.ulMaxNumDecodeSurfaces = 1;  // onSequence says how many there really are
  params.ulErrorThreshold = 100;      // damage is judged by the decode status, not left out
  params.ulMaxDisplayDelay = displayDelay;
  params.pUserData = this;
  params.pfnSequenceCallback = [](void* self, CUVIDEOFORMAT* format) {
    auto* parser = static_cast<NvdecParser*>(self);
    return parser->guarded([&] { return parser->events_.onSequence(*format); });
  };
  params.pfnDecodePicture = [](void* self, CUVIDPICPARAMS* picture) {
    auto* parser = static_cast<NvdecParser*>(self);
    return parser->guarded([&] {
      parser->stopped_ = !parser->events_.onDecode(*picture);
      return parser->stopped_ ? 0 : 1;
    });
  };
  params.pfnDisplayPicture = [](void* self, CUVIDPARSERDISPINFO* info) {
    auto* parser = static_cast<NvdecParser*>(self);
    return parser->guarded([&] {
      parser->stopped_ = info && !parser->events_.onDisplay(*info);
      return parser->stopped_ ? 0 : 1;
    });
  };
  const DeviceContext::Current current(*device_);
  device_->check(device_->api().createVideoParser(&parser_, &params), "cuvidCreateVideoParser",
                 Stage::Decode);
}

NvdecParser::~NvdecParser() {
  // NVDEC's objects know their context, and must not outlive it where it cannot be made current.
  const DeviceContext::Cleanup cleanup(*device_);
  // What it holds back must not reach the events any more.
  stopped_ = true;
  cleanup(device_->api().destroyVideoParser(parser_), "cuvidDestroyVideoParser");
}

bool NvdecParser::send(CUVIDSOURCEDATAPACKET& packet) {
  const DeviceContext::Current current(*device_);
  const CUresult result = device_->api().parseVideoData(parser_, &packet);
  if (error_) std::rethrow_exception(error_);
  if (stopped_) return false;
  device_->check(result, "cuvidParseVideoData", Stage::Decode);
  return true;
}

bool NvdecParser::parseHeaders(std::span<const uint8_t> data) {
  CUVIDSOURCEDATAPACKET packet{};
  packet.payload = data.data();
  packet.payload_size = static_cast<tcu_ulong>(data.size());
  return send(packet);
}

bool NvdecParser::parsePicture(std::span<const uint8_t> data, int64_t timestamp) {
  CUVIDSOURCEDATAPACKET packet{};
  packet.flags = CUVID_PKT_TIMESTAMP | CUVID_PKT_ENDOFPICTURE;
  packet.timestamp = timestamp;
  packet.payload = data.data();
  packet.payload_size = static_cast<tcu_ulong>(data.size());
  return send(packet);
}

bool NvdecParser::finish() {
  CUVIDSOURCEDATAPACKET packet{};
  packet.flags = CUVID_PKT_ENDOFSTREAM;
  return send(packet);
}

}  // namespace cps
