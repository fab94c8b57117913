#include "core/error.h"

namespace cps {

const char* errorCodeName(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return "ERR_CPS_INVALID_ARGUMENT";
    case ErrorCode::NotFound:
      return "ERR_CPS_NOT_FOUND";
    case ErrorCode::NoVideo:
      return "ERR_CPS_NO_VIDEO";
    case ErrorCode::Unsupported:
      return "ERR_CPS_UNSUPPORTED";
    case ErrorCode::Corrupt:
      return "ERR_CPS_CORRUPT";
    case ErrorCode::BackendUnavailable:
      return "ERR_CPS_BACKEND_UNAVAILABLE";
    case ErrorCode::OutOfMemory:
      return "ERR_CPS_OUT_OF_MEMORY";
    case ErrorCode::Limit:
      return "ERR_CPS_LIMIT";
    case ErrorCode::Device:
      return "ERR_CPS_DEVICE";
    case ErrorCode::Source:
      return "ERR_CPS_SOURCE";
    case ErrorCode::Closed:
      return "ERR_CPS_CLOSED";
    case ErrorCode::TimedOut:
      return "ERR_CPS_TIMEOUT";
    case ErrorCode::Aborted:
      return "ABORT_ERR";
  }
  return "ERR_CPS_DEVICE";
}

const char* stageName(Stage stage) noexcept {
  switch (stage) {
    case Stage::Options:
      return "options";
    case Stage::Open:
      return "open";
    case Stage::Index:
      return "index";
    case Stage::Decode:
      return "decode";
    case Stage::Process:
      return "process";
    case Stage::Transfer:
      return "transfer";
  }
  return "process";
}

}  // namespace cps
