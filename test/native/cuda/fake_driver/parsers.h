#pragma once

#include <memory>
#include <string>

#include "cuda/driver/driver_api.h"
#include "cuda/fake_driver/picture_bank.h"

namespace fake {

// What is behind a CUvideoparser: the fake's own parser, or NVIDIA's (Note [Real parser]).
class Parser {
 public:
  virtual ~Parser() = default;
  virtual CUresult parse(const CUVIDSOURCEDATAPACKET& data) = 0;
};
std::unique_ptr<Parser> makeFakeParser(const CUVIDPARSERPARAMS& params);
// Null where the library is none; says so as a misuse.
std::unique_ptr<Parser> makeRealParser(const CUVIDPARSERPARAMS& params, const std::string& library);

AVCodecID codecId(cudaVideoCodec codec);

// Which picture a surface is to hold, for the calls to the decoder within a parser's callback.
struct Origin {
  std::shared_ptr<PictureBank> bank;
  int packet = -1;
};
class WithOrigin {
 public:
  explicit WithOrigin(Origin origin);
  ~WithOrigin();
  WithOrigin(const WithOrigin&) = delete;
  WithOrigin& operator=(const WithOrigin&) = delete;

 private:
  Origin before_;
};

}  // namespace fake
