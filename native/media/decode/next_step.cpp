#include "media/decode/next_step.h"

namespace cps {

NextStep nextStep(const SegmentOutcome& outcome, const Attempt& attempt) {
  switch (outcome.kind) {
    case SegmentOutcome::Kind::Done:
      return NextStep::Finished;
    case SegmentOutcome::Kind::Lost:
      return attempt.jumps ? NextStep::Replan : NextStep::GiveUp;
    case SegmentOutcome::Kind::OtherSize:
      return NextStep::GiveUp;
    case SegmentOutcome::Kind::TooLarge:  // it stays so, but others may be had
      return attempt.takesLosses && attempt.way != Attempt::Way::TakingLosses ? NextStep::TakeLosses
                                                                              : NextStep::GiveUp;
    case SegmentOutcome::Kind::Suspicious:
    case SegmentOutcome::Kind::Damaged:
      break;
  }
  // Several threads may have lost a picture for want of what one needs less of, and packets may
  // have been left out that were needed.
  if (attempt.way == Attempt::Way::Fast) return NextStep::RetryPlain;
  if (attempt.hasEntryBefore && !attempt.steppedBack) return NextStep::StepBack;
  const bool mayLose = attempt.takesLosses && attempt.way != Attempt::Way::TakingLosses;
  return mayLose ? NextStep::TakeLosses : NextStep::GiveUp;
}

}  // namespace cps
