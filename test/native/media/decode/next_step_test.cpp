// What is tried next, as a table: every outcome in every state.

#include "media/decode/next_step.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace cps {
namespace {

using Kind = SegmentOutcome::Kind;
using Way = Attempt::Way;
using std::nullopt;

// nullopt: either.
struct Row {
  Kind kind;
  std::optional<Way> way;
  std::optional<bool> hasEntryBefore, steppedBack, takesLosses, jumps;
  NextStep step;
};

constexpr bool kYes = true, kNo = false;
const std::vector<Row> kTable = {
    // outcome           way                entry before  stepped back  losses   jumps    then
    {Kind::Done, nullopt, nullopt, nullopt, nullopt, nullopt, NextStep::Finished},
    {Kind::OtherSize, nullopt, nullopt, nullopt, nullopt, nullopt, NextStep::GiveUp},
    {Kind::TooLarge, Way::Fast, nullopt, nullopt, kYes, nullopt, NextStep::TakeLosses},
    {Kind::TooLarge, Way::Plain, nullopt, nullopt, kYes, nullopt, NextStep::TakeLosses},
    {Kind::TooLarge, Way::TakingLosses, nullopt, nullopt, kYes, nullopt, NextStep::GiveUp},
    {Kind::TooLarge, nullopt, nullopt, nullopt, kNo, nullopt, NextStep::GiveUp},
    {Kind::Lost, nullopt, nullopt, nullopt, nullopt, kYes, NextStep::Replan},
    {Kind::Lost, nullopt, nullopt, nullopt, nullopt, kNo, NextStep::GiveUp},
    {Kind::Damaged, Way::Fast, nullopt, nullopt, nullopt, nullopt, NextStep::RetryPlain},
    {Kind::Damaged, Way::Plain, kYes, kNo, nullopt, nullopt, NextStep::StepBack},
    {Kind::Damaged, Way::Plain, kYes, kYes, kYes, nullopt, NextStep::TakeLosses},
    {Kind::Damaged, Way::Plain, kYes, kYes, kNo, nullopt, NextStep::GiveUp},
    {Kind::Damaged, Way::Plain, kNo, nullopt, kYes, nullopt, NextStep::TakeLosses},
    {Kind::Damaged, Way::Plain, kNo, nullopt, kNo, nullopt, NextStep::GiveUp},
    {Kind::Damaged, Way::TakingLosses, kYes, kNo, nullopt, nullopt, NextStep::StepBack},
    {Kind::Damaged, Way::TakingLosses, kYes, kYes, nullopt, nullopt, NextStep::GiveUp},
    {Kind::Damaged, Way::TakingLosses, kNo, nullopt, nullopt, nullopt, NextStep::GiveUp},
    {Kind::Suspicious, Way::Fast, nullopt, nullopt, nullopt, nullopt, NextStep::RetryPlain},
    {Kind::Suspicious, Way::Plain, kYes, kNo, nullopt, nullopt, NextStep::StepBack},
    {Kind::Suspicious, Way::Plain, kYes, kYes, kYes, nullopt, NextStep::TakeLosses},
    {Kind::Suspicious, Way::Plain, kYes, kYes, kNo, nullopt, NextStep::GiveUp},
    {Kind::Suspicious, Way::Plain, kNo, nullopt, kYes, nullopt, NextStep::TakeLosses},
    {Kind::Suspicious, Way::Plain, kNo, nullopt, kNo, nullopt, NextStep::GiveUp},
    {Kind::Suspicious, Way::TakingLosses, kYes, kNo, nullopt, nullopt, NextStep::StepBack},
    {Kind::Suspicious, Way::TakingLosses, kYes, kYes, nullopt, nullopt, NextStep::GiveUp},
    {Kind::Suspicious, Way::TakingLosses, kNo, nullopt, nullopt, nullopt, NextStep::GiveUp},
};

constexpr Kind kKinds[] = {Kind::Done,      Kind::Damaged,    Kind::TooLarge,
                           Kind::OtherSize, Kind::Suspicious, Kind::Lost};

std::vector<Attempt> states() {
  std::vector<Attempt> all;
  for (const Way way : {Way::Fast, Way::Plain, Way::TakingLosses}) {
    for (int bits = 0; bits < 16; ++bits) {
      all.push_back({way, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0});
    }
  }
  return all;
}

template <typename T>
bool fits(const std::optional<T>& wanted, T value) {
  return !wanted || *wanted == value;
}

TEST(NextSteps, OfEveryOutcomeInEveryState) {
  for (const Kind kind : kKinds) {
    for (const Attempt& at : states()) {
      SCOPED_TRACE("outcome " + std::to_string(static_cast<int>(kind)) + ", way " +
                   std::to_string(static_cast<int>(at.way)) + ", entry before " +
                   std::to_string(at.hasEntryBefore) + ", stepped back " +
                   std::to_string(at.steppedBack) + ", losses " + std::to_string(at.takesLosses) +
                   ", jumps " + std::to_string(at.jumps));
      int rows = 0;
      for (const Row& row : kTable) {
        if (row.kind != kind || !fits(row.way, at.way) ||
            !fits(row.hasEntryBefore, at.hasEntryBefore) ||
            !fits(row.steppedBack, at.steppedBack) || !fits(row.takesLosses, at.takesLosses) ||
            !fits(row.jumps, at.jumps)) {
          continue;
        }
        ++rows;
        EXPECT_EQ(nextStep({kind, 0, ""}, at), row.step);
      }
      EXPECT_EQ(rows, 1) << "the table says this once";
    }
  }
}

// Whatever goes wrong again and again, the steps end.
TEST(NextSteps, End) {
  for (const Attempt& start : states()) {
    for (int seed = 0; seed < 16; ++seed) {
      Attempt at = start;
      int steps = 0;
      for (bool ended = false; !ended; ++steps) {
        ASSERT_LT(steps, 5);
        const bool suspicious = (seed >> (steps % 4) & 1) != 0;
        switch (nextStep({suspicious ? Kind::Suspicious : Kind::Damaged, 0, "bad"}, at)) {
          case NextStep::RetryPlain:
            at.way = Way::Plain;
            break;
          case NextStep::StepBack:
            at.steppedBack = true;
            break;
          case NextStep::TakeLosses:
            at.way = Way::TakingLosses;
            break;
          case NextStep::GiveUp:
            ended = true;
            break;
          case NextStep::Finished:
          case NextStep::Replan:
            FAIL() << "damage is no success and no matter of the container";
        }
      }
    }
  }
}

}  // namespace
}  // namespace cps
