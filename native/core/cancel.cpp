#include "core/cancel.h"

namespace cps {

void CancelToken::check(Stage stage) const {
  if (cancelled()) {
    throw Error(ErrorCode::Aborted, stage, "The operation was aborted");
  }
  if (expired()) {
    throw Error(ErrorCode::TimedOut, stage,
                "The call took longer than timeoutMs allows; raise timeoutMs, sample fewer frames, "
                "or make fewer calls at once");
  }
}

}  // namespace cps
