#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <unordered_map>

// The only place of the project that includes Node-API.
#include <napi.h>

#include "core/cancel.h"
#include "core/later.h"
#include "pipeline/context.h"

namespace cps::napi {

// Live native memory of one environment; outlives it in finalizers.
struct BufferCounters {
  std::atomic<int64_t> buffers{0};
  std::atomic<int64_t> bytes{0};
};

// Something to do on the JS thread of an environment.
class Message {
 public:
  Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  virtual ~Message() = default;
  // A null environment is being torn down: nobody is left to hear.
  virtual void arrive(Napi::Env env) = 0;
};

// Where any thread leaves messages for an environment; outlives it.
class Mailbox {
 public:
  virtual ~Mailbox() = default;
  // Never waits. What comes too late is dropped.
  virtual void post(std::unique_ptr<Message> message) = 0;
};

// Note [One promise worker]
// All asynchronous work of an environment (the main thread or one worker_thread) goes through
// Environment::run: the job runs on the shared TaskPool, its completion on the JS thread through
// one thread-safe function. When the environment goes away its calls are cancelled, those that have
// not started are dropped, and those that run are waited for (at most one packet's decode), so that
// no thread touches a dead environment and the library can be unloaded.
// A call settles when its work has ended. One that is stopped before it has started settles at once
// (withdraw): it holds nothing but its input, and others may keep it waiting for long.
class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env);

  Context& context() { return *context_; }
  std::shared_ptr<Mailbox> mailbox() const;
  const std::shared_ptr<BufferCounters>& counters() const { return counters_; }
  int callsInFlight() const { return callsInFlight_; }

  // `work` runs on a pool thread and must not touch JS; it may throw. `finish` runs on the JS
  // thread after work succeeded and makes the value of the promise.
  struct Call {
    CancelPtr cancel;
    std::function<void()> work;
    std::function<Napi::Value(Napi::Env)> finish;
    std::string input = {};  // for messages
    TaskPool::Start start = TaskPool::Start::Freely;
  };
  Napi::Promise run(Napi::Env env, Call call);
  // After `cancel` was cancelled or timed out: rejects its call now if it has not started.
  void withdraw(Napi::Env env, const CancelPtr& cancel);

  Napi::FunctionReference bufferConstructor;
  Napi::FunctionReference cancelConstructor;
  Napi::FunctionReference videoConstructor;
  Napi::FunctionReference sessionConstructor;
  // The functions of callers' sources that are in use (caller_source.h).
  std::unordered_map<uint64_t, Napi::FunctionReference> readers;
  // What stops a read of one, while it is on its way.
  std::unordered_map<uint64_t, Napi::FunctionReference> stops;

 private:
  struct Job;
  struct Gate;
  static void perform(const std::shared_ptr<Gate>& gate, const std::shared_ptr<Job>& job);
  static void suspend(const std::shared_ptr<Gate>& gate, const std::shared_ptr<Job>& job,
                      const Later& later);
  void complete(Napi::Env env, Job& job);
  void close();

  std::shared_ptr<Context> context_;
  std::shared_ptr<BufferCounters> counters_ = std::make_shared<BufferCounters>();
  std::shared_ptr<Gate> gate_;
  int callsInFlight_ = 0;  // JS thread only
};

// A JS Error with code and stage; src/support/errors.ts makes the public class of it.
Napi::Error toJsError(Napi::Env env, const std::exception_ptr& error);

// Runs a synchronous body and throws what it throws as a JS Error with code and stage.
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw toJsError(env, std::current_exception());
  }
}

}  // namespace cps::napi
