#include "napi/options_reader.h"

#include <cmath>
#include <type_traits>
#include <utility>

#include "core/error.h"

namespace cps::napi {
namespace {

[[noreturn]] void badField(const char* name, const char* expected) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              std::string("Incomplete options record: field ") + name + " must be " + expected);
}

// Reads the fields of a record, whose limits are checked elsewhere (checkRanges).
class Reader {
 public:
  explicit Reader(Napi::Object record) : record_(std::move(record)) {}

  void operator()(const char* name, int64_t& out) const {
    const double v = number(name);
    if (v != std::floor(v) || std::abs(v) > 9007199254740991.0) badField(name, "an integer");
    out = static_cast<int64_t>(v);
  }
  void operator()(const char* name, int& out) const {
    int64_t wide = 0;
    (*this)(name, wide);
    if (wide != static_cast<int>(wide)) badField(name, "a 32-bit integer");
    out = static_cast<int>(wide);
  }
  void operator()(const char* name, double& out) const { out = number(name); }
  void operator()(const char* name, bool& out) const {
    const Napi::Value v = field(name);
    if (!v.IsBoolean()) badField(name, "a boolean");
    out = v.As<Napi::Boolean>().Value();
  }
  void operator()(const char* name, std::string& out) const {
    const Napi::Value v = field(name);
    if (!v.IsString()) badField(name, "a string");
    out = v.As<Napi::String>().Utf8Value();
  }
  void operator()(const char* name, std::optional<double>& out) const {
    out.reset();
    if (!field(name).IsNull()) out = number(name);
  }
  template <typename E>
  requires std::is_enum_v<E>
  void operator()(const char* name, E& out) const {
    std::string text;
    (*this)(name, text);
    for (const auto& [known, value] : Spelled<E>::all) {
      if (text == known) {
        out = value;
        return;
      }
    }
    badField(name, "one of its documented values");
  }
  template <typename Number>
  void operator()(const char* name, Number& out, Limits /*limits*/) const {
    (*this)(name, out);
  }
  void operator()(const char* name, Normalize& out) const {
    const Napi::Value v = field(name);
    if (!v.IsObject()) badField(name, "an object");
    const Reader inner(v.As<Napi::Object>());
    out.scale = static_cast<float>(inner.number("scale"));
    inner.three("mean", out.mean);
    inner.three("std", out.std);
  }

 private:
  Napi::Value field(const char* name) const {
    const Napi::Value v = record_.Get(name);
    if (v.IsUndefined()) badField(name, "present");
    return v;
  }
  double number(const char* name) const {
    const Napi::Value v = field(name);
    if (!v.IsNumber()) badField(name, "a number");
    return v.As<Napi::Number>().DoubleValue();
  }
  void three(const char* name, float (&out)[3]) const {
    const Napi::Value v = field(name);
    if (!v.IsArray() || v.As<Napi::Array>().Length() != 3) badField(name, "three numbers");
    for (uint32_t c = 0; c < 3; ++c) {
      const Napi::Value item = v.As<Napi::Array>().Get(c);
      if (!item.IsNumber()) badField(name, "three numbers");
      out[c] = static_cast<float>(item.As<Napi::Number>().DoubleValue());
    }
  }

  Napi::Object record_;
};

class NameCollector {
 public:
  template <typename... Rest>
  void operator()(const char* name, Rest&&... /*field*/) {
    names.emplace_back(name);
  }
  std::vector<std::string> names;
};

template <typename Record>
Record read(const Napi::Value& value) {
  if (!value.IsObject()) badField("record", "an object");
  Record record{};
  const Reader reader(value.As<Napi::Object>());
  visitFields(reader, record);
  return record;
}

template <typename Record>
std::vector<std::string> fieldNames() {
  NameCollector collector;
  Record record{};
  visitFields(collector, record);
  return std::move(collector.names);
}

}  // namespace

DecodeOptions readDecodeOptions(const Napi::Value& record) { return read<DecodeOptions>(record); }
PatchOptions readPatchOptions(const Napi::Value& record) { return read<PatchOptions>(record); }
FrameOptions readFrameOptions(const Napi::Value& record) { return read<FrameOptions>(record); }

VideoInput readVideoInput(const Napi::Value& value) {
  VideoInput input;
  if (value.IsString()) {
    input.path = value.As<Napi::String>().Utf8Value();
    // The system would end the name there and open another file.
    if (input.path.find('\0') != std::string::npos) badField("videoPath", "a path without NUL");
    return input;
  }
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    badField("videoPath", "a path or a Uint8Array");
  }
  const auto bytes = value.As<Napi::Uint8Array>();
  input.bytes = std::make_shared<const std::vector<uint8_t>>(bytes.Data(),
                                                             bytes.Data() + bytes.ElementLength());
  return input;
}

std::vector<std::string> decodeFieldNames() { return fieldNames<DecodeOptions>(); }
std::vector<std::string> patchFieldNames() { return fieldNames<PatchOptions>(); }
std::vector<std::string> frameFieldNames() { return fieldNames<FrameOptions>(); }

}  // namespace cps::napi
