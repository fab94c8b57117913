#include "napi/arrange.h"

#include <cmath>
#include <utility>

#include "core/error.h"
#include "napi/native_buffer.h"

namespace cps::napi {
namespace {

[[noreturn]] void bad(const char* what) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              std::string("Incomplete plan of an input: ") + what);
}

int64_t integer(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) bad(what);
  const double v = value.As<Napi::Number>().DoubleValue();
  if (v != std::floor(v) || std::abs(v) > 9007199254740991.0) bad(what);
  return static_cast<int64_t>(v);
}

// Five numbers each: size, out, unit, inner, channel.
std::vector<ArrangeAxis> axesOf(const Napi::Value& value) {
  if (!value.IsArray()) bad("axes must be an array");
  const auto numbers = value.As<Napi::Array>();
  if (numbers.Length() == 0 || numbers.Length() % 5 != 0) bad("axes must be five numbers each");
  std::vector<ArrangeAxis> axes;
  for (uint32_t i = 0; i < numbers.Length(); i += 5) {
    const auto at = [&](uint32_t j) { return integer(numbers.Get(i + j), "axes are integers"); };
    axes.push_back({at(0), at(1), at(2), at(3), at(4) != 0});
  }
  return axes;
}

}  // namespace

ArrangeRequest readArrangeRequest(const Napi::Value& value) {
  if (!value.IsObject()) bad("it must be an object");
  const auto plan = value.As<Napi::Object>();
  ArrangeRequest request;
  request.elements = integer(plan.Get("elements"), "elements must be an integer");
  if (request.elements < 0) bad("elements must be an integer >= 0");
  request.padded = plan.Get("padded").ToBoolean();
  if (!plan.Get("parts").IsArray()) bad("parts must be an array");
  const auto parts = plan.Get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length(); ++i) {
    const Napi::Value one = parts.Get(i);
    if (!one.IsObject()) bad("a part must be an object");
    const auto object = one.As<Napi::Object>();
    ArrangePart part;
    std::shared_ptr<const Buffer> source = NativeBuffer::shared(object.Get("source"));
    part.source = source->as<const uint8_t>();
    part.sourceBytes = source->bytes();
    part.unitBytes = integer(object.Get("unitBytes"), "unitBytes must be an integer");
    part.offset = integer(object.Get("offset"), "offset must be an integer");
    const Napi::Value units = object.Get("units");
    if (!units.IsTypedArray() ||
        units.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
      bad("units must be an Int32Array");
    }
    const auto list = units.As<Napi::Int32Array>();
    part.units.assign(list.Data(), list.Data() + list.ElementLength());
    part.axes = axesOf(object.Get("axes"));
    request.parts.push_back(std::move(part));
    request.sources.push_back(std::move(source));
  }
  return request;
}

GivenFrames readGivenFrames(const Napi::Value& value) {
  if (!value.IsObject()) bad("frames must be an object");
  const auto object = value.As<Napi::Object>();
  const auto at = [&](const char* name) { return integer(object.Get(name), name); };
  GivenFrames given;
  given.source = NativeBuffer::shared(object.Get("source"));
  if (!given.source->device().isCpu()) bad("frames must be in host memory");
  given.byteOffset = at("byteOffset");
  given.count = at("count");
  const int64_t height = at("height"), width = at("width");
  constexpr int64_t kMostSide = 1 << 20;
  if (height < 0 || height > kMostSide || width < 0 || width > kMostSide) bad("sides are too long");
  given.height = static_cast<int32_t>(height);
  given.width = static_cast<int32_t>(width);
  return given;
}

}  // namespace cps::napi
