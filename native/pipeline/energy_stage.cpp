#include "pipeline/energy_stage.h"

#include "core/error.h"
#include "pipeline/energies/energies.h"

namespace cps {

std::unique_ptr<EnergyStage> makeEnergyStage(const EnergyRequest& request) {
  for (const NamedEnergy& known : kEnergies) {
    if (known.energy == request.options.energy) {
      return known.make(request);
    }
  }
  throw Error(ErrorCode::InvalidArgument, Stage::Options, "Unknown energy");
}

}  // namespace cps
