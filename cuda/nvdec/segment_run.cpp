#include "cuda/nvdec/segment_run.h"

#include <algorithm>
#include <cstring>

#include "cuda/driver/memory.h"
#include "media/codec/bitstream.h"
#include "media/decode/segment_decoder.h"

namespace cps {
namespace {

constexpr size_t kPitchAlignment = 256;
constexpr unsigned kSpareSurfaces = 4;   // decoded ahead of the one being displayed
constexpr int32_t kLargestPadding = 63;  // of coded pictures, to whole blocks
constexpr int32_t kMacroblock = 16;

size_t alignPitch(size_t bytes) {
  return (bytes + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
}

}  // namespace

NvdecRun::NvdecRun(const NvdecJob& job, Give give)
    : job_(job),
      index_(job.video.index()),
      bitstream_(index_.bitstream),
      give_(std::move(give)),
      device_(job.nvdec.device()),
      filter_(index_),
      damage_(index_) {}

NvdecRun::~NvdecRun() {
  for (Mapped& mapped : mapped_) release(mapped);
}

// The RASL pictures after an HEVC entry point that decoding began with are of no use either: the
// parser decodes and never shows them.
bool NvdecRun::mayDrop(const AVPacket& packet, int32_t ordinal, int32_t first) const {
  if (std::binary_search(targets_.begin(), targets_.end(), ordinal)) return false;
  const std::span<const uint8_t> data(packet.data, static_cast<size_t>(packet.size));
  // Where pictures were counted, a packet without references may be half of a picture.
  if (index_.trust == IndexTrust::Timestamps && isDroppable(data, bitstream_)) return true;
  const auto orderOf = [&](int32_t o) { return index_.packets[static_cast<size_t>(o)].order; };
  return orderOf(ordinal) < orderOf(first) && isSkippedLeading(data, bitstream_);
}

SegmentOutcome NvdecRun::decode(const DecodeSegment& segment, PacketReader& reader) {
  targets_ = segment.targets;
  targetCount_ = targets_.size();
  given_ = 0;
  outcome_ = {};
  damage_.clear();
  h264Numbers_ = {};
  refreshes_ = {};
  std::fill(surfaces_.begin(), surfaces_.end(), Surface());
  neverShown_ = false;
  filter_.reset();
  {
    NvdecParser parser(job_.nvdec.deviceRef(), job_.format.codec, job_.displayDelay, *this);
    if (!feed(segment, reader, parser)) return std::move(outcome_);
  }
  if (!session_) {
    // As with motion JPEG that leaves its tables out: nothing NVDEC's parser can begin with.
    throw Error(ErrorCode::BackendUnavailable, Stage::Decode,
                "NVDEC's parser finds no picture in '" + job_.video.bytes()->describe() + "'");
  }
  while (!mapped_.empty()) {
    if (!giveOldest()) return std::move(outcome_);
  }
  if (given_ < targetCount_) {
    neverShown_ = !damage_.spoils(targets_.front());
    stop(SegmentOutcome::Kind::Damaged, targets_.front(), "NVDEC's parser never shows it");
  }
  return std::move(outcome_);
}

bool NvdecRun::stop(SegmentOutcome::Kind kind, int32_t ordinal, std::string reason) {
  outcome_ = {kind, ordinal, std::move(reason)};
  return false;
}

bool NvdecRun::feed(const DecodeSegment& segment, PacketReader& reader, NvdecParser& parser) {
  const auto headers = filter_.headers();
  if (!headers.empty() && !parser.parseHeaders(headers)) return false;
  const UniqueAVPacket packet = makePacket(Stage::Decode);
  if (!reader.moveTo(segment.first)) return stop(SegmentOutcome::Kind::Lost, segment.first);
  while (!targets_.empty() && reader.next() <= segment.last) {
    const ReadResult got = reader.read(*packet);
    if (got == ReadResult::Lost) return stop(SegmentOutcome::Kind::Lost, reader.next());
    if (got == ReadResult::End) break;
    if (job_.cancel) job_.cancel->check(Stage::Decode);
    const int32_t ordinal = reader.next() - 1;
    const std::span<const uint8_t> data(packet->data, static_cast<size_t>(packet->size));
    followHeaders(data, bitstream_);
    damage_.learnStart(ordinal, data, bitstream_);
    // NVDEC reports nothing where a reference is missing.
    if (bitstream_.rules->numbersReferences) {
      if (!h264Numbers_.follows(data, bitstream_.lengthBytes, bitstream_.h264)) {
        damage_.addMissingBefore(ordinal);
      }
      const int32_t from = refreshes_.endedBy(ordinal, h264Numbers_);
      if (from >= 0) damage_.addRefresh(from, ordinal);
    }
    if (mayDrop(*packet, ordinal, segment.first)) {
      counters_.packetsDropped++;
      continue;
    }
    if (isBroken(index_, data, packet->flags)) damage_.add(ordinal);
    counters_.packetsDecoded++;
    current_ = ordinal;
    bool goOn = true;
    filter_.convert(*packet, [&](std::span<const uint8_t> part) {
      currentBytes_ = part;
      goOn = goOn && parser.parsePicture(part, PacketClock::timestampOf(ordinal));
    });
    if (!goOn) return false;
  }
  return targets_.empty() || parser.finish();
}

// For a sequence header that is not the index's. Of the first one it is a matter of how to read the
// stream, and the CPU may do better; later the stream changes.
Error NvdecRun::misfit(const NvdecFormat& seen, int32_t width, int32_t height) const {
  const auto text = [](int32_t w, int32_t h, const NvdecFormat& f) {
    return std::to_string(w) + "x" + std::to_string(h) + " (" + f.describe() + ")";
  };
  const std::string name = std::string("'").append(job_.video.bytes()->describe()).append("'");
  const std::string now = text(width, height, seen);
  const std::string expected = text(index_.storedWidth, index_.storedHeight, job_.format);
  if (!session_) {
    return Error(ErrorCode::BackendUnavailable, Stage::Decode,
                 "NVDEC reads " + name + " as " + now + ", FFmpeg as " + expected);
  }
  return Error(ErrorCode::Unsupported, Stage::Decode,
               name + " turns to " + now + " while the video is " + expected +
                   ": NVDEC decodes to one size and format here. Take decodeBackend 'cpu', with a "
                   "size to scale to.");
}

// What to decode to: the pictures' format, or the parser's where that is a way to get them.
bool NvdecRun::decodesTo(const NvdecFormat& seen) const {
  if (seen == job_.format) return true;
  // FFmpeg gives pictures of H.264 without chroma a neutral one; so does copyOut.
  NvdecFormat gray = job_.format;
  gray.chroma = cudaVideoChromaFormat_Monochrome;
  return seen == gray && seen.codec == cudaVideoCodec_H264 && seen.bitDepth == 8 &&
         job_.format.chroma == cudaVideoChromaFormat_420;
}

int NvdecRun::onSequence(const CUVIDEOFORMAT& format) {
  const NvdecFormat seen{format.codec, format.chroma_format, format.bit_depth_luma_minus8 + 8};
  // Other codecs' display areas say how large pictures are to be shown (VP9's render size, MPEG-2's
  // display extension); pictures here are what was coded, without padding at the right and bottom.
  // H.264 that crops nothing may be cropped by the container.
  const auto& area = format.display_area;
  const bool whole = area.left == 0 && area.top == 0 &&
                     area.right == static_cast<int>(format.coded_width) &&
                     area.bottom == static_cast<int>(format.coded_height);
  const bool h264 = seen.codec == cudaVideoCodec_H264;
  const bool crops = (h264 && !whole) || seen.codec == cudaVideoCodec_HEVC;
  const int32_t left = crops ? area.left : 0, top = crops ? area.top : 0;
  const int32_t width = crops ? area.right - left : static_cast<int32_t>(format.coded_width);
  const int32_t height = crops ? area.bottom - top : static_cast<int32_t>(format.coded_height);
  const int32_t extraW = width - index_.storedWidth, extraH = height - index_.storedHeight;
  const int32_t mostExtra = crops ? 0 : h264 ? kMacroblock - 1 : kLargestPadding;
  const bool changed = session_ && !(session_->current().width == format.coded_width &&
                                     session_->current().height == format.coded_height &&
                                     session_->current().format == seen);
  if (changed || !decodesTo(seen) || extraW < 0 || extraH < 0 || extraW > mostExtra ||
      extraH > mostExtra) {
    throw misfit(seen, width, height);
  }
  cropLeft_ = left;
  cropTop_ = top;
  if (!session_) {
    if (!(seen == job_.format)) {
      job_.nvdec.checkCaps(seen, index_.storedWidth, index_.storedHeight);
    }
    session_ = job_.nvdec.take({seen, format.coded_width, format.coded_height,
                                format.min_num_decode_surfaces + kSpareSurfaces},
                               job_.reuse);
    surfaces_.assign(session_->surfaces(), {});
  }
  return static_cast<int>(session_->surfaces());
}

bool NvdecRun::onDecode(CUVIDPICPARAMS& picture) {
  const int index = picture.CurrPicIdx;
  if (!session_ || index < 0 || index >= static_cast<int>(session_->surfaces())) {
    throw Error(ErrorCode::Device, Stage::Decode,
                "NVDEC's parser asked for decode surface " + std::to_string(index) +
                    ", which there is not");
  }
  checkOrigin(picture);
  Surface& surface = surfaces_[static_cast<size_t>(index)];
  if (picture.second_field == 0) {
    // The surface is about to be overwritten: finish what still reads it.
    while (std::any_of(mapped_.begin(), mapped_.end(),
                       [&](const Mapped& m) { return m.pictureIndex == index; })) {
      if (!giveOldest()) return false;
    }
    settleStatus(index);
    surface.ordinal = current_;
  }
  device_.check(device_.api().decodePicture(session_->get(), &picture), "cuvidDecodePicture",
                Stage::Decode);
  surface.statusDue = true;
  return true;
}

// Note [Pictures by surface]: some bytes of the picture's middle, since beginnings are alike.
void NvdecRun::checkOrigin(const CUVIDPICPARAMS& picture) const {
  constexpr size_t kProbe = 32;
  const std::span<const uint8_t> all(picture.pBitstreamData, picture.nBitstreamDataLen);
  if (job_.format.codec == cudaVideoCodec_AV1 || all.data() == nullptr || all.size() < kProbe)
    return;
  const uint8_t* probe = all.data() + (all.size() - kProbe) / 2;
  if (memmem(currentBytes_.data(), currentBytes_.size(), probe, kProbe) != nullptr) return;
  throw Error(ErrorCode::BackendUnavailable, Stage::Decode,
              "NVDEC's parser takes the packets of '" + job_.video.bytes()->describe() +
                  "' apart in another way than its container");
}

// The packet whose picture is shown; -1: none.
int32_t NvdecRun::ordinalOf(const CUVIDPARSERDISPINFO& info) const {
  if (job_.format.codec != cudaVideoCodec_AV1) {
    return surfaces_[static_cast<size_t>(info.picture_index)].ordinal;
  }
  return PacketClock::ordinalOf(info.timestamp, index_.packets.size());
}

bool NvdecRun::onDisplay(const CUVIDPARSERDISPINFO& info) {
  const int index = info.picture_index;
  if (!session_ || index < 0 || index >= static_cast<int>(surfaces_.size())) return true;
  const int32_t ordinal = ordinalOf(info);
  const auto it = std::lower_bound(targets_.begin(), targets_.end(), ordinal);
  if (it == targets_.end() || *it != ordinal) return true;
  if (!map(info, ordinal)) return false;
  targets_.erase(it);
  return true;
}

CUdeviceptr NvdecRun::mapSurface(int pictureIndex, CUVIDPROCPARAMS& params, unsigned& pitch) {
  params.output_stream = session_->stream()->get();
  unsigned long long surface = 0;
  device_.check(
      device_.api().mapVideoFrame(session_->get(), pictureIndex, &surface, &pitch, &params),
      "cuvidMapVideoFrame", Stage::Decode);
  return surface;
}

bool NvdecRun::map(const CUVIDPARSERDISPINFO& info, int32_t ordinal) {
  if (mapped_.size() >= kMappedSurfaces - 1 && !giveOldest()) return false;
  CUVIDPROCPARAMS params{};
  params.progressive_frame = info.progressive_frame;
  params.second_field = info.repeat_first_field + 1;
  params.top_field_first = info.top_field_first;
  params.unpaired_field = info.repeat_first_field < 0 ? 1 : 0;
  unsigned pitch = 0;
  const CUdeviceptr surface = mapSurface(info.picture_index, params, pitch);
  counters_.mapped++;
  mapped_.push_back({surface, nullptr, 0, ordinal, info.picture_index, {}});
  Mapped& mapped = mapped_.back();
  device_.check(device_.api().eventCreate(&mapped.copied, kCuEventWaiting), "cuEventCreate",
                Stage::Decode);
  mapped.picture = copyOut(surface, pitch);
  mapped.ticket = session_->stream()->ticket();
  device_.check(device_.api().eventRecord(mapped.copied, session_->stream()->get()),
                "cuEventRecord", Stage::Decode);
  return true;
}

// Surfaces lie as NVDEC's documentation has them: luma rows, then chroma from the (even) height on.
NvdecPicture NvdecRun::copyOut(CUdeviceptr surface, size_t pitch) {
  const NvdecFormat& format = job_.format;
  const auto bytes = static_cast<size_t>(format.sampleBytes());
  const auto width = static_cast<size_t>(index_.storedWidth);
  const auto height = static_cast<size_t>(index_.storedHeight);
  const size_t surfaceRows = (session_->current().height + 1) & ~1u;
  const bool gray = format.chroma == cudaVideoChromaFormat_Monochrome;
  const size_t chromaW = format.is444() ? width : (width + 1) / 2 * 2;  // bytes hold Cb and Cr
  const size_t chromaH = format.is444() ? height : (height + 1) / 2;
  const int planes = gray ? 1 : format.is444() ? 3 : 2;

  const size_t rowPitch = alignPitch(std::max(width, chromaW) * bytes);
  const size_t total = rowPitch * (height + (planes - 1) * chromaH);
  const auto memory = frameMemory(session_->stream());
  auto buffer = std::make_shared<Buffer>(Buffer::allocate(memory, total));
  NvdecPicture picture;
  FrameView& view = picture.view;
  view.width = index_.storedWidth;
  view.height = index_.storedHeight;
  view.bitDepth = format.bitDepth;
  view.color = job_.color;
  view.orientation = index_.orientation;
  view.planes = gray ? 1 : 3;
  view.log2ChromaW = view.log2ChromaH = gray || format.is444() ? 0 : 1;
  size_t targetRow = 0;
  for (int i = 0; i < planes; i++) {
    const bool halved = i > 0 && !format.is444();
    const size_t rows = i > 0 ? chromaH : height;
    uint8_t* target = buffer->as<uint8_t>() + targetRow * rowPitch;
    if (i > 0 && session_->current().format.chroma == cudaVideoChromaFormat_Monochrome) {
      constexpr uint8_t kNeutral = 128;  // the surface has no chroma (decodesTo): 8 bit
      device_.check(device_.api().memsetD8Async(devicePointer(target), kNeutral, rowPitch * rows,
                                                session_->stream()->get()),
                    "cuMemsetD8Async", Stage::Decode);
    } else {
      CUDA_MEMCPY2D copy{};
      copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
      copy.srcDevice = surface + pitch * surfaceRows * static_cast<size_t>(i);
      copy.srcPitch = pitch;
      copy.srcXInBytes = static_cast<size_t>(cropLeft_) * bytes;  // halved: Cb and Cr, twice
      copy.srcY = static_cast<size_t>(halved ? cropTop_ / 2 : cropTop_);
      copy.dstDevice = devicePointer(target);
      copy.dstPitch = rowPitch;
      copy.WidthInBytes = (i > 0 ? chromaW : width) * bytes;
      copy.Height = rows;
      device_.check(device_.api().memcpy2DAsync(&copy, session_->stream()->get()),
                    "cuMemcpy2DAsync", Stage::Decode);
    }
    targetRow += rows;
    const int32_t shift = format.bitDepth > 8 ? 16 - format.bitDepth : 0;
    const auto step = static_cast<int32_t>(bytes);
    const auto stride = static_cast<int64_t>(rowPitch);
    if (halved) {
      view.plane[1] = {target, stride, 2 * step, shift};
      view.plane[2] = {target + bytes, stride, 2 * step, shift};
    } else {
      view.plane[i] = {target, stride, step, shift};
    }
  }
  picture.owner = std::move(buffer);
  return picture;
}

void NvdecRun::release(Mapped& mapped) noexcept {
  const DeviceContext::Cleanup cleanup(device_);
  if (!cleanup) return;
  // The copy reads the surface; on an error path it may not have an event yet.
  if (mapped.surface) {
    cleanup(device_.api().streamSynchronize(session_->stream()->get()), "cuStreamSynchronize");
    cleanup(device_.api().unmapVideoFrame(session_->get(), mapped.surface), "cuvidUnmapVideoFrame");
  }
  if (mapped.copied) cleanup(device_.api().eventDestroy(mapped.copied), "cuEventDestroy");
  mapped.surface = 0;
  mapped.copied = nullptr;
}

bool NvdecRun::giveOldest() {
  const DeviceContext::Current current(device_);
  Mapped& oldest = mapped_.front();
  device_.check(device_.api().eventSynchronize(oldest.copied), "cuEventSynchronize", Stage::Decode);
  device_.check(device_.api().unmapVideoFrame(session_->get(), oldest.surface),
                "cuvidUnmapVideoFrame", Stage::Decode);
  oldest.surface = 0;
  session_->stream()->settled(oldest.ticket);
  Mapped done = std::move(oldest);
  release(done);
  mapped_.pop_front();
  // Its copy is done, so everything decoded before it is too.
  for (size_t i = 0; i < surfaces_.size(); i++) readStatus(static_cast<int>(i));
  if (damage_.spoils(done.ordinal)) {
    return stop(SegmentOutcome::Kind::Damaged, done.ordinal,
                "NVDEC reports errors in it or in a picture that it refers to");
  }
  given_++;
  give_(done.ordinal, std::move(done.picture));
  return true;
}

// Notes damage of the picture in a surface, once it is known.
void NvdecRun::readStatus(int pictureIndex) {
  Surface& surface = surfaces_[static_cast<size_t>(pictureIndex)];
  if (!surface.statusDue) return;
  CUVIDGETDECODESTATUS status{};
  // Some codecs report no status; then the driver refuses and nothing is known.
  if (device_.api().getDecodeStatus(session_->get(), pictureIndex, &status) != CUDA_SUCCESS) return;
  if (status.decodeStatus == cuvidDecodeStatus_InProgress) return;
  if (status.decodeStatus == cuvidDecodeStatus_Error ||
      status.decodeStatus == cuvidDecodeStatus_Error_Concealed) {
    damage_.add(surface.ordinal);
  }
  surface.statusDue = false;
}

// The same before the surface gets another picture: what is not known then never will be. Mapping
// waits for a picture that is still being decoded.
void NvdecRun::settleStatus(int pictureIndex) {
  readStatus(pictureIndex);
  Surface& surface = surfaces_[static_cast<size_t>(pictureIndex)];
  CUVIDGETDECODESTATUS status{};
  if (surface.statusDue &&
      device_.api().getDecodeStatus(session_->get(), pictureIndex, &status) == CUDA_SUCCESS) {
    CUVIDPROCPARAMS params{};
    params.progressive_frame = 1;
    unsigned pitch = 0;
    const CUdeviceptr mapped = mapSurface(pictureIndex, params, pitch);
    const CUresult waited = device_.api().streamSynchronize(session_->stream()->get());
    const CUresult unmapped = device_.api().unmapVideoFrame(session_->get(), mapped);
    device_.check(waited, "cuStreamSynchronize", Stage::Decode);
    device_.check(unmapped, "cuvidUnmapVideoFrame", Stage::Decode);
    readStatus(pictureIndex);
  }
  surface = {};
}

}  // namespace cps
