#include "ops/geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace cps {
namespace {

// A resized picture larger than this cannot be meant; it also keeps every product in 32 bits.
constexpr double kMaxTargetPixels = 1 << 28;

std::string sizeText(double height, double width) {
  return std::to_string(static_cast<int64_t>(width)) + "x" +
         std::to_string(static_cast<int64_t>(height));
}

void checkFrame(int32_t frameHeight, int32_t frameWidth) {
  if (frameHeight <= 0 || frameWidth <= 0) {
    throw Error(ErrorCode::Corrupt, Stage::Process,
                "Expected a video with a positive width and height but received " +
                    sizeText(frameHeight, frameWidth));
  }
}

int32_t ceilDiv(int32_t a, int32_t b) { return (a - 1) / b + 1; }

}  // namespace

PatchGrid makePatchGrid(int32_t frameHeight, int32_t frameWidth, int64_t minPixels,
                        int64_t maxPixels, int32_t patchSize) {
  checkFrame(frameHeight, frameWidth);
  if (patchSize <= 0) {
    throw Error(
        ErrorCode::InvalidArgument, Stage::Options,
        "Expected a positive integer for patchSize but received " + std::to_string(patchSize));
  }
  if (minPixels <= 0) {
    throw Error(
        ErrorCode::InvalidArgument, Stage::Options,
        "Expected a positive integer for minPixels but received " + std::to_string(minPixels));
  }
  if (minPixels > maxPixels) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected minPixels <= maxPixels but received minPixels " +
                    std::to_string(minPixels) + " and maxPixels " + std::to_string(maxPixels));
  }
  const double pixels = static_cast<double>(frameHeight) * static_cast<double>(frameWidth);
  double scale = 1.0;
  if (pixels < static_cast<double>(minPixels)) {
    scale = std::sqrt(static_cast<double>(minPixels) / pixels);
  }
  if (pixels > static_cast<double>(maxPixels)) {
    scale = std::sqrt(static_cast<double>(maxPixels) / pixels);
  }
  const double unit = 2.0 * patchSize;
  const double height = std::max(unit, unit * std::round(frameHeight * scale / unit));
  const double width = std::max(unit, unit * std::round(frameWidth * scale / unit));
  if (height * width > kMaxTargetPixels) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options,
                "Expected a resized picture of at most " +
                    std::to_string(static_cast<int64_t>(kMaxTargetPixels)) +
                    " pixels but minPixels, maxPixels and patchSize ask for " +
                    sizeText(height, width) + " from a " + sizeText(frameHeight, frameWidth) +
                    " video; lower minPixels, maxPixels or patchSize");
  }
  PatchGrid grid;
  grid.frameHeight = frameHeight;
  grid.frameWidth = frameWidth;
  grid.targetHeight = static_cast<int32_t>(height);
  grid.targetWidth = static_cast<int32_t>(width);
  grid.patchSize = patchSize;
  grid.rows = grid.targetHeight / patchSize;
  grid.cols = grid.targetWidth / patchSize;
  grid.y = PatchAxis::whole(frameHeight, grid.rows);
  grid.x = PatchAxis::whole(frameWidth, grid.cols);
  return grid;
}

CellGrid makeCellGrid(int32_t frameHeight, int32_t frameWidth) {
  checkFrame(frameHeight, frameWidth);
  const int32_t shorter = std::min(frameHeight, frameWidth);
  CellGrid grid;
  grid.frameHeight = frameHeight;
  grid.frameWidth = frameWidth;
  grid.cell = shorter < 64 ? 1 : shorter < 128 ? 2 : 4;
  grid.rows = ceilDiv(frameHeight, grid.cell);
  grid.cols = ceilDiv(frameWidth, grid.cell);
  grid.blockRows = ceilDiv(grid.rows, 4);
  grid.blockCols = ceilDiv(grid.cols, 4);
  return grid;
}

PyramidGrid makePyramidGrid(int32_t frameHeight, int32_t frameWidth) {
  PyramidGrid pyramid;
  CellGrid grid = makeCellGrid(frameHeight, frameWidth);
  for (; grid.cell >= 1; grid.cell /= 2) {
    grid.rows = ceilDiv(frameHeight, grid.cell);
    grid.cols = ceilDiv(frameWidth, grid.cell);
    pyramid.level[pyramid.levels++] = grid;
  }
  return pyramid;
}

ReferenceGrid makeReferenceGrid(int32_t frameHeight, int32_t frameWidth) {
  checkFrame(frameHeight, frameWidth);
  ReferenceGrid grid;
  grid.frameHeight = frameHeight;
  grid.frameWidth = frameWidth;
  grid.rows = std::min(frameHeight, std::max(32, frameHeight / 4));
  grid.cols = std::min(frameWidth, std::max(32, frameWidth / 4));
  grid.radius = std::max(1, std::min(4, std::max(1, std::min(grid.rows, grid.cols) / 2)));
  return grid;
}

}  // namespace cps
