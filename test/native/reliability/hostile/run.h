#pragma once

#include <string>

#include "media/decode/cpu_source.h"
#include "pipeline/context.h"
#include "reliability/hostile/mutate.h"

namespace hostile {

struct Tally {
  int64_t cases = 0, rejected = 0, decoded = 0, framesGiven = 0;
  // Frames given out that are not the intact clip's, and yet what a plain decode of the broken file
  // gives: damage that no decoder can notice.
  int64_t framesChanged = 0;
  // Given out though their references are not in the file, and different from a plain decode's.
  int64_t framesUnreferenced = 0;
  int64_t violations = 0;
  double slowestMs = 0;
  std::string slowest;
  int64_t largestGrowth = 0;  // of resident memory during one case, bytes
  std::string largest;
};

struct Clip {
  std::string name;
  Bytes bytes;
  Reference reference;
};

// Runs one case and says in `tally` and on stderr what is wrong with it.
class Runner {
 public:
  Runner();
  ~Runner();

  // Decodes some frames of `broken` and compares them with a plain decode. Then decodes the intact
  // clip on the same pools: a failing call must not affect the next one.
  void runBytes(const Clip& clip, const std::string& name, const Bytes& broken);
  // The same for a file: nothing but this file may be opened. `mayDecode`: it may give frames.
  void runPath(const std::string& path, const std::string& name, bool mayDecode);

  const Tally& tally() const { return tally_; }

 private:
  struct Given;
  struct Outcome;
  Outcome call(const cps::VideoInput& input, uint64_t variant);
  Outcome callOnce(const cps::VideoInput& input, uint64_t variant);
  void pipelineCalls(const cps::VideoInput& input, uint64_t variant, const std::string& name);
  void compare(const Clip& clip, const std::string& name, const Bytes& broken, const Outcome& got);
  void violation(const std::string& name, const std::string& what);
  void measure(const std::string& name, double ms, int64_t residentBefore);

  std::unique_ptr<cps::Context> context_;
  Tally tally_;
};

cps::SourceOptions defaultOptions();
// The case that is running now, for whoever reports a crash or a hang.
const char* currentCase();

}  // namespace hostile
