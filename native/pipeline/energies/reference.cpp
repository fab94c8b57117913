#include "pipeline/energies/pairwise.h"

namespace cps {
namespace {

// The arithmetic of the Python original, on the luma of the resized picture.
class ReferenceEnergy final : public PairwiseStage {
 public:
  explicit ReferenceEnergy(const EnergyRequest& request)
      : PairwiseStage(request),
        cells_(makeReferenceGrid(grid_.frameHeight, grid_.frameWidth)),
        energyPct_(request.options.energyPct) {}

 private:
  Buffer reduce(const FrameView& frame, const FrameView& /*luma*/) override {
    Buffer luma = Buffer::allocate(kernels_.memory(), mapBytes());
    const Profile::Scope scope(profile_, "cellsMs");
    kernels_.referenceLuma(frame, cells_, luma.as<float>());
    return luma;
  }
  size_t scratchBytes() const override { return 2 * mapBytes(); }
  void compare(const Buffer& cur, const Buffer& prev, void* scratch) override {
    kernels_.referenceMatch(cur.as<float>(), prev.as<float>(), cells_, motion(scratch),
                            residual(scratch));
  }
  void toScores(void* scratch, float* out) override {
    kernels_.referenceScores(motion(scratch), residual(scratch), cells_, grid_, energyPct_, out);
  }

  size_t mapBytes() const { return static_cast<size_t>(cells_.cells()) * sizeof(float); }
  float* motion(void* scratch) const { return static_cast<float*>(scratch); }
  float* residual(void* scratch) const { return motion(scratch) + cells_.cells(); }

  ReferenceGrid cells_;
  double energyPct_;
};

}  // namespace

std::unique_ptr<EnergyStage> makeReferenceEnergy(const EnergyRequest& request) {
  return std::make_unique<ReferenceEnergy>(request);
}

}  // namespace cps
