#include "media/codec/parameter_sets.h"

#include <algorithm>

#include "media/codec/nal.h"
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
    : codec_(parameters.codec_id),
      lengthBytes_(bitstreamFormat(parameters).lengthBytes),
      x264Build_(x264Build) {
  const std::span<const uint8_t> extra(parameters.extradata,
                                       static_cast<size_t>(parameters.extradata_size));
  const auto take = [this](std::span<const uint8_t> unit) {
    add(unit);
    return true;
  };
  if (codec_ == AV_CODEC_ID_H264) forEachH264ExtradataUnit(extra, take);
  if (codec_ == AV_CODEC_ID_HEVC) forEachHevcExtradataUnit(extra, take);
}

bool ParameterSets::isSet(uint8_t header) const {
  const int type = codec_ == AV_CODEC_ID_HEVC ? (header >> 1) & 63 : header & 31;
  return codec_ == AV_CODEC_ID_HEVC ? type >= 32 && type <= 34 : type == 7 || type == 8;
}

bool ParameterSets::isSlice(uint8_t header) const {
  const int type = codec_ == AV_CODEC_ID_HEVC ? (header >> 1) & 63 : header & 31;
  return codec_ == AV_CODEC_ID_HEVC ? type < 32 : type >= 1 && type <= 5;
}

void ParameterSets::add(std::span<const uint8_t> unit) {
  if (unit.empty() || !isSet(unit[0])) return;
  unit = trimmed(unit);
  sets_.emplace_back(unit.begin(), unit.end());
}

bool ParameterSets::knows(std::span<const uint8_t> packet) const {
  if (codec_ != AV_CODEC_ID_H264 && codec_ != AV_CODEC_ID_HEVC) return true;
  const std::span<const uint8_t> headers =
      unitsBefore(packet, lengthBytes_, [this](uint8_t header) { return isSlice(header); });
  if (headers.empty()) return true;
  if (codec_ == AV_CODEC_ID_H264) {
    const int build = h264EncoderBuild(headers, lengthBytes_);
    if (build > 0 && build != x264Build_) return false;
  }
  bool known = true;
  forEachNal(headers, lengthBytes_, [&](std::span<const uint8_t> unit) {
    if (!isSet(unit[0])) return true;
    const std::span<const uint8_t> set = trimmed(unit);
    known = std::any_of(sets_.begin(), sets_.end(), [&](const std::vector<uint8_t>& s) {
      return std::equal(s.begin(), s.end(), set.begin(), set.end());
    });
    return known;
  });
  return known;
}

}  // namespace cps
