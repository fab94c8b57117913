#include "napi/caller_source.h"

#include <string>
#include <utility>

namespace cps::napi {
namespace {

// settle(bytes) or settle(message) of one read; what comes after the first counts for nothing.
void settle(const Napi::CallbackInfo& info, BytesReply& reply) {
  try {
    const Napi::Value value = info[0];
    if (!value.IsTypedArray()) return reply.fail(value.ToString().Utf8Value());
    const auto bytes = value.As<Napi::Uint8Array>();
    reply.give(BytesReply::Bytes(bytes.Data(), bytes.Data() + bytes.ElementLength()));
  } catch (const std::bad_alloc&) {
    reply.fail("there is no memory for it");
  }
}

class Read final : public Message {
 public:
  // `number`: of this read among all.
  Read(uint64_t id, uint64_t number, int64_t offset, size_t bytes,
       std::shared_ptr<BytesReply> reply)
      : id_(id), number_(number), offset_(offset), bytes_(bytes), reply_(std::move(reply)) {}

  void arrive(Napi::Env env) override {
    if (static_cast<napi_env>(env) == nullptr) return;
    const Napi::HandleScope scope(env);
    Environment& environment = Environment::of(env);
    const auto found = environment.readers.find(id_);
    if (found == environment.readers.end()) return;
    const auto settled = std::make_shared<bool>(false);
    try {
      const auto done = Napi::Function::New(
          env, [reply = reply_, settled, number = number_](const Napi::CallbackInfo& info) -> void {
            *settled = true;
            Environment::of(info.Env()).stops.erase(number);
            settle(info, *reply);
          });
      const Napi::Value stop =
          found->second.Call({Napi::Number::New(env, static_cast<double>(offset_)),
                              Napi::Number::New(env, static_cast<double>(bytes_)), done});
      if (!*settled && stop.IsFunction()) {
        environment.stops.emplace(number_, Napi::Persistent(stop.As<Napi::Function>()));
      }
    } catch (const Napi::Error& error) {
      reply_->fail(error.Message());
    }
  }

 private:
  const uint64_t id_, number_;
  const int64_t offset_;
  const size_t bytes_;
  const std::shared_ptr<BytesReply> reply_;
};

class StopReading final : public Message {
 public:
  explicit StopReading(uint64_t number) : number_(number) {}
  void arrive(Napi::Env env) override {
    if (static_cast<napi_env>(env) == nullptr) return;
    const Napi::HandleScope scope(env);
    auto& stops = Environment::of(env).stops;
    const auto found = stops.find(number_);
    if (found == stops.end()) return;
    const Napi::FunctionReference stop = std::move(found->second);
    stops.erase(found);
    try {
      stop.Call({});
    } catch (const Napi::Error&) {
      // What a listener throws is Node's to report; nobody waits for this read.
    }
  }

 private:
  const uint64_t number_;
};

class LetGo final : public Message {
 public:
  explicit LetGo(uint64_t id) : id_(id) {}
  void arrive(Napi::Env env) override {
    if (static_cast<napi_env>(env) != nullptr) Environment::of(env).readers.erase(id_);
  }

 private:
  const uint64_t id_;
};

class CallerSource final : public CallerBytes {
 public:
  CallerSource(std::shared_ptr<Mailbox> mailbox, uint64_t id, int64_t size, std::string name,
               std::string version)
      : mailbox_(std::move(mailbox)),
        id_(id),
        size_(size),
        name_(std::move(name)),
        version_(std::move(version)) {}
  ~CallerSource() override {
    try {
      mailbox_->post(std::make_unique<LetGo>(id_));
    } catch (...) {
      // Without memory for a message: the function goes with its environment.
    }
  }
  CallerSource(const CallerSource&) = delete;
  CallerSource& operator=(const CallerSource&) = delete;

  int64_t size() const override { return size_; }
  std::string name() const override { return name_; }
  std::string version() const override { return version_; }
  void ask(int64_t offset, size_t n, std::shared_ptr<BytesReply> reply) override {
    static std::atomic<uint64_t> last{0};
    const uint64_t number = ++last;
    reply->onGivenUp([mailbox = mailbox_, number] {
      try {
        mailbox->post(std::make_unique<StopReading>(number));
      } catch (const std::bad_alloc&) {
        // Without memory for a message the read goes on for nobody.
      }
    });
    mailbox_->post(std::make_unique<Read>(id_, number, offset, n, std::move(reply)));
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const uint64_t id_;
  const int64_t size_;
  const std::string name_, version_;
};

}  // namespace

bool isCallerSource(const Napi::Value& value) {
  return value.IsObject() && !value.IsTypedArray() &&
         value.As<Napi::Object>().Get("read").IsFunction();
}

std::shared_ptr<CallerBytes> makeCallerSource(const Napi::Object& source) {
  const Napi::Env env = source.Env();
  Environment& environment = Environment::of(env);
  static std::atomic<uint64_t> next{0};
  const uint64_t id = ++next;
  auto made = std::make_shared<CallerSource>(
      environment.mailbox(), id, source.Get("size").ToNumber().Int64Value(),
      source.Get("name").ToString().Utf8Value(), source.Get("version").ToString().Utf8Value());
  environment.readers.emplace(id, Napi::Persistent(source.Get("read").As<Napi::Function>()));
  return made;
}

}  // namespace cps::napi
