#pragma once

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace cps {

// Note [Error codes]
// These names are the public contract (CodecPatchStreamError.code). src/support/errors.ts lists the
// same names for TypeScript; a test compares the two lists.
enum class ErrorCode {
  InvalidArgument,
  NotFound,
  NoVideo,
  Unsupported,
  Corrupt,
  BackendUnavailable,
  OutOfMemory,
  Limit,
  Device,
  Source,
  Closed,
  TimedOut,
  Aborted,
};

// "ERR_CPS_INVALID_ARGUMENT", ...; Aborted is "ABORT_ERR", which becomes an AbortError in JS.
const char* errorCodeName(ErrorCode code) noexcept;

// Where in the pipeline it went wrong.
enum class Stage { Options, Open, Index, Decode, Process, Transfer };
const char* stageName(Stage stage) noexcept;

// The only exception type that leaves the core. `what()` says what was wrong, where (file, frame)
// and what to do about it.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, Stage stage, const std::string& message)
      : std::runtime_error(message), code_(code), stage_(stage) {}

  ErrorCode code() const noexcept { return code_; }
  Stage stage() const noexcept { return stage_; }

 private:
  ErrorCode code_;
  Stage stage_;
};

// Runs `body` so that every failure says which video it is about: an Error whose message does not
// name the input yet gets `name()` appended, and running out of memory becomes Error(OutOfMemory).
// `name` is called only then: nothing may be allocated before `body` runs.
template <typename Name, typename Body>
auto namingInput(const Name& name, Body&& body) -> decltype(body()) {
  try {
    try {
      return body();
    } catch (const Error& error) {
      const std::string message = error.what(), input = name();
      if (error.code() == ErrorCode::Aborted || message.find(input) != std::string::npos) throw;
      throw Error(error.code(), error.stage(), message + " (video: " + input + ")");
    }
  } catch (const std::bad_alloc&) {  // of the naming, too
    throw Error(ErrorCode::OutOfMemory, Stage::Process,
                "Out of memory; sample fewer or smaller frames (video: " + name() + ")");
  }
}

}  // namespace cps
