#include "pipeline/energies/pairwise.h"

namespace cps {
namespace {

// DESIGN section 4.6: block matching on luma cells, as codecs do it.
class BlockEnergy final : public PairwiseStage {
 public:
  explicit BlockEnergy(const EnergyRequest& request)
      : PairwiseStage(request),
        cells_(makeCellGrid(grid_.frameHeight, grid_.frameWidth)),
        energyPct_(request.options.energyPct) {}

 private:
  Buffer reduce(const FrameView& /*frame*/, const FrameView& luma) override {
    Buffer cells = Buffer::allocate(kernels_.memory(), static_cast<size_t>(cells_.cells()));
    const Profile::Scope scope(profile_, "cellsMs");
    kernels_.lumaCells(luma, cells_, cells.as<uint8_t>());
    return cells;
  }
  size_t scratchBytes() const override { return residualOffset() + cellCount(); }
  void compare(const Buffer& cur, const Buffer& prev, void* scratch) override {
    kernels_.blockMatch(cur.as<uint8_t>(), prev.as<uint8_t>(), cells_, motion(scratch),
                        residual(scratch));
  }
  void toScores(void* scratch, float* out) override {
    kernels_.blockScores(motion(scratch), residual(scratch), cells_, grid_, energyPct_, out);
  }

  size_t cellCount() const { return static_cast<size_t>(cells_.cells()); }
  size_t residualOffset() const {
    const auto blocks = static_cast<size_t>(cells_.blocks());
    return (blocks + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  }
  uint8_t* motion(void* scratch) const { return static_cast<uint8_t*>(scratch); }
  uint8_t* residual(void* scratch) const { return motion(scratch) + residualOffset(); }

  CellGrid cells_;
  double energyPct_;
};

}  // namespace

std::unique_ptr<EnergyStage> makeBlockEnergy(const EnergyRequest& request) {
  const PatchOptions& o = request.options;
  const bool plain = o.energyScope == EnergyScope::Frame && o.intraEnergy == IntraEnergy::Zero &&
                     o.globalMotion == GlobalMotion::Keep && !o.maps;
  if (!plain) return makeBlockMapsEnergy(request);
  return std::make_unique<BlockEnergy>(request);
}

}  // namespace cps
