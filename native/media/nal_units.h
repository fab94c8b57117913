#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cps {

// First position at or after `from` of a start code 00 00 01; the size when there is none.
inline size_t findStartCode(std::span<const uint8_t> d, size_t from) {
  for (size_t i = from; i + 2 < d.size();) {
    if (d[i + 2] > 1) {
      i += 3;
    } else if (d[i + 2] == 1 && d[i] == 0 && d[i + 1] == 0) {
      return i;
    } else {
      ++i;
    }
  }
  return d.size();
}

// Calls visit(nal) for each unit until it returns false. False when the framing is broken.
template <typename Visit>
bool forEachNal(std::span<const uint8_t> d, int lengthBytes, Visit visit) {
  if (lengthBytes == 0) {
    size_t at = findStartCode(d, 0);
    while (at < d.size()) {
      const size_t begin = at + 3;
      at = findStartCode(d, begin);
      if (at > begin && !visit(d.subspan(begin, at - begin))) return true;
    }
    return true;
  }
  size_t at = 0;
  while (at + lengthBytes <= d.size()) {
    size_t n = 0;
    for (int i = 0; i < lengthBytes; ++i) n = n << 8 | d[at++];
    if (n > d.size() - at) return false;
    if (n > 0 && !visit(d.subspan(at, n))) return true;
    at += n;
  }
  return at == d.size();
}

// The same over the first bytes of a packet: the unit that they end in is visited, too, as far as
// it is there.
template <typename Visit>
void forEachNalOfHead(std::span<const uint8_t> d, int lengthBytes, Visit visit) {
  if (lengthBytes == 0) {
    forEachNal(d, 0, visit);
    return;
  }
  for (size_t at = 0; at + static_cast<size_t>(lengthBytes) < d.size();) {
    size_t n = 0;
    for (int i = 0; i < lengthBytes; ++i) n = n << 8 | d[at++];
    n = std::min(n, d.size() - at);
    if (n > 0 && !visit(d.subspan(at, n))) return;
    at += n;
  }
}

}  // namespace cps
