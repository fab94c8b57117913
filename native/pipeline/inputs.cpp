#include "pipeline/inputs.h"

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "backend/cpu_kernels.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/task_pool.h"
#include "pipeline/context.h"
#include "pipeline/picture_maker.h"
#include "pipeline/size_rules.h"

namespace cps {
namespace {

// `held` bytes of pictures stay until the result is made of them: both count.
Buffer allocateResult(double bytes, double held, const DecodeOnlyOptions& options,
                      std::shared_ptr<MemoryResource> memory) {
  if (bytes + held > static_cast<double>(options.source.maxMemoryBytes)) {
    const auto megabytes = [](double n) { return std::to_string(static_cast<int64_t>(n / 1e6)); };
    const std::string beside =
        held > 0 ? " MB beside " + megabytes(held) + " MB of decoded pictures" : " MB";
    throw Error(ErrorCode::OutOfMemory, Stage::Process,
                "The pictures of the model's input would take " + megabytes(bytes) + beside +
                    ", more than maxMemoryBytes allows; sample fewer frames or raise it");
  }
  return Buffer::allocate(std::move(memory), static_cast<size_t>(bytes));
}

// Of the device that all sources are on.
std::unique_ptr<Kernels> kernelsFor(const ArrangeRequest& request, Context& context,
                                    const CancelPtr& cancel) {
  const Device device = request.sources.empty() ? Device::cpu() : request.sources[0]->device();
  for (const auto& source : request.sources) {
    if (source->device() == device) continue;
    throw Error(ErrorCode::InvalidArgument, Stage::Options, "The pictures are on several devices");
  }
  if (device.isCpu()) {
    TaskPool& pool = *context.media().pool;
    return makeCpuKernels({&pool, pool.threads(), cancel});
  }
  const GpuBackend* gpu = context.gpu();
  if (gpu == nullptr) throw Error(ErrorCode::BackendUnavailable, Stage::Process, kNoCudaBuild);
  for (const auto& source : request.sources) gpu->checkMemory(*source);
  return gpu->makeKernels(device.id, cancel);
}

}  // namespace

ArrangedPixels runArrange(const ArrangeRequest& request, const DecodeOnlyOptions& options,
                          Context& context, const CancelPtr& cancel, Profile& profile) {
  const Profile::Scope scope(profile, "arrangeMs");
  const DType dtype = options.frame.outputDtype;
  for (const ArrangePart& part : request.parts) checkArrange(part, request.elements);
  const double bytes =
      static_cast<double>(request.elements) * static_cast<double>(dtypeSize(dtype));
  double held = 0;
  std::set<const Buffer*> counted;
  for (const auto& source : request.sources) {
    if (counted.insert(source.get()).second) held += static_cast<double>(source->bytes());
  }
  const auto kernels = kernelsFor(request, context, cancel);
  Buffer out = allocateResult(bytes, held, options, kernels->memory());
  if (request.padded) kernels->fillZero(out.data(), out.bytes());
  const ValueTable table = makeValueTable(options.frame.normalize, dtype);
  for (const ArrangePart& part : request.parts) kernels->arrange(part, table, out.data());
  kernels->synchronize();
  return {std::move(out)};
}

ResizedFrames runResize(const GivenFrames& given, const DecodeOnlyOptions& options,
                        Context& context, const CancelPtr& cancel, Profile& profile) {
  const Profile::Scope scope(profile, "resizeMs");
  checkRanges(options);
  const FrameSize source{given.height, given.width};
  const int64_t pixels = int64_t{given.height} * given.width;
  if (given.height <= 0 || given.width <= 0 || given.count <= 0 || given.byteOffset < 0 ||
      static_cast<double>(given.byteOffset) +
              3.0 * static_cast<double>(pixels) * static_cast<double>(given.count) >
          static_cast<double>(given.source->bytes())) {
    throw Error(ErrorCode::InvalidArgument, Stage::Options, "The frames are not in their memory");
  }
  const FrameOptions& frame = options.frame;
  const std::vector<SizeStepRule> rules =
      frame.size ? sizeRulesOf(*frame.size) : std::vector<SizeStepRule>();
  const PictureSteps steps = makePictureSteps(rules, augmentOf(frame.augment), source, given.count);
  TaskPool& pool = *context.media().pool;
  const auto kernels = makeCpuKernels({&pool, 1, cancel});
  PictureMaker maker(*kernels, steps, frame.resample);
  ResizedFrames result;
  result.height = steps.result().height;
  result.width = steps.result().width;
  const size_t one = maker.resultBytes();
  result.frames = allocateResult(static_cast<double>(one) * static_cast<double>(given.count), 0,
                                 options, hostMemory());
  const uint8_t* from = given.source->as<const uint8_t>() + given.byteOffset;
  pool.parallelFor(static_cast<size_t>(given.count), pool.threads(), [&](size_t i) {
    cancel->check(Stage::Process);
    maker.make(rgbView(from + 3 * static_cast<size_t>(pixels) * i, source),
               result.frames.as<uint8_t>() + one * i);
  });
  return result;
}

}  // namespace cps
