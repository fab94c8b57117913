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

void CancelToken::stop() noexcept {
  const std::lock_guard lock(stopMutex_);
  if (stop_) stop_();
}

CancelToken::Stop::Stop(std::shared_ptr<CancelToken> token, std::function<void()> action)
    : token_(std::move(token)) {
  const std::lock_guard lock(token_->stopMutex_);
  token_->stop_ = std::move(action);
  if (token_->cancelled() || token_->expired()) token_->stop_();
}

CancelToken::Stop::~Stop() {
  const std::lock_guard lock(token_->stopMutex_);
  token_->stop_ = nullptr;
}

}  // namespace cps
