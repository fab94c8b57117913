#pragma once

#include <exception>
#include <span>

#include "cuda/driver/device_context.h"

namespace cps {

// What NVDEC's parser finds in the packets, in decode order; called within parse(). False: enough,
// nothing more is wanted.
class ParserEvents {
 public:
  virtual ~ParserEvents() = default;
  // A sequence header; returns the number of decode surfaces there are.
  virtual int onSequence(const CUVIDEOFORMAT& format) = 0;
  virtual bool onDecode(CUVIDPICPARAMS& picture) = 0;
  // In display order. For the timestamp see Note [Pictures by surface].
  virtual bool onDisplay(const CUVIDPARSERDISPINFO& info) = 0;
};

// NVDEC's bitstream parser for one run of packets. Exceptions of the events come out of parse().
class NvdecParser {
 public:
  NvdecParser(std::shared_ptr<DeviceContext> device, cudaVideoCodec codec, unsigned displayDelay,
              ParserEvents& events);
  ~NvdecParser();
  NvdecParser(const NvdecParser&) = delete;
  NvdecParser& operator=(const NvdecParser&) = delete;

  // False where the events have had enough.
  bool parseHeaders(std::span<const uint8_t> data);
  // What ends with a picture; all of it is decoded when this returns.
  bool parsePicture(std::span<const uint8_t> data, int64_t timestamp);
  // Gives out everything the parser holds back.
  bool finish();

 private:
  bool send(CUVIDSOURCEDATAPACKET& packet);
  template <typename Fn>
  int guarded(const Fn& fn);

  std::shared_ptr<DeviceContext> device_;
  ParserEvents& events_;
  CUvideoparser parser_ = nullptr;
  std::exception_ptr error_;
  bool stopped_ = false;
};

}  // namespace cps
