#pragma once

#include <memory>

#include "pipeline/energy_stage.h"

namespace cps {

// Each energy's constructor, one per file of this folder.
std::unique_ptr<EnergyStage> makeBlockEnergy(const EnergyRequest& request);
std::unique_ptr<EnergyStage> makeReferenceEnergy(const EnergyRequest& request);

}  // namespace cps
