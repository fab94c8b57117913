// Indexes that cannot be kept: a note says why, and no call fails for it.

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

#include "media/media_common.h"

namespace {
std::atomic<bool> noRandomNumbers{false};
}

// The linker sends the core's random devices here (-Wl,--wrap): a root without /dev has none.
#define CPS_RANDOM_DEVICE_INIT \
  _ZNSt13random_device7_M_initERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE
#define CPS_JOIN(a, b) a##b
#define CPS_NAME(a, b) CPS_JOIN(a, b)
extern "C" void CPS_NAME(__real_, CPS_RANDOM_DEVICE_INIT)(std::random_device*, const std::string&);
extern "C" void CPS_NAME(__wrap_, CPS_RANDOM_DEVICE_INIT)(std::random_device* device,
                                                          const std::string& token) {
  if (noRandomNumbers)
    throw std::runtime_error("random_device::random_device: device not available");
  CPS_NAME(__real_, CPS_RANDOM_DEVICE_INIT)(device, token);
}

namespace media_test {
namespace {

// Two calls with one cache in memory, neither of which may fail; what each is told.
std::vector<std::string> told(const std::string& place) {
  std::vector<std::string> messages;
  Services services(1);
  cps::SourceOptions options = defaultSource();
  options.readerCacheDir = place;
  for (int call = 0; call < 2; ++call) {
    cps::Profile profile;
    const cps::CallContext context = {options, std::make_shared<cps::CancelToken>(), profile};
    cps::VideoInput input;
    input.path = fixtures().front().path();
    Collector sink;
    const auto source = cps::openCpuSource(input, context, services.media);
    source->decode(std::vector<int64_t>{0}, sink);
    EXPECT_EQ(sink.frames.size(), 1u);
    for (const cps::Note& note : context.notes->list()) {
      EXPECT_EQ(note.code.text(), "index-not-kept");
      EXPECT_NE(note.message.find("readerCacheDir"), std::string::npos) << note.message;
      messages.push_back(note.message);
    }
  }
  return messages;
}

// A read-only file system, a file in the way.
TEST(NotKept, AFolderThatCannotBeUsedCostsNoCall) {
  const std::string file = testing::TempDir() + "cps-not-kept-" + std::to_string(::getpid());
  std::ofstream(file) << "x";
  for (const std::string& place :
       {file + "/below", std::string("/proc/none/below"), std::string("/proc/self")}) {
    SCOPED_TRACE(place);
    const std::vector<std::string> messages = told(place);
    EXPECT_EQ(messages.size(), 2u);
    for (const std::string& message : messages) {
      EXPECT_NE(message.find(place), std::string::npos) << message;
    }
  }
  std::remove(file.c_str());
}

TEST(NotKept, ASystemWithoutRandomNumbersCostsNoCall) {
  const std::string folder = testing::TempDir() + "cps-no-random-" + std::to_string(::getpid());
  noRandomNumbers = true;
  const std::vector<std::string> messages = told(folder);
  noRandomNumbers = false;
  EXPECT_EQ(messages.size(), 2u);
  for (const std::string& message : messages) {
    EXPECT_NE(message.find("no random numbers (/dev/urandom)"), std::string::npos) << message;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  EXPECT_EQ(told(folder).size(), 0u);
  EXPECT_FALSE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace media_test
