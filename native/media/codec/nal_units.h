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

// What comes before the first unit whose first byte `stops`; its end is not looked for.
template <typename Stops>
std::span<const uint8_t> unitsBefore(std::span<const uint8_t> d, int lengthBytes, Stops stops) {
  const auto prefix = static_cast<size_t>(lengthBytes);
  for (size_t at = 0;;) {
    if (lengthBytes == 0) at = findStartCode(d, at);
    const size_t begin = at + (lengthBytes == 0 ? 3 : prefix);
    if (begin >= d.size()) return d;
    if (stops(d[begin])) return d.first(at);
    if (lengthBytes == 0) {
      at = begin;
      continue;
    }
    size_t n = 0;
    for (size_t i = 0; i < prefix; ++i) n = n << 8 | d[at + i];
    if (n > d.size() - begin) return d;
    at = begin + n;
  }
}

// `left` units from `at` on, each with a 16-bit size; false to stop: broken, or visit said so.
template <typename Visit>
bool forEachSizedUnit(std::span<const uint8_t> d, size_t& at, int left, Visit& visit) {
  for (; left > 0; --left) {
    if (at + 2 > d.size()) return false;
    const size_t n = size_t{d[at]} << 8 | d[at + 1];
    at += 2;
    if (n == 0 || n > d.size() - at) return false;
    if (!visit(d.subspan(at, n))) return false;
    at += n;
  }
  return true;
}

// The units in an avcC record (or in Annex B extradata): twice a count of parameter sets (the first
// in 5 bits) and these.
template <typename Visit>
void forEachH264ExtradataUnit(std::span<const uint8_t> extra, Visit visit) {
  if (extra.size() < 7 || extra[0] != 1) {
    forEachNal(extra, 0, visit);
    return;
  }
  size_t at = 5;
  for (const int mask : {31, 255}) {
    if (at >= extra.size()) return;
    const int count = extra[at++] & mask;
    if (!forEachSizedUnit(extra, at, count, visit)) return;
  }
}

// Annex B begins with a start code, hvcC with its version.
inline bool isHvcc(std::span<const uint8_t> extra) {
  return extra.size() >= 23 && (extra[0] || extra[1] || extra[2] > 1);
}

// The units in an hvcC record (or in Annex B extradata): arrays of a type, a 16-bit count and
// units.
template <typename Visit>
void forEachHevcExtradataUnit(std::span<const uint8_t> extra, Visit visit) {
  if (!isHvcc(extra)) {
    forEachNal(extra, 0, visit);
    return;
  }
  size_t at = 23;
  for (int arrays = extra[22]; arrays > 0; --arrays) {
    if (at + 3 > extra.size()) return;
    const int count = extra[at + 1] << 8 | extra[at + 2];
    at += 3;
    if (!forEachSizedUnit(extra, at, count, visit)) return;
  }
}

}  // namespace cps
