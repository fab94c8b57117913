#include "pipeline/ignored.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <variant>

#include "ops/energy/block_scores_math.h"

namespace cps {
namespace {

constexpr int32_t kBlackTolerance = 24;

// [x0, x1) by [y0, y1), in 0..1 of the displayed frame.
struct Part {
  double x0, x1, y0, y1;
  bool empty() const { return x0 >= x1 || y0 >= y1; }
};

Part common(const Part& a, const Part& b) {
  return {std::max(a.x0, b.x0), std::min(a.x1, b.x1), std::max(a.y0, b.y0), std::min(a.y1, b.y1)};
}

std::vector<double> sortedEnds(std::span<const Part> parts, double Part::*from, double Part::*to) {
  std::vector<double> ends;
  for (const Part& part : parts) {
    ends.push_back(part.*from);
    ends.push_back(part.*to);
  }
  std::sort(ends.begin(), ends.end());
  return ends;
}

// Area of the union: of the squares between all ends, those that a part covers.
double unionArea(std::span<const Part> parts) {
  const std::vector<double> xs = sortedEnds(parts, &Part::x0, &Part::x1);
  const std::vector<double> ys = sortedEnds(parts, &Part::y0, &Part::y1);
  double area = 0;
  for (size_t y = 1; y < ys.size(); ++y) {
    for (size_t x = 1; x < xs.size(); ++x) {
      const bool covered = std::any_of(parts.begin(), parts.end(), [&](const Part& p) {
        return p.x0 <= xs[x - 1] && xs[x] <= p.x1 && p.y0 <= ys[y - 1] && ys[y] <= p.y1;
      });
      if (covered) area += (xs[x] - xs[x - 1]) * (ys[y] - ys[y - 1]);
    }
  }
  return area;
}

// What a patch shows of the frame; empty where that is padding alone.
Part shownBy(const PatchGrid& grid, int32_t row, int32_t col) {
  const AxisRange y = patchRange(row, grid.y), x = patchRange(col, grid.x);
  const auto height = static_cast<double>(grid.y.unit * grid.frameHeight);
  const auto width = static_cast<double>(grid.x.unit * grid.frameWidth);
  return {static_cast<double>(x.begin) / width, static_cast<double>(x.end) / width,
          static_cast<double>(y.begin) / height, static_cast<double>(y.end) / height};
}

std::vector<Part> coveredParts(const PatchGrid& grid, const Ignore& ignore, const Bars& bars) {
  std::vector<Part> parts;
  if (const auto* listed = std::get_if<std::vector<IgnoredPart>>(&ignore.value)) {
    for (const IgnoredPart& one : *listed) {
      const auto* r = std::get_if<Rectangle>(&one.value);
      if (r) parts.push_back({r->x, r->x + r->width, r->y, r->y + r->height});
    }
  }
  const auto height = static_cast<double>(grid.frameHeight);
  const auto width = static_cast<double>(grid.frameWidth);
  for (const Part& bar : std::array<Part, 4>{{{0, 1, 0, bars.top / height},
                                              {0, 1, 1 - bars.bottom / height, 1},
                                              {0, bars.left / width, 0, 1},
                                              {1 - bars.right / width, 1, 0, 1}}}) {
    if (!bar.empty()) parts.push_back(bar);
  }
  return parts;
}

// Length of the unbroken run of ones from the front.
template <typename Iterator>
int32_t runFrom(Iterator begin, Iterator end) {
  return static_cast<int32_t>(std::find_if(begin, end, [](uint8_t flag) { return flag == 0; }) -
                              begin);
}

}  // namespace

BarFinder::BarFinder(const CellGrid& grid)
    : grid_(grid),
      rows_(static_cast<size_t>(grid.rows), 1),
      cols_(static_cast<size_t>(grid.cols), 1) {}

int32_t BarFinder::blackLevel(const FrameView& luma) {
  const bool rgb = luma.color.matrix == ColorMatrix::Rgb && luma.planes == 3;
  return rgb || luma.color.fullRange ? 0 : 16;
}

bool BarFinder::isOpen() const {
  return (rows_.front() | rows_.back() | cols_.front() | cols_.back()) != 0;
}
bool BarFinder::open() const {
  const std::lock_guard lock(mutex_);
  return isOpen();
}

void BarFinder::add(std::span<const uint8_t> cells, int32_t blackLevel) {
  std::vector<uint8_t> rows(rows_.size(), 1), cols(cols_.size(), 1);
  size_t cell = 0;
  for (uint8_t& row : rows) {
    for (uint8_t& col : cols) {
      if (std::abs(cells[cell++] - blackLevel) > kBlackTolerance) row = col = 0;
    }
  }
  const std::lock_guard lock(mutex_);
  for (size_t y = 0; y < rows.size(); ++y) rows_[y] &= rows[y];
  for (size_t x = 0; x < cols.size(); ++x) cols_[x] &= cols[x];
}

Bars BarFinder::bars() const {
  const std::lock_guard lock(mutex_);
  const int32_t top = runFrom(rows_.begin(), rows_.end()) * grid_.cell;
  if (!isOpen() || top >= grid_.frameHeight) return {};
  // The last row and column may cover fewer pixels.
  const auto fromEnd = [&](const std::vector<uint8_t>& flags, int32_t size) {
    const int32_t run = runFrom(flags.rbegin(), flags.rend());
    return run == 0 ? 0 : size - (static_cast<int32_t>(flags.size()) - run) * grid_.cell;
  };
  return {top, fromEnd(rows_, grid_.frameHeight), runFrom(cols_.begin(), cols_.end()) * grid_.cell,
          fromEnd(cols_, grid_.frameWidth)};
}

bool ignoresBars(const Ignore& ignore) {
  const auto* listed = std::get_if<std::vector<IgnoredPart>>(&ignore.value);
  return !listed || std::any_of(listed->begin(), listed->end(), [](const IgnoredPart& one) {
    return std::holds_alternative<IgnoredBars>(one.value);
  });
}

std::vector<uint8_t> candidatePatches(const PatchGrid& grid, const Ignore& ignore,
                                      const Bars& bars) {
  const std::vector<Part> covers = coveredParts(grid, ignore, bars);
  std::vector<uint8_t> candidates;
  candidates.reserve(static_cast<size_t>(grid.perFrame()));
  for (int32_t row = 0; row < grid.rows; ++row) {
    for (int32_t col = 0; col < grid.cols; ++col) {
      const Part shown = shownBy(grid, row, col);
      std::vector<Part> covered;
      for (const Part& cover : covers) {
        const Part part = common(cover, shown);
        if (!part.empty()) covered.push_back(part);
      }
      // More than half, and not by what rounding adds to half.
      const double area = (shown.x1 - shown.x0) * (shown.y1 - shown.y0);
      const bool isIgnored = unionArea(covered) > 0.5 * (1 + 1e-9) * area;
      candidates.push_back(!shown.empty() && !isIgnored ? 1 : 0);
    }
  }
  return candidates;
}

}  // namespace cps
