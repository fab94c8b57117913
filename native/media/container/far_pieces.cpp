#include "media/container/far_pieces.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace cps {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kMostTables = 64 * kMiB, kMostAhead = 256 * kMiB, kMostPackets = 48 * kMiB;
// The next window over a video begins where the last one has ended.
constexpr size_t kKeptPackets = 4 * kMiB;

int64_t endOf(int64_t begin, const FarPieces::Bytes& bytes) {
  return begin + static_cast<int64_t>(bytes.size());
}

}  // namespace

FarPieces::Map::const_iterator FarPieces::find(int64_t offset) const {
  auto it = pieces_.upper_bound(offset);
  if (it == pieces_.begin()) return pieces_.end();
  --it;
  return offset < endOf(it->first, it->second.bytes) ? it : pieces_.end();
}

size_t FarPieces::copy(int64_t offset, uint8_t* dst, size_t n, bool ahead) {
  const auto found = find(offset);
  if (found == pieces_.end()) return 0;
  Piece& piece = pieces_.at(found->first);
  piece.used = ++clock_;
  if (!ahead && piece.use == PieceUse::Ahead) piece.use = PieceUse::Packets;
  const auto skipped = static_cast<size_t>(offset - found->first);
  const size_t count = std::min(n, piece.bytes.size() - skipped);
  std::memcpy(dst, piece.bytes.data() + skipped, count);
  return count;
}

std::optional<int64_t> FarPieces::beginAfter(int64_t offset) const {
  const auto next = pieces_.upper_bound(offset);
  if (next == pieces_.end()) return std::nullopt;
  return next->first;
}

std::optional<FarPieces::Extent> FarPieces::endingBy(int64_t offset) const {
  auto it = pieces_.upper_bound(offset);
  while (it != pieces_.begin()) {
    --it;
    const int64_t end = endOf(it->first, it->second.bytes);
    if (end <= offset) return Extent{it->first, end};
  }
  return std::nullopt;
}

void FarPieces::add(int64_t offset, Bytes bytes, PieceUse use) {
  int64_t end = endOf(offset, bytes);
  for (auto there = find(offset); there != pieces_.end() && offset < end; there = find(offset)) {
    const int64_t from = std::min(end, endOf(there->first, there->second.bytes));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(from - offset));
    offset = from;
  }
  // Calls that share a source may have read the same at once: up to the next piece that is there.
  if (const auto next = beginAfter(offset - 1); next && *next < end) {
    bytes.resize(static_cast<size_t>(*next - offset));
    end = *next;
  }
  if (bytes.empty()) return;
  pieces_.insert_or_assign(offset, Piece{std::move(bytes), use, ++clock_});
  keep(PieceUse::Tables, kMostTables);
  keep(PieceUse::Ahead, kMostAhead);
  keep(PieceUse::Packets, kMostPackets);
}

void FarPieces::keepAll(size_t most) {
  for (size_t kept = bytes(); kept > most && pieces_.size() > 1;) {
    const auto goesBefore = [](const Piece& a, const Piece& b) {
      return a.use != b.use ? a.use > b.use : a.used < b.used;
    };
    auto first = pieces_.end();
    for (auto it = pieces_.begin(); it != pieces_.end(); ++it) {
      if (it->second.used == clock_) continue;
      if (first == pieces_.end() || goesBefore(it->second, first->second)) first = it;
    }
    if (first == pieces_.end()) return;
    kept -= first->second.bytes.size();
    pieces_.erase(first);
  }
}

void FarPieces::settle() {
  keep(PieceUse::Ahead, 0);
  keep(PieceUse::Packets, kKeptPackets);
}

size_t FarPieces::bytes() const {
  size_t sum = 0;
  for (const auto& [offset, piece] : pieces_) sum += piece.bytes.size();
  return sum;
}

// A piece alone stays however large it is, unless none may.
void FarPieces::keep(PieceUse use, size_t most) {
  for (;;) {
    size_t sum = 0, count = 0;
    auto oldest = pieces_.end();
    for (auto it = pieces_.begin(); it != pieces_.end(); ++it) {
      if (it->second.use != use) continue;
      sum += it->second.bytes.size();
      ++count;
      if (oldest == pieces_.end() || it->second.used < oldest->second.used) oldest = it;
    }
    if (sum <= most || (count == 1 && most > 0)) return;
    pieces_.erase(oldest);
  }
}

}  // namespace cps
