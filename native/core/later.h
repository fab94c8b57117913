#pragma once

#include <exception>
#include <functional>
#include <utility>

namespace cps {

// Note [Later]
// A call that needs what another one is just making does not wait for it: waiting would keep a
// worker of the pool from work. It throws Later, which unwinds it before it has done anything, and
// its job is started anew when the other one is through (Environment::perform). Only where the
// call's token says that somebody does so (CancelToken::restartable).
class Later : public std::exception {
 public:
  // `then` calls what it is given once, when it is worth starting again (at once, if it is
  // already), from any thread.
  using Resume = std::function<void()>;
  explicit Later(std::function<void(Resume)> then) : then_(std::move(then)) {}
  const char* what() const noexcept override { return "to be started anew later"; }
  void then(Resume resume) const { then_(std::move(resume)); }

 private:
  std::function<void(Resume)> then_;
};

}  // namespace cps
