#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace cps {

// What a piece of a far source was read for, which says how long it is kept.
enum class PieceUse : uint8_t {
  Tables,  // headers and tables, which everybody who opens the container reads again
  Ahead,   // looked into before its turn: read once more by and by
  Packets  // read, and passed
};

// Pieces of a far source that have been read: disjoint, the least recently used of each kind first
// out. Not thread-safe.
class FarPieces {
 public:
  using Bytes = std::vector<uint8_t>;

  // Copies what there is from `offset` on, at most n bytes, out of one piece; 0: nothing is there.
  // `ahead`: not yet its turn.
  size_t copy(int64_t offset, uint8_t* dst, size_t n, bool ahead);
  bool has(int64_t offset) const { return find(offset) != pieces_.end(); }
  // Where the first piece behind `offset` begins.
  std::optional<int64_t> beginAfter(int64_t offset) const;
  // The last piece that ends at `offset` or before it.
  struct Extent {
    int64_t begin = 0, end = 0;
  };
  std::optional<Extent> endingBy(int64_t offset) const;
  // What is there already of these bytes is left out.
  void add(int64_t offset, Bytes bytes, PieceUse use);
  // Keeps no more than `most` bytes, or the last piece that was used: of packets the first go, of
  // tables the last.
  void keepAll(size_t most);
  // When nobody reads: tables stay, and the last of what was passed.
  void settle();
  size_t bytes() const;

 private:
  struct Piece {
    Bytes bytes;
    PieceUse use;
    uint64_t used;
  };
  using Map = std::map<int64_t, Piece>;

  Map::const_iterator find(int64_t offset) const;
  void keep(PieceUse use, size_t most);

  Map pieces_;
  uint64_t clock_ = 0;
};

}  // namespace cps
