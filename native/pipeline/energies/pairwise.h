#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "core/buffer.h"
#include "pipeline/energies/energies.h"
#include "pipeline/sampling/sampling.h"

namespace cps {

// An energy that compares each sampled picture with the sampled one before it, in the sample's
// order. What a subclass
// says: what a picture is reduced to (cells, a luma map), how two of these are compared, and how
// that becomes scores. The first picture has nothing to be compared with: its comparison is all
// zero.
class PairwiseStage : public EnergyStage {
 public:
  explicit PairwiseStage(const EnergyRequest& request);

  std::span<const int64_t> inputs() const final { return ids_; }
  void addFrame(int32_t input, const FrameView& frame, const FrameView& luma) final;
  const float* scores() const final { return scores_.as<float>(); }

 protected:
  virtual Buffer reduce(const FrameView& frame, const FrameView& luma) = 0;
  // Of what compare() writes and toScores() reads; reused from pair to pair.
  virtual size_t scratchBytes() const = 0;
  virtual void compare(const Buffer& cur, const Buffer& prev, void* scratch) = 0;
  virtual void toScores(void* scratch, float* out) = 0;

  PatchGrid grid_;
  Kernels& kernels_;
  Profile& profile_;

 private:
  void score(size_t t);
  Buffer takeScratch();

  std::mutex mutex_;
  std::vector<int64_t> ids_;
  std::vector<int32_t> distinct_;  // of each position
  PositionsOf positions_;
  std::vector<bool> ready_;    // per distinct frame
  std::vector<bool> started_;  // per position
  std::vector<Buffer> maps_;   // per distinct frame; written under the lock, read when ready
  std::vector<Buffer> freeScratch_;
  Buffer scores_;
};

}  // namespace cps
