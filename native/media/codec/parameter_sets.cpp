#include "media/codec/parameter_sets.h"

#include <algorithm>

#include "media/codec/bitstream.h"
#include "media/codec/nal_units.h"

namespace cps {
namespace {

// Zeros in front of the next start code belong to no unit.
std::span<const uint8_t> trimmed(std::span<const uint8_t> unit) {
  while (!unit.empty() && unit.back() == 0) unit = unit.first(unit.size() - 1);
  return unit;
}

}  // namespace

ParameterSets::ParameterSets(const AVCodecParameters& parameters, int x264Build)
    : format_(bitstreamFormat(parameters)), nal_(format_.rules->nal), x264Build_(x264Build) {
  if (!nal_) return;
  nal_->visitExtradata({parameters.extradata, static_cast<size_t>(parameters.extradata_size)},
                       [this](PacketBytes unit) {
                         add(unit);
                         return true;
                       });
}

void ParameterSets::add(std::span<const uint8_t> unit) {
  if (unit.empty() || !nal_->isParameterSet(unit[0])) return;
  unit = trimmed(unit);
  sets_.emplace_back(unit.begin(), unit.end());
}

bool ParameterSets::knows(std::span<const uint8_t> packet) const {
  if (!nal_) return true;
  const std::span<const uint8_t> headers = unitsBefore(packet, format_.lengthBytes, nal_->isSlice);
  if (headers.empty()) return true;
  const int build = format_.rules->encoderBuild(headers, format_);
  if (build > 0 && build != x264Build_) return false;
  bool known = true;
  forEachNal(headers, format_.lengthBytes, [&](std::span<const uint8_t> unit) {
    if (!nal_->isParameterSet(unit[0])) return true;
    const std::span<const uint8_t> set = trimmed(unit);
    known = std::any_of(sets_.begin(), sets_.end(), [&](const std::vector<uint8_t>& s) {
      return std::equal(s.begin(), s.end(), set.begin(), set.end());
    });
    return known;
  });
  return known;
}

}  // namespace cps
