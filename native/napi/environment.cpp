#include "napi/environment.h"

#include <condition_variable>
#include <list>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

namespace cps::napi {

struct Environment::Job final : Message {
  Job(Napi::Env env, Call c) : call(std::move(c)), deferred(Napi::Promise::Deferred::New(env)) {}

  Call call;
  Napi::Promise::Deferred deferred;  // used on the JS thread only
  std::exception_ptr error;
  // By a pool thread (until it suspends the job) or by withdraw(); under the gate's mutex.
  bool taken = false;
  std::shared_ptr<Job> self;  // set while the job is on its way to the JS thread

  void arrive(Napi::Env env) override {
    const std::shared_ptr<Job> owner = std::move(self);
    if (static_cast<napi_env>(env) != nullptr) Environment::of(env).complete(env, *owner);
  }
};

namespace {

// A message that belongs to nobody else.
struct Letter final : Message {
  explicit Letter(std::unique_ptr<Message> m) : message(std::move(m)) {}
  void arrive(Napi::Env env) override {
    const std::unique_ptr<Letter> self(this);
    message->arrive(env);
  }
  std::unique_ptr<Message> message;
};

void deliver(Napi::Env env, Napi::Function, void*, Message* message) { message->arrive(env); }

using Delivery = Napi::TypedThreadSafeFunction<void, Message, deliver>;

}  // namespace

// What jobs share with their environment; outlives it while a dropped job waits in the pool's
// queue.
struct Environment::Gate final : Mailbox {
  // Typed: handing a job over allocates nothing here, so it works when memory is short.
  Delivery deliver;
  std::mutex mutex;
  std::condition_variable idle;
  bool closing = false;
  int running = 0;
  std::list<std::weak_ptr<Job>> jobs;
  std::weak_ptr<TaskPool> pool;

  // Sends a job that is over to the JS thread; under the mutex.
  void handOver(const std::shared_ptr<Job>& job) {
    if (closing) return;
    job->self = job;
    if (deliver.NonBlockingCall(job.get()) != napi_ok) job->self.reset();
  }

  void post(std::unique_ptr<Message> message) override {
    auto letter = std::make_unique<Letter>(std::move(message));
    std::lock_guard lock(mutex);
    if (!closing && deliver.NonBlockingCall(letter.get()) == napi_ok) letter.release();
  }
};

Environment::Environment(Napi::Env env)
    : context_(Context::shared([] { return makeGpuBackend(); })), gate_(std::make_shared<Gate>()) {
  gate_->deliver = Delivery::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                                 "codec-patch-stream", 0, 1);
  gate_->pool = context_->media().pool;
  // Idle, the addon must not keep the process alive; run() holds a reference per call.
  gate_->deliver.Unref(env);
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
}

Environment::~Environment() = default;

std::shared_ptr<Mailbox> Environment::mailbox() const { return gate_; }

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

Napi::Promise Environment::run(Napi::Env env, Call call) {
  call.cancel->setRestartable();
  auto job = std::make_shared<Job>(env, std::move(call));
  const Napi::Promise promise = job->deferred.Promise();
  {
    std::lock_guard lock(gate_->mutex);
    gate_->jobs.remove_if([](const std::weak_ptr<Job>& j) { return j.expired(); });
    gate_->jobs.push_back(job);
  }
  context_->media().pool->submit([gate = gate_, job] { perform(gate, job); }, job->call.start);
  // Only now: submit may throw. complete() runs on this thread, so it cannot come first.
  if (callsInFlight_++ == 0) gate_->deliver.Ref(env);
  return promise;
}

void Environment::perform(const std::shared_ptr<Gate>& gate, const std::shared_ptr<Job>& job) {
  {
    std::lock_guard lock(gate->mutex);
    if (gate->closing || job->taken) return;
    job->taken = true;
    ++gate->running;
  }
  try {
    job->call.work();
  } catch (const Later& later) {
    return suspend(gate, job, later);
  } catch (...) {
    job->error = std::current_exception();
  }
  job->call.work = nullptr;  // inputs go now, not when the promise settles
  std::lock_guard lock(gate->mutex);
  gate->handOver(job);
  --gate->running;
  gate->idle.notify_all();
}

// Note [Later] in core/later.h. Until it is started anew the job is one that has not started:
// withdraw() and close() may take it.
void Environment::suspend(const std::shared_ptr<Gate>& gate, const std::shared_ptr<Job>& job,
                          const Later& later) {
  {
    std::lock_guard lock(gate->mutex);
    job->taken = false;
  }
  const auto failed = [gate, job] {
    std::lock_guard lock(gate->mutex);
    if (std::exchange(job->taken, true)) return;
    job->error = std::current_exception();
    gate->handOver(job);
  };
  try {
    later.then([gate, job, failed] {
      try {
        if (const auto pool = gate->pool.lock()) {
          pool->resubmit([gate, job] { perform(gate, job); }, job->call.start);
        }
      } catch (...) {
        failed();
      }
    });
  } catch (...) {
    failed();
  }
  // Last: close() keeps what `then` works on until nothing runs.
  std::lock_guard lock(gate->mutex);
  --gate->running;
  gate->idle.notify_all();
}

void Environment::withdraw(Napi::Env env, const CancelPtr& cancel) {
  std::shared_ptr<Job> job;
  {
    std::lock_guard lock(gate_->mutex);
    for (const auto& weak : gate_->jobs) {
      auto queued = weak.lock();
      if (!queued || queued->call.cancel != cancel) continue;
      if (queued->taken) return;
      queued->taken = true;
      job = std::move(queued);
      break;
    }
  }
  if (!job) return;
  job->call.work = nullptr;  // the pool's queue still holds the job, but not its input
  try {
    namingInput([&] { return job->call.input; }, [&] { cancel->check(Stage::Open); });
  } catch (...) {
    job->error = std::current_exception();
  }
  complete(env, *job);
}

void Environment::complete(Napi::Env env, Job& job) {
  const Napi::HandleScope scope(env);
  if (--callsInFlight_ == 0) gate_->deliver.Unref(env);
  if (job.error) {
    job.deferred.Reject(toJsError(env, job.error).Value());
    return;
  }
  try {
    job.deferred.Resolve(job.call.finish(env));
  } catch (const Napi::Error& error) {
    job.deferred.Reject(error.Value());
  } catch (...) {
    job.deferred.Reject(toJsError(env, std::current_exception()).Value());
  }
}

void Environment::close() {
  std::unique_lock lock(gate_->mutex);
  gate_->closing = true;
  for (const auto& weak : gate_->jobs) {
    if (const auto job = weak.lock()) job->call.cancel->cancel();
  }
  gate_->idle.wait(lock, [this] { return gate_->running == 0; });
  gate_->jobs.clear();
  lock.unlock();
  gate_->deliver.Abort();
  // The last environment of the process joins the pool here, before the library can be unloaded.
  context_.reset();
}

namespace {

Napi::Error makeError(Napi::Env env, const char* code, const char* stage, const char* message) {
  Napi::Error error = Napi::Error::New(env, message);
  // Defined, not set: a frozen or tampered prototype has no say in it.
  constexpr auto kPlain =
      static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable);
  const auto field = [&](const char* name, const char* value) {
    return Napi::PropertyDescriptor::Value(name, Napi::String::New(env, value), kPlain);
  };
  error.Value().DefineProperties({field("code", code), field("stage", stage)});
  return error;
}

}  // namespace

Napi::Error toJsError(Napi::Env env, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return makeError(env, errorCodeName(e.code()), stageName(e.stage()), e.what());
  } catch (const std::bad_alloc&) {
    return makeError(env, errorCodeName(ErrorCode::OutOfMemory), stageName(Stage::Process),
                     "Out of memory; sample fewer or smaller frames");
  } catch (const std::system_error& e) {  // of threads and locks
    return makeError(env, errorCodeName(ErrorCode::Limit), stageName(Stage::Process), e.what());
  } catch (const std::exception& e) {
    return makeError(env, errorCodeName(ErrorCode::Device), stageName(Stage::Process), e.what());
  }
}

}  // namespace cps::napi
