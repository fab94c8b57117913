// Whose pictures known damage spoils: against a naive reading of Note [Damage], for random streams.

#include "media/decode/segment_damage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "media/codec/codec_rules.h"
#include "media/index/frame_index.h"

namespace cps {
namespace {

std::unique_ptr<FrameIndex> indexOf(int32_t packets) {
  auto index = std::make_unique<FrameIndex>();
  index->bitstream.rules = &rulesOf(AV_CODEC_ID_H264);
  index->packets.resize(static_cast<size_t>(packets));
  for (int32_t i = 0; i < packets; ++i) {
    PacketEntry& entry = index->packets[static_cast<size_t>(i)];
    entry.order = i;
    entry.displayIndex = i;
  }
  index->packets[0].key = true;
  index->keys = {0};
  return index;
}

// One fact at a time, as it was told.
struct Told {
  std::vector<int32_t> bad, lacking;
  struct Refresh {
    int32_t from, done;
  };
  std::vector<Refresh> refreshes;

  bool isRefreshed(const FrameIndex& index, int32_t ordinal, int32_t target) const {
    for (const Refresh& refresh : refreshes) {
      const int64_t done = index.packets[static_cast<size_t>(refresh.done)].order;
      const bool shows = done != kNoOrder && refresh.done <= target &&
                         done <= index.packets[static_cast<size_t>(target)].order;
      if (shows && ordinal < refresh.from) return true;
    }
    return false;
  }

  bool spoils(const FrameIndex& index, int32_t target) const {
    const int32_t start = index.seeks().startFor(target);
    const int64_t startOrder = index.packets[static_cast<size_t>(start)].order;
    for (const int32_t ordinal : bad) {
      if (ordinal == target) return true;
      const int64_t order = index.packets[static_cast<size_t>(ordinal)].order;
      const bool leading = order != kNoOrder && order < startOrder;
      if (ordinal < start || ordinal > target || leading) continue;
      if (!isRefreshed(index, ordinal, target)) return true;
    }
    for (const int32_t ordinal : lacking) {
      if (ordinal <= start || ordinal >= target) continue;
      if (!isRefreshed(index, ordinal, target)) return true;
    }
    return false;
  }
};

TEST(SegmentDamage, SpoilsWhatOneFactAfterTheOtherSays) {
  std::mt19937 random(29);
  const auto below = [&](int32_t n) {
    return static_cast<int32_t>(random() % static_cast<uint32_t>(n));
  };
  int spoilt = 0, good = 0, refreshed = 0;
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(round);
    const int32_t count = 2 + below(40);
    const auto index = indexOf(count);
    std::vector<int64_t> orders(static_cast<size_t>(count));
    std::iota(orders.begin(), orders.end(), 0);
    const int32_t reach = 1 + below(6);  // pictures are shown in about the order of decoding
    for (int32_t i = 0; i < count; ++i) {
      std::swap(orders[static_cast<size_t>(i)],
                orders[static_cast<size_t>(std::min(count - 1, i + below(reach)))]);
    }
    index->keys.clear();
    for (int32_t i = 0; i < count; ++i) {
      PacketEntry& entry = index->packets[static_cast<size_t>(i)];
      entry.order = below(8) == 0 ? kNoOrder : orders[static_cast<size_t>(i)];
      entry.key = i == 0 || below(9) == 0;
      if (entry.key) index->keys.push_back(i);
    }
    index->seal();
    for (const int32_t key : index->keys) index->seeks().setStart(key, below(2) == 0);

    SegmentDamage damage(*index);
    Told told;
    for (int32_t i = 0; i < count; ++i) {
      if (below(7) == 0) {
        damage.add(i);
        told.bad.push_back(i);
      }
      if (below(12) == 0) {
        const bool entry = index->seeks().startFor(i) == i;
        EXPECT_EQ(damage.addMissingBefore(i), !entry);
        (entry ? told.lacking : told.bad).push_back(i);
      }
      if (below(4) == 0) {
        const int32_t done = i, from = below(i + 1);
        damage.addRefresh(from, done);
        told.refreshes.push_back({from, done});
      }
    }
    Told withoutRefreshes = told;
    withoutRefreshes.refreshes.clear();
    for (int32_t target = 0; target < count; ++target) {
      const bool expected = told.spoils(*index, target);
      ASSERT_EQ(damage.spoils(target), expected) << "picture of packet " << target;
      ++(expected ? spoilt : good);
      refreshed += !expected && withoutRefreshes.spoils(*index, target);
    }
  }
  EXPECT_GT(spoilt, 1000);
  EXPECT_GT(good, 1000);
  EXPECT_GT(refreshed, 1000);
}

// One entry point, every second packet damaged, a refresh with every packet: a file may say so, and
// a question must not take as long as damage times refreshes.
TEST(SegmentDamage, ManyRefreshesAreLookedAtOnceForEachPicture) {
  constexpr int32_t kPackets = 9000;
  const auto index = indexOf(kPackets);
  index->seal();
  SegmentDamage damage(*index);
  for (int32_t i = 1; i < kPackets; ++i) {
    if (i % 2 == 0) damage.add(i);
    damage.addRefresh(i, i);
  }
  const std::clock_t before = std::clock();
  int spoilt = 0;
  for (int32_t target = 0; target < kPackets; ++target) spoilt += damage.spoils(target);
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_EQ(spoilt, kPackets / 2 - 1) << "each damaged picture and no other";
  EXPECT_LT(seconds, 2);
}

}  // namespace
}  // namespace cps
