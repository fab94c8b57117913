#include "pipeline/energy_stage.h"

#include "core/error.h"
#include "pipeline/energies/energies.h"

namespace cps {

std::unique_ptr<EnergyStage> makeEnergyStage(const EnergyRequest& request) {
  switch (request.options.energy) {
    case Energy::Block:
      return makeBlockEnergy(request);
    case Energy::Adjacent:
      return makeAdjacentEnergy(request);
    case Energy::Accumulated:
      return makeAccumulatedEnergy(request);
    case Energy::Codec:
      return makeCodecEnergy(request);
    case Energy::Reference:
      return makeReferenceEnergy(request);
  }
  throw Error(ErrorCode::InvalidArgument, Stage::Options, "Unknown energy");
}

}  // namespace cps
