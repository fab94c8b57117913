#include "ops/pixels/arrange.h"

#include <limits>
#include <string>

#include "core/error.h"

namespace cps {
namespace {

// Chunks that are worth a thread's while and enough of them for many threads.
constexpr int64_t kMostChunks = 4096;
constexpr int64_t kLeastElements = 1 << 15;

template <typename T>
class Copy {
 public:
  Copy(const ArrangePart& part, const ValueTable& table, T* out)
      : part_(part), last_(part.axes.size() - 1), out_(out) {
    for (size_t i = 0; i < values_.size(); i++) values_[i] = static_cast<T>(table.bits[i]);
  }

  // The loops from `axis` on.
  void run(size_t axis, int64_t unit, int64_t inner, int64_t to, int64_t channel) const {
    const ArrangeAxis& a = part_.axes[axis];
    if (axis == last_) {
      innermost(a, unit, inner, to, channel);
      return;
    }
    if (axis + 1 == last_ && isPixelRow(a, part_.axes[last_])) {
      pixelRow(a, unit, inner, to);
      return;
    }
    for (int64_t i = 0; i < a.size; i++) {
      run(axis + 1, unit + i * a.unit, inner + i * a.inner, to + i * a.out,
          a.channel ? i : channel);
    }
  }

 private:
  static bool isPixelRow(const ArrangeAxis& x, const ArrangeAxis& c) {
    return c.channel && c.size == 3 && c.unit == 0 && x.unit == 0 && !x.channel;
  }
  const uint8_t* unitAt(int64_t unit) const {
    const int32_t source = part_.units[static_cast<size_t>(unit)];
    return source < 0 ? nullptr : part_.source + source * part_.unitBytes;
  }
  void pixelRow(const ArrangeAxis& x, int64_t unit, int64_t inner, int64_t to) const {
    const ArrangeAxis& c = part_.axes[last_];
    const uint8_t* from = unitAt(unit);
    if (!from) return;
    from += inner;
    T* out = out_ + to;
    const T* v = values_.data();
    for (int64_t i = 0; i < x.size; i++, from += x.inner, out += x.out) {
      out[0] = v[from[0]];
      out[c.out] = v[256 + from[c.inner]];
      out[2 * c.out] = v[512 + from[2 * c.inner]];
    }
  }
  void innermost(const ArrangeAxis& a, int64_t unit, int64_t inner, int64_t to,
                 int64_t channel) const {
    T* out = out_ + to;
    if (a.unit != 0 || a.channel) {
      for (int64_t i = 0; i < a.size; i++, out += a.out) {
        const uint8_t* from = unitAt(unit + i * a.unit);
        const int64_t c = a.channel ? i : channel;
        if (from) *out = values_[static_cast<size_t>(256 * c + from[inner + i * a.inner])];
      }
      return;
    }
    const uint8_t* from = unitAt(unit);
    if (!from) return;
    from += inner;
    const T* v = values_.data() + 256 * channel;
    if (a.out == 1) {
      for (int64_t i = 0; i < a.size; i++, from += a.inner) out[i] = v[*from];
      return;
    }
    for (int64_t i = 0; i < a.size; i++, from += a.inner, out += a.out) *out = v[*from];
  }

  const ArrangePart& part_;
  const size_t last_;
  T* const out_;
  std::array<T, 3 * 256> values_{};
};

template <typename T>
void arrange(const ArrangePart& part, const ValueTable& table, T* out, const RunAll& run) {
  const Copy<T> copy(part, table, out);
  const std::vector<ArrangeAxis>& axes = part.axes;
  // The outer loops that are shared out: not the last two, and none but for large pieces.
  int64_t inside = 1, chunks = 1;
  for (const ArrangeAxis& a : axes) inside *= a.size;
  size_t shared = 0;
  while (shared + 2 < axes.size() && chunks * axes[shared].size <= kMostChunks &&
         inside / axes[shared].size >= kLeastElements) {
    inside /= axes[shared].size;
    chunks *= axes[shared].size;
    shared++;
  }
  run(static_cast<size_t>(chunks), [&](size_t chunk) {
    const ArrangePlace at = arrangePlace(axes.data(), static_cast<int32_t>(shared),
                                         static_cast<int64_t>(chunk), part.offset);
    copy.run(shared, at.unit, at.inner, at.out, at.channel);
  });
}

[[noreturn]] void bad(const char* what) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              std::string("Pixels cannot be arranged: ") + what);
}

// a + (size - 1) * step, refusing what does not fit.
int64_t reach(int64_t sum, int64_t size, int64_t step) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
  if (step < 0 || (step > 0 && size - 1 > (kMost - sum) / step)) bad("a loop goes too far");
  return sum + (size - 1) * step;
}

}  // namespace

void checkArrange(const ArrangePart& part, int64_t elements) {
  if (part.axes.empty()) bad("there is no loop");
  if (part.axes.size() > kMostArrangeAxes) bad("there are too many loops");
  if (part.offset < 0 || part.unitBytes <= 0) bad("a part lies nowhere");
  int64_t out = part.offset, unit = 0, inner = 0;
  int channels = 0;
  bool empty = false;
  for (const ArrangeAxis& a : part.axes) {
    if (a.size < 0) bad("a loop has no length");
    if (a.size == 0) empty = true;
    if (a.channel && (++channels > 1 || a.size > 3)) bad("channels are three");
    const int64_t size = a.size < 1 ? 1 : a.size;
    out = reach(out, size, a.out);
    unit = reach(unit, size, a.unit);
    inner = reach(inner, size, a.inner);
  }
  if (empty) return;
  if (out >= elements) bad("the tensor is too small");
  if (unit >= static_cast<int64_t>(part.units.size())) bad("there are too few units");
  if (inner >= part.unitBytes) bad("a unit is too small");
  const auto units = static_cast<int64_t>(part.sourceBytes) / part.unitBytes;
  for (const int32_t u : part.units) {
    if (u >= units) bad("the source is too small");
  }
}

void arrangePixels(const ArrangePart& part, const ValueTable& table, void* out, const RunAll& run) {
  for (const ArrangeAxis& a : part.axes) {
    if (a.size == 0) return;
  }
  switch (dtypeSize(table.dtype)) {
    case 1:
      arrange(part, table, static_cast<uint8_t*>(out), run);
      return;
    case 2:
      arrange(part, table, static_cast<uint16_t*>(out), run);
      return;
    default:
      arrange(part, table, static_cast<uint32_t*>(out), run);
  }
}

}  // namespace cps
