#pragma once

#include <memory>

#include "pipeline/energy_stage.h"

namespace cps {

// Each energy's constructor.
std::unique_ptr<EnergyStage> makeBlockEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeBlockMapsEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeAdjacentEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeAccumulatedEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeCodecEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeReferenceEnergy(const EnergyRequest& request);

struct NamedEnergy {
  Energy energy;
  std::unique_ptr<EnergyStage> (*make)(const EnergyRequest& request);
};

// What makes which value of option `energy`.
inline constexpr NamedEnergy kEnergies[] = {
    {Energy::Block, makeBlockEnergy},
    {Energy::Adjacent, makeAdjacentEnergy},
    {Energy::Accumulated, makeAccumulatedEnergy},
    {Energy::Codec, makeCodecEnergy},
    {Energy::Reference, makeReferenceEnergy},
};

}  // namespace cps
