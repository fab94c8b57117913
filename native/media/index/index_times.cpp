#include "media/index/index_times.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace cps {
namespace {

// Nothing where the picture has no time.
std::optional<int64_t> timeOf(const FrameIndex& index, size_t d) {
  int64_t time = AV_NOPTS_VALUE;
  if (!index.shownAt.empty()) {
    time = index.shownAt[d];
  } else {
    const PacketEntry& entry = index.packets[static_cast<size_t>(index.display[d])];
    time = entry.pts != AV_NOPTS_VALUE ? entry.pts : entry.dts;
  }
  return time == AV_NOPTS_VALUE ? std::nullopt : std::optional<int64_t>(time);
}

// Each picture's own time. One without gets the time that the rate gives it after the one before.
void fillSeconds(FrameIndex& index, double tick, double rate) {
  const size_t count = index.display.size();
  index.timestampsSec.resize(count);
  for (size_t d = 0; d < count; ++d) {
    const std::optional<int64_t> time = timeOf(index, d);
    index.timestampsSec[d] = time    ? static_cast<double>(*time) * tick
                             : d > 0 ? index.timestampsSec[d - 1] + 1 / rate
                                     : 0;
  }
}

void noteRestarts(FrameIndex& index) {
  for (const ClockRestart& restart : index.restarts) {
    std::string message = "Timestamps step back at frame ";
    message.append(std::to_string(restart.frame)).append("; frames are in the order of the file.");
    index.notes.add("restarted-clock", std::move(message), restart.frame);
  }
}

// For how long a picture is shown, as far as its packet or the rate tells.
double durationOf(const FrameIndex& index, size_t d) {
  const PacketEntry& entry = index.packets[static_cast<size_t>(index.display[d])];
  const double seconds = static_cast<double>(entry.duration) * av_q2d(index.timeBase);
  if (seconds > 0) return seconds;
  return index.info.fps > 0 ? 1 / index.info.fps : 0;
}

// From the first picture to the last, by a clock that goes on where it restarts.
double spanOf(const std::vector<double>& seconds, double usual) {
  double span = 0;
  for (size_t d = 1; d < seconds.size(); ++d) {
    const double step = seconds[d] - seconds[d - 1];
    span += step > 0 ? step : usual;
  }
  return span;
}

}  // namespace

int64_t BestTime::of(int64_t presented, int64_t decoded) {
  const bool hasPresented = presented != AV_NOPTS_VALUE, hasDecoded = decoded != AV_NOPTS_VALUE;
  if (hasDecoded) {
    decodedFaults_ += decoded <= lastDecoded_;
    lastDecoded_ = decoded;
  } else if (hasPresented) {
    lastDecoded_ = presented;
  }
  if (hasPresented) {
    presentedFaults_ += presented <= lastPresented_;
    lastPresented_ = presented;
  } else if (hasDecoded) {
    lastPresented_ = decoded;
  }
  const bool takesPresented = hasPresented && (!hasDecoded || presentedFaults_ <= decodedFaults_);
  return takesPresented ? presented : decoded;
}

void fillTimes(FrameIndex& index, AVRational declared) {
  VideoInfo& info = index.info;
  index.setShownSize();
  info.totalFrames = static_cast<int64_t>(index.display.size());
  const double tick = av_q2d(index.timeBase);
  const bool hasRate = declared.num > 0 && declared.den > 0;
  const double rate = hasRate ? av_q2d(declared) : 25.0;
  fillSeconds(index, tick, rate);
  const double span = spanOf(index.timestampsSec, 1 / rate);
  // Where the container declares a rate it is what other tools report, unless the pictures say that
  // it is only a nominal one; transport streams and raw streams only have FFmpeg's guess.
  constexpr double kAgreement = 0.01;
  const double measured = span > 0 ? static_cast<double>(info.totalFrames - 1) / span : 0;
  const bool fixed = index.info.format == "avi";  // a picture per tick; times are guessed from it
  const bool declares = hasRate && (index.plain || fixed);
  const bool agrees = fixed || std::abs(rate - measured) <= kAgreement * measured;
  if (measured > 0 && !(declares && agrees)) {
    info.fps = measured;
  } else {
    info.fps = hasRate ? rate : 0;
  }
  info.durationSec = span + durationOf(index, index.display.size() - 1);
  index.shownAt = {};
  findRestarts(index);
  noteRestarts(index);
}

void findRestarts(FrameIndex& index) {
  const std::vector<double>& seconds = index.timestampsSec;
  index.restarts.clear();
  for (size_t d = 1; d < seconds.size(); ++d) {
    if (seconds[d] >= seconds[d - 1]) continue;
    const double end =
        index.secondsFromStart(static_cast<int64_t>(d) - 1) + durationOf(index, d - 1);
    index.restarts.push_back({static_cast<int64_t>(d), end});
  }
}

}  // namespace cps
