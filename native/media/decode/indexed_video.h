#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "media/container/byte_source.h"
#include "media/decode/cpu_source.h"
#include "media/decode/outcome.h"
#include "media/decode/targets.h"
#include "media/index/packet_reader.h"
#include "media/index/timeline.h"
#include "media/plan/decode_plan.h"

namespace cps {

class HeldVideo;
class IndexFile;

// One opened video with its frame index: what the frame sources of all devices have in common. Like
// the FrameSource that owns it, it belongs to one call.
class IndexedVideo {
 public:
  // Opens the video, gets its frame index (cached where allowed) and checks the limits.
  IndexedVideo(const VideoInput& input, const CallContext& call, const MediaServices& services);
  IndexedVideo(std::shared_ptr<ByteSource> bytes, const CallContext& call,
               const MediaServices& services)
      : IndexedVideo(std::move(bytes), nullptr, call, services) {}

  const FrameIndex& index() const { return *index_; }
  const FrameIndexPtr& indexRef() const { return index_; }
  // What it was opened from: for whoever opens it again.
  const std::shared_ptr<ByteSource>& bytes() const { return source_; }
  Timeline timeline() const;
  // The video as it is held for several calls; null: it is this call's alone.
  const HeldVideo* held() const { return held_.get(); }
  std::unique_ptr<PacketReader> openReader() const;
  // One that outlives the call; of a far source with a view of its own (else null).
  std::unique_ptr<PacketReader> openReader(const CancelPtr& cancel,
                                           std::shared_ptr<FarReading>& far) const;
  // Tells the view of a far source that all packets from this one on are read, as far as it goes
  // on.
  void expectFrom(int32_t first, FarReading& far) const;
  // "Frame 7 of 'clip.mp4'".
  std::string nameOf(int64_t displayIndex) const;
  // Throws Error(InvalidArgument) unless ascending and in range, Error(OutOfMemory) when the
  // pictures would not fit maxMemoryBytes.
  void checkTargets(std::span<const int64_t> displayIndices, size_t keptFrames) const;
  // The latter, for `kept` pictures of so many bytes.
  void checkMemory(int64_t kept, int64_t bytes) const;
  // After decoding: throws Error(Corrupt) when the file was written to meanwhile, since its
  // pictures may then be of two states of it.
  void checkUnchanged() const;
  // What a call fails with where nothing is left to try.
  Error errorOf(const SegmentOutcome& outcome) const;
  Error tooLargeError(int64_t displayIndex, int32_t width, int32_t height) const;
  Error otherSizeError(int64_t displayIndex, int32_t width, int32_t height) const;
  // The message of a read that gave other packets than the index, for good.
  Error changedError() const;

  // Forgets an index that came from disk, in memory and there; false: this one did not.
  bool forgetStoredIndex() const;

  // Plans the targets and runs the plan. False from `run`: the container could not come back to
  // packets it showed (NextStep::Replan); what is still wanted is planned anew without jumps. `run`
  // gets a reader that may be open already.
  using Run = std::function<bool(const DecodePlan& plan, std::unique_ptr<PacketReader> reader)>;
  void decodeByPlan(const Targets& targets, const Run& run) const;

 private:
  IndexedVideo(std::shared_ptr<ByteSource> bytes, std::shared_ptr<const HeldVideo> held,
               const CallContext& call, const MediaServices& services);
  DecodePlan makePlan(std::span<const int64_t> displayIndices,
                      std::unique_ptr<PacketReader>& reader) const;
  ByteRange bytesOf(int32_t first, int32_t last) const;
  void expect(const DecodePlan& plan) const;
  enum class Starts : uint8_t { Good, SomeLie, Lost };
  Starts verifyStarts(const DecodePlan& plan, std::unique_ptr<PacketReader>& reader,
                      int& lies) const;
  FrameIndexPtr getIndex(const CallContext& call, const MediaServices& services) const;
  FrameIndexPtr heldIndex(const CallContext& call, const MediaServices& services) const;
  FrameIndexPtr loadIndex(const IndexFile& file, const CallContext& call) const;
  void checkLimits() const;

  const SourceOptions& options_;
  CancelPtr cancel_;
  Profile& profile_;
  std::shared_ptr<MemoryBudget> memory_;
  std::shared_ptr<IndexCache> indexes_;
  std::shared_ptr<TaskPool> pool_;
  std::shared_ptr<ByteSource> source_;
  std::shared_ptr<FarReading> far_;    // this call's view of a far source; else null
  std::shared_ptr<ByteSource> bytes_;  // what this call reads
  std::shared_ptr<const HeldVideo> held_;
  FrameIndexPtr index_;
};

}  // namespace cps
