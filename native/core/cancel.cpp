#include "core/cancel.h"

namespace cps {

void CancelToken::check(Stage stage) const {
  if (cancelled()) {
    throw Error(ErrorCode::Aborted, stage, "The operation was aborted");
  }
  if (expired()) {
    throw Error(
        ErrorCode::Unsupported, stage,
        "The call took longer than timeoutMs allows; raise timeoutMs or sample fewer frames");
  }
}

}  // namespace cps
