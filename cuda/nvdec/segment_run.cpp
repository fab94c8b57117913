#include "cuda/nvdec/segment_run.h"

#include <algorithm>

#include "cuda/driver/memory.h"
#include "media/nal.h"
#include "media/segment_decoder.h"

namespace cps {
namespace {

constexpr size_t kPitchAlignment = 256;
constexpr unsigned kSpareSurfaces = 4;  // decoded ahead of the one being displayed
constexpr int32_t kLooseCrop = 16;      // codecs whose parser reports the padded size

size_t alignPitch(size_t bytes) {
  return (bytes + kPitchAlignment - 1) / kPitchAlignment * kPitchAlignment;
}

}  // namespace

PictureClock::PictureClock(const FrameIndex& index) : ranks_(index.packets.size(), -1) {
  for (size_t i = 0; i < index.packets.size(); i++) {
    if (index.packets[i].order != kNoOrder) ordinals_.push_back(static_cast<int32_t>(i));
  }
  std::stable_sort(ordinals_.begin(), ordinals_.end(), [&](int32_t a, int32_t b) {
    return index.packets[static_cast<size_t>(a)].order <
           index.packets[static_cast<size_t>(b)].order;
  });
  for (size_t r = 0; r < ordinals_.size(); r++) {
    ranks_[static_cast<size_t>(ordinals_[r])] = static_cast<int32_t>(r);
  }
}

std::optional<int64_t> PictureClock::timestampOf(int32_t ordinal) const {
  const int32_t rank = ranks_[static_cast<size_t>(ordinal)];
  if (rank < 0) return std::nullopt;
  return (int64_t{rank} + 1) * kStep;
}

int32_t PictureClock::ordinalOf(int64_t timestamp) const {
  if (timestamp <= 0 || timestamp % kStep != 0) return -1;
  const int64_t rank = timestamp / kStep - 1;
  return rank < static_cast<int64_t>(ordinals_.size()) ? ordinals_[static_cast<size_t>(rank)] : -1;
}

NvdecRun::NvdecRun(const NvdecJob& job, Give give)
    : job_(job),
      index_(job.video.index()),
      bitstream_(index_.bitstream),
      give_(std::move(give)),
      device_(job.nvdec.device()),
      filter_(index_) {}

NvdecRun::~NvdecRun() {
  for (Mapped& mapped : mapped_) release(mapped);
}

bool NvdecRun::mayDrop(const AVPacket& packet, int32_t ordinal) const {
  if (std::binary_search(targets_.begin(), targets_.end(), ordinal)) return false;
  return isDroppable({packet.data, static_cast<size_t>(packet.size)}, bitstream_);
}

void NvdecRun::decode(const DecodeSegment& segment, PacketReader& reader) {
  targets_ = segment.targets;
  targetCount_ = targets_.size();
  given_ = 0;
  damaged_.clear();
  std::fill(shownOrdinals_.begin(), shownOrdinals_.end(), -1);
  filter_.reset();
  {
    NvdecParser parser(job_.nvdec.deviceRef(), job_.format.codec, job_.displayDelay, *this);
    feed(segment, reader, parser);
  }
  while (!mapped_.empty()) giveOldest();
  if (given_ == targetCount_) return;
  throw DamagedPicture{targets_.front(), "NVDEC never gave it out"};
}

void NvdecRun::feed(const DecodeSegment& segment, PacketReader& reader, NvdecParser& parser) {
  const auto headers = filter_.headers();
  if (!headers.empty()) parser.parse(headers, std::nullopt);
  const UniqueAVPacket packet = makePacket(Stage::Decode);
  reader.moveTo(segment.first);
  while (!targets_.empty() && reader.next() <= segment.last && reader.read(*packet)) {
    if (job_.cancel) job_.cancel->check(Stage::Decode);
    const int32_t ordinal = reader.next() - 1;
    followHeaders({packet->data, static_cast<size_t>(packet->size)}, bitstream_);
    if (mayDrop(*packet, ordinal)) {
      counters_.packetsDropped++;
      continue;
    }
    if (packet->flags & AV_PKT_FLAG_CORRUPT) damaged_.push_back(ordinal);
    counters_.packetsDecoded++;
    const auto timestamp = job_.clock.timestampOf(ordinal);
    filter_.convert(*packet, [&](std::span<const uint8_t> data) { parser.parse(data, timestamp); });
  }
  if (!targets_.empty()) parser.finish();
}

int NvdecRun::onSequence(const CUVIDEOFORMAT& format) {
  const auto& area = format.display_area;
  const NvdecFormat seen{format.codec, format.chroma_format, format.bit_depth_luma_minus8 + 8};
  const int32_t width = area.right - area.left, height = area.bottom - area.top;
  const int32_t extraW = width - index_.storedWidth, extraH = height - index_.storedHeight;
  const bool exact = extraW == 0 && extraH == 0;
  const bool padded = area.left == 0 && area.top == 0 && extraW >= 0 && extraH >= 0 &&
                      extraW < kLooseCrop && extraH < kLooseCrop &&
                      seen.codec != cudaVideoCodec_H264 && seen.codec != cudaVideoCodec_HEVC;
  const bool resized = session_ && (session_->current().width != format.coded_width ||
                                    session_->current().height != format.coded_height);
  if (!(seen == job_.format) || !(exact || padded) || resized) {
    throw Error(ErrorCode::Unsupported, Stage::Decode,
                "'" + job_.video.bytes()->describe() + "' turns to " + std::to_string(width) + "x" +
                    std::to_string(height) + " (" + seen.describe() + ") while the video is " +
                    std::to_string(index_.storedWidth) + "x" + std::to_string(index_.storedHeight) +
                    " (" + job_.format.describe() +
                    "): a change of size in mid-stream is not supported.");
  }
  cropLeft_ = area.left;
  cropTop_ = area.top;
  const SessionRequest request{job_.format, format.coded_width, format.coded_height,
                               format.min_num_decode_surfaces + kSpareSurfaces};
  if (!session_) {
    session_ = job_.nvdec.take(request, job_.reuse);
    shownOrdinals_.assign(session_->surfaces(), -1);
  }
  return static_cast<int>(session_->surfaces());
}

void NvdecRun::onDecode(CUVIDPICPARAMS& picture) {
  const int index = picture.CurrPicIdx;
  if (!session_ || index < 0 || index >= static_cast<int>(session_->surfaces())) {
    throw Error(ErrorCode::Device, Stage::Decode,
                "NVDEC's parser asked for decode surface " + std::to_string(index) +
                    ", which there is not");
  }
  // The surface is about to be overwritten: finish what still reads it.
  while (std::any_of(mapped_.begin(), mapped_.end(),
                     [&](const Mapped& m) { return m.pictureIndex == index; })) {
    giveOldest();
  }
  readStatus(index);
  shownOrdinals_[static_cast<size_t>(index)] = -1;
  device_.check(device_.api().decodePicture(session_->get(), &picture), "cuvidDecodePicture",
                Stage::Decode);
}

void NvdecRun::onDisplay(const CUVIDPARSERDISPINFO& info) {
  const int32_t ordinal = job_.clock.ordinalOf(info.timestamp);
  if (ordinal < 0 || !session_) return;
  shownOrdinals_[static_cast<size_t>(info.picture_index)] = ordinal;
  const auto it = std::lower_bound(targets_.begin(), targets_.end(), ordinal);
  if (it == targets_.end() || *it != ordinal) return;
  map(info, ordinal);
  targets_.erase(it);
}

void NvdecRun::map(const CUVIDPARSERDISPINFO& info, int32_t ordinal) {
  if (mapped_.size() >= kMappedSurfaces - 1) giveOldest();
  CUVIDPROCPARAMS params{};
  params.progressive_frame = info.progressive_frame;
  params.second_field = info.repeat_first_field + 1;
  params.top_field_first = info.top_field_first;
  params.unpaired_field = info.repeat_first_field < 0 ? 1 : 0;
  params.output_stream = session_->stream()->get();
  unsigned long long surface = 0;
  unsigned pitch = 0;
  device_.check(
      device_.api().mapVideoFrame(session_->get(), info.picture_index, &surface, &pitch, &params),
      "cuvidMapVideoFrame", Stage::Decode);
  counters_.mapped++;
  mapped_.push_back({surface, nullptr, ordinal, info.picture_index, {}});
  Mapped& mapped = mapped_.back();
  device_.check(device_.api().eventCreate(&mapped.copied, kCuEventDisableTiming), "cuEventCreate",
                Stage::Decode);
  mapped.picture = copyOut(surface, pitch);
  device_.check(device_.api().eventRecord(mapped.copied, session_->stream()->get()),
                "cuEventRecord", Stage::Decode);
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
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = surface + pitch * surfaceRows * static_cast<size_t>(i);
    copy.srcPitch = pitch;
    copy.srcXInBytes = static_cast<size_t>(cropLeft_) * bytes;  // halved: Cb and Cr, twice
    copy.srcY = static_cast<size_t>(halved ? cropTop_ / 2 : cropTop_);
    uint8_t* target = buffer->as<uint8_t>() + targetRow * rowPitch;
    copy.dstDevice = devicePointer(target);
    copy.dstPitch = rowPitch;
    copy.WidthInBytes = (i > 0 ? chromaW : width) * bytes;
    copy.Height = i > 0 ? chromaH : height;
    device_.check(device_.api().memcpy2DAsync(&copy, session_->stream()->get()), "cuMemcpy2DAsync",
                  Stage::Decode);
    targetRow += copy.Height;
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

void NvdecRun::giveOldest() {
  const DeviceContext::Current current(device_);
  Mapped& oldest = mapped_.front();
  device_.check(device_.api().eventSynchronize(oldest.copied), "cuEventSynchronize", Stage::Decode);
  device_.check(device_.api().unmapVideoFrame(session_->get(), oldest.surface),
                "cuvidUnmapVideoFrame", Stage::Decode);
  oldest.surface = 0;
  Mapped done = std::move(oldest);
  release(done);
  mapped_.pop_front();
  // Its copy is done, so everything decoded before it is too.
  for (size_t i = 0; i < shownOrdinals_.size(); i++) readStatus(static_cast<int>(i));
  if (isSpoilt(done.ordinal)) {
    throw DamagedPicture{done.ordinal,
                         "NVDEC reports errors in it or in a picture that it refers to"};
  }
  given_++;
  give_(done.ordinal, std::move(done.picture));
}

// Notes damage of the picture that was last shown from a surface, once.
void NvdecRun::readStatus(int pictureIndex) {
  int32_t& ordinal = shownOrdinals_[static_cast<size_t>(pictureIndex)];
  if (ordinal < 0) return;
  CUVIDGETDECODESTATUS status{};
  // Some codecs report no status; then the driver refuses and nothing is known.
  if (device_.api().getDecodeStatus(session_->get(), pictureIndex, &status) != CUDA_SUCCESS) return;
  if (status.decodeStatus == cuvidDecodeStatus_InProgress) return;
  if (status.decodeStatus == cuvidDecodeStatus_Error ||
      status.decodeStatus == cuvidDecodeStatus_Error_Concealed) {
    damaged_.push_back(ordinal);
  }
  ordinal = -1;
}

bool NvdecRun::isSpoilt(int32_t ordinal) const {
  return std::any_of(damaged_.begin(), damaged_.end(),
                     [&](int32_t bad) { return damageReaches(index_, bad, ordinal); });
}

}  // namespace cps
