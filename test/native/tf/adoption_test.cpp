// Memory as tensors of TensorFlow (Note [Adopted memory]), over a TensorFlow that only keeps what
// it is told: which kernels there are, what a run gives, and who frees the memory when. The real
// one is in test/adapters/tfjs/tfjs-node.test.ts, on CPUs only.
#include "tf/adoption.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "tf/fake_tf/fake_tf.h"

namespace cps::tf {
namespace {

constexpr auto kLong = std::chrono::seconds(20);

// Memory whose end is told, with the thread that it comes on.
struct Memory {
  std::promise<std::thread::id> freed;
  std::future<std::thread::id> end = freed.get_future();
  float data[8] = {};

  Offer offer(std::function<void()> settle = nullptr) {
    const std::shared_ptr<const void> owner(static_cast<const void*>(data), [this](const void*) {
      freed.set_value(std::this_thread::get_id());
    });
    return {1, {2, 4}, data, sizeof data, owner, std::move(settle)};
  }
  bool isFreed() { return end.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
};

TEST(Adoption, HostMemoryIsFreedWithTheTensor) {
  const Attached attached = attach(false);
  EXPECT_EQ(attached.version, "fake");
  Memory memory;
  fake::Result result = fake::run(attached.op, "CPU", offer(memory.offer()));
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.type, 1);
  EXPECT_EQ(result.dims, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(result.memory->data, memory.data);
  EXPECT_EQ(result.memory->bytes, sizeof memory.data);
  EXPECT_FALSE(memory.isFreed());
  result.memory.reset();
  ASSERT_TRUE(memory.isFreed());
  EXPECT_EQ(memory.end.get(), std::this_thread::get_id());
}

TEST(Adoption, TheKernelForGpusComesOnRequestAndOnce) {
  const Attached attached = attach(false);
  const std::string cpu = attached.op + " CPU token", gpu = attached.op + " GPU token";
  EXPECT_EQ(fake::kernels(), (std::vector<std::string>{cpu}));
  EXPECT_EQ(attach(true).op, attached.op);
  attach(true);
  attach(false);
  EXPECT_EQ(fake::kernels(), (std::vector<std::string>{cpu, gpu}));
}

TEST(Adoption, DeviceMemoryWaitsForTheDeviceOnAThreadOfItsOwn) {
  const Attached attached = attach(true);
  Memory memory;
  std::promise<std::thread::id> waiting;
  std::promise<void> idle;
  const int32_t token = offer(memory.offer([&, done = idle.get_future().share()] {
    waiting.set_value(std::this_thread::get_id());
    done.wait();
  }));
  fake::Result result = fake::run(attached.op, "GPU", token);
  EXPECT_EQ(result.memory->data, memory.data);
  result.memory.reset();  // returns at once, though the device is busy
  auto waits = waiting.get_future();
  ASSERT_EQ(waits.wait_for(kLong), std::future_status::ready);
  const std::thread::id other = waits.get();
  EXPECT_NE(other, std::this_thread::get_id());
  EXPECT_FALSE(memory.isFreed());
  // More that comes meanwhile waits for its turn; a device that is lost keeps nothing.
  Memory next;
  fake::run(attached.op, "GPU", offer(next.offer([] { throw std::runtime_error("lost"); })));
  EXPECT_FALSE(next.isFreed());
  idle.set_value();
  for (Memory* one : {&memory, &next}) {
    ASSERT_EQ(one->end.wait_for(kLong), std::future_status::ready);
    EXPECT_EQ(one->end.get(), other);
  }
}

TEST(Adoption, TokensAreForOneRun) {
  const Attached attached = attach(false);
  Memory memory;
  const int32_t token = offer(memory.offer());
  fake::run(attached.op, "CPU", token);
  EXPECT_TRUE(memory.isFreed());
  EXPECT_EQ(fake::run(attached.op, "CPU", token).error, "This memory was handed over already");
  Memory other;
  withdraw(offer(other.offer()));
  EXPECT_TRUE(other.isFreed());
}

}  // namespace
}  // namespace cps::tf
