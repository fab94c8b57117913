#include "napi/options_reader.h"

#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/error.h"

namespace cps::napi {
namespace {

// Where a value stands in its record, for messages: under a name or at a position of what holds it.
struct Place {
  const Place* holder = nullptr;
  const char* name = nullptr;
  size_t position = 0;

  std::string text() const {
    const std::string before = holder ? holder->text() : "";
    if (!name) return before + "[" + std::to_string(position) + "]";
    return before.empty() ? name : before + "." + name;
  }
};

[[noreturn]] void badField(const Place& place, const char* expected) {
  throw Error(ErrorCode::InvalidArgument, Stage::Options,
              "Incomplete options record: field " + place.text() + " must be " + expected);
}

Napi::Value fieldOf(const Napi::Object& object, const char* name, const Place& place) {
  const Napi::Value v = object.Get(name);
  if (v.IsUndefined()) badField(place, "present");
  return v;
}

template <typename T>
void convert(const Napi::Value& value, const Place& place, T& out);

// Reads the fields of an object, whose limits are checked elsewhere (checkRanges).
class FieldReader {
 public:
  FieldReader(Napi::Object object, const Place* holder)
      : object_(std::move(object)), holder_(holder) {}
  template <typename T, typename... Bounds>
  void operator()(const char* name, T& out, Bounds... /*limits*/) const {
    const Place place{holder_, name};
    convert(fieldOf(object_, name, place), place, out);
  }

 private:
  Napi::Object object_;
  const Place* holder_;
};

double numberOf(const Napi::Value& value, const Place& place, const char* expected) {
  if (!value.IsNumber()) badField(place, expected);
  return value.As<Napi::Number>().DoubleValue();
}
Napi::Object objectOf(const Napi::Value& value, const Place& place) {
  if (!value.IsObject()) badField(place, "an object");
  return value.As<Napi::Object>();
}
std::string textOf(const Napi::Value& value, const Place& place) {
  if (!value.IsString()) badField(place, "a string");
  return value.As<Napi::String>().Utf8Value();
}

void convertOne(const Napi::Value& value, const Place& place, double& out) {
  out = numberOf(value, place, "a number");
}
void convertOne(const Napi::Value& value, const Place& place, int64_t& out) {
  const double v = numberOf(value, place, "a number");
  if (v != std::floor(v) || std::abs(v) > 9007199254740991.0) badField(place, "an integer");
  out = static_cast<int64_t>(v);
}
void convertOne(const Napi::Value& value, const Place& place, int& out) {
  int64_t wide = 0;
  convertOne(value, place, wide);
  if (wide != static_cast<int>(wide)) badField(place, "a 32-bit integer");
  out = static_cast<int>(wide);
}
void convertOne(const Napi::Value& value, const Place& place, bool& out) {
  if (!value.IsBoolean()) badField(place, "a boolean");
  out = value.As<Napi::Boolean>().Value();
}
void convertOne(const Napi::Value& value, const Place& place, std::string& out) {
  out = textOf(value, place);
}
void convertOne(const Napi::Value& value, const Place& place, Normalize& out) {
  const Napi::Object object = objectOf(value, place);
  const auto floats = [&](const char* name, float(&three)[3]) {
    const Place at{&place, name};
    const Napi::Value v = fieldOf(object, name, at);
    if (!v.IsArray() || v.As<Napi::Array>().Length() != 3) badField(at, "three numbers");
    for (uint32_t c = 0; c < 3; ++c) {
      three[c] = static_cast<float>(numberOf(v.As<Napi::Array>().Get(c), at, "three numbers"));
    }
  };
  FieldReader(object, &place)("scale", out.scale);
  std::optional<double> offset;
  FieldReader(object, &place)("offset", offset);
  out.offset.reset();
  if (offset) out.offset = static_cast<float>(*offset);
  floats("mean", out.mean);
  floats("std", out.std);
}
template <typename E>
requires std::is_enum_v<E>
void convertOne(const Napi::Value& value, const Place& place, E& out) {
  const std::string text = textOf(value, place);
  for (const auto& [known, of] : Spelled<E>::all) {
    if (text == known) {
      out = of;
      return;
    }
  }
  badField(place, "one of its documented values");
}
template <typename T>
void convertOne(const Napi::Value& value, const Place& place, std::optional<T>& out) {
  out.reset();
  if (!value.IsNull()) convert(value, place, out.emplace());
}
template <typename T>
void convertOne(const Napi::Value& value, const Place& place, std::vector<T>& out) {
  if (!value.IsArray()) badField(place, "an array");
  const auto items = value.As<Napi::Array>();
  out.clear();
  for (uint32_t i = 0; i < items.Length(); ++i) {
    convert(items.Get(i), Place{&place, nullptr, i}, out.emplace_back());
  }
}
template <typename T>
requires kHasFields<T>
void convertOne(const Napi::Value& value, const Place& place, T& out) {
  visitFields(FieldReader(objectOf(value, place), &place), out);
}
// { kind, value }, as src/options/structures.ts has it.
template <typename T>
requires kIsUnion<T>
void convertOne(const Napi::Value& value, const Place& place, T& out) {
  const Napi::Object object = objectOf(value, place);
  const Place at{&place, "kind"};
  if (!holdKind(out, textOf(fieldOf(object, "kind", at), at))) {
    badField(at, "one of its documented values");
  }
  visitValue([&](const char* /*kind*/, auto& held,
                 auto... /*limits*/) { FieldReader(object, &place)("value", held); },
             out);
}

template <typename T>
void convert(const Napi::Value& value, const Place& place, T& out) {
  convertOne(value, place, out);
}

class NameCollector {
 public:
  template <typename... Rest>
  void operator()(const char* name, Rest&&... /*field*/) {
    names.emplace_back(name);
  }
  std::vector<std::string> names;
};

template <typename Call>
Call read(const Napi::Value& value) {
  if (!value.IsObject()) badField(Place{nullptr, "records"}, "an object");
  const auto records = value.As<Napi::Object>();
  Call call{};
  visitRecords(
      [&](const char* name, auto& record) {
        const Napi::Value one = records.Get(name);
        if (!one.IsObject()) badField(Place{nullptr, name}, "an object");
        // Fields are named as the options are, without their record.
        visitFields(FieldReader(one.As<Napi::Object>(), nullptr), record);
      },
      call);
  return call;
}

template <typename Call>
void addFieldNames(std::map<std::string, std::vector<std::string>>& out) {
  Call call{};
  visitRecords(
      [&](const char* name, auto& record) {
        NameCollector collector;
        visitFields(collector, record);
        out[name] = std::move(collector.names);
      },
      call);
}

}  // namespace

PatchStreamOptions readPatchStreamOptions(const Napi::Value& records) {
  return read<PatchStreamOptions>(records);
}
DecodeOnlyOptions readDecodeOnlyOptions(const Napi::Value& records) {
  return read<DecodeOnlyOptions>(records);
}

VideoInput readVideoInput(const Napi::Value& value) {
  VideoInput input;
  if (value.IsString()) {
    input.path = value.As<Napi::String>().Utf8Value();
    // The system would end the name there and open another file.
    if (input.path.find('\0') != std::string::npos)
      badField(Place{nullptr, "videoPath"}, "a path without NUL");
    return input;
  }
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    badField(Place{nullptr, "videoPath"}, "a path, a Uint8Array or a source");
  }
  const auto bytes = value.As<Napi::Uint8Array>();
  input.bytes = std::make_shared<const std::vector<uint8_t>>(bytes.Data(),
                                                             bytes.Data() + bytes.ElementLength());
  return input;
}

std::map<std::string, std::vector<std::string>> recordFieldNames() {
  std::map<std::string, std::vector<std::string>> out;
  addFieldNames<PatchStreamOptions>(out);
  addFieldNames<DecodeOnlyOptions>(out);
  return out;
}

}  // namespace cps::napi
