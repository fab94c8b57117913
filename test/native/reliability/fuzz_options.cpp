// libFuzzer: native/napi/options_reader.cpp without a JavaScript engine. The few functions of
// Node-API that it uses are implemented here over plain values made of the fuzzer's bytes: records
// with fields left out, of other types, with getters that throw. What is read must be what was
// given, or the reader must refuse it with InvalidArgument; what it accepts must go through the
// pipeline without a crash, however odd the numbers are.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>

#include "core/error.h"
#include "napi/options_reader.h"
#include "pipeline/context.h"
#include "pipeline/pipeline.h"

namespace {

struct Value {
  napi_valuetype type = napi_undefined;
  double number = 0;
  bool boolean = false;
  bool isArray = false, isTyped = false;
  bool throws = false;  // reading it runs a getter that throws
  std::string text;
  napi_typedarray_type typedAs = napi_uint8_array;
  std::map<std::string, Value*> fields;
  std::vector<Value*> items;
  std::vector<uint8_t> bytes;
};

std::deque<Value> g_values;  // of one run
napi_value g_pending = nullptr;

Value* make(napi_valuetype type) {
  g_values.emplace_back();
  g_values.back().type = type;
  return &g_values.back();
}
napi_value handle(Value* v) { return reinterpret_cast<napi_value>(v); }
Value& value(napi_value v) { return *reinterpret_cast<Value*>(v); }

napi_status throwNow() {
  g_pending = handle(make(napi_object));
  return napi_pending_exception;
}

napi_status get(Value* v, napi_value* out) {
  if (v == nullptr) v = make(napi_undefined);
  if (v->throws) return throwNow();
  *out = handle(v);
  return napi_ok;
}

}  // namespace

extern "C" {
napi_status napi_typeof(napi_env, napi_value v, napi_valuetype* out) {
  *out = value(v).type;
  return napi_ok;
}
napi_status napi_get_named_property(napi_env, napi_value v, const char* name, napi_value* out) {
  if (value(v).type != napi_object) return napi_object_expected;
  const auto it = value(v).fields.find(name);
  return get(it == value(v).fields.end() ? nullptr : it->second, out);
}
napi_status napi_get_value_double(napi_env, napi_value v, double* out) {
  if (value(v).type != napi_number) return napi_number_expected;
  *out = value(v).number;
  return napi_ok;
}
napi_status napi_get_value_bool(napi_env, napi_value v, bool* out) {
  if (value(v).type != napi_boolean) return napi_boolean_expected;
  *out = value(v).boolean;
  return napi_ok;
}
napi_status napi_get_value_string_utf8(napi_env, napi_value v, char* buffer, size_t room,
                                       size_t* length) {
  if (value(v).type != napi_string) return napi_string_expected;
  const std::string& text = value(v).text;
  if (buffer == nullptr) {
    *length = text.size();
    return napi_ok;
  }
  const size_t n = room == 0 ? 0 : std::min(room - 1, text.size());
  std::memcpy(buffer, text.data(), n);
  if (room > 0) buffer[n] = '\0';
  if (length != nullptr) *length = n;
  return napi_ok;
}
napi_status napi_is_array(napi_env, napi_value v, bool* out) {
  *out = value(v).isArray;
  return napi_ok;
}
napi_status napi_get_array_length(napi_env, napi_value v, uint32_t* out) {
  *out = static_cast<uint32_t>(value(v).items.size());
  return napi_ok;
}
napi_status napi_get_element(napi_env, napi_value v, uint32_t i, napi_value* out) {
  return get(i < value(v).items.size() ? value(v).items[i] : nullptr, out);
}
napi_status napi_is_typedarray(napi_env, napi_value v, bool* out) {
  *out = value(v).isTyped;
  return napi_ok;
}
napi_status napi_get_typedarray_info(napi_env, napi_value v, napi_typedarray_type* type,
                                     size_t* length, void** data, napi_value*, size_t*) {
  if (type != nullptr) *type = value(v).typedAs;
  if (length != nullptr) *length = value(v).bytes.size();
  if (data != nullptr) *data = value(v).bytes.data();
  return napi_ok;
}
napi_status napi_is_exception_pending(napi_env, bool* out) {
  *out = g_pending != nullptr;
  return napi_ok;
}
napi_status napi_get_and_clear_last_exception(napi_env, napi_value* out) {
  *out = g_pending;
  g_pending = nullptr;
  return napi_ok;
}
napi_status napi_get_last_error_info(napi_env, const napi_extended_error_info** out) {
  static const napi_extended_error_info kInfo = {"failed", nullptr, 0, napi_generic_failure};
  *out = &kInfo;
  return napi_ok;
}
napi_status napi_create_string_utf8(napi_env, const char* text, size_t length, napi_value* out) {
  Value* v = make(napi_string);
  v->text = length == NAPI_AUTO_LENGTH ? std::string(text) : std::string(text, length);
  *out = handle(v);
  return napi_ok;
}
napi_status napi_create_error(napi_env, napi_value, napi_value, napi_value* out) {
  *out = handle(make(napi_object));
  return napi_ok;
}
napi_status napi_create_type_error(napi_env, napi_value, napi_value, napi_value* out) {
  *out = handle(make(napi_object));
  return napi_ok;
}
napi_status napi_create_reference(napi_env, napi_value v, uint32_t, napi_ref* out) {
  *out = reinterpret_cast<napi_ref>(v);
  return napi_ok;
}
napi_status napi_get_reference_value(napi_env, napi_ref ref, napi_value* out) {
  *out = reinterpret_cast<napi_value>(ref);
  return napi_ok;
}
napi_status napi_delete_reference(napi_env, napi_ref) { return napi_ok; }
napi_status napi_open_handle_scope(napi_env, napi_handle_scope* out) {
  *out = nullptr;
  return napi_ok;
}
napi_status napi_close_handle_scope(napi_env, napi_handle_scope) { return napi_ok; }
void napi_fatal_error(const char*, size_t, const char*, size_t) { std::abort(); }
// Mentioned by the header, never called by the reader.
napi_status napi_open_escapable_handle_scope(napi_env, napi_escapable_handle_scope*) {
  std::abort();
}
napi_status napi_close_escapable_handle_scope(napi_env, napi_escapable_handle_scope) {
  std::abort();
}
napi_status napi_escape_handle(napi_env, napi_escapable_handle_scope, napi_value, napi_value*) {
  std::abort();
}
napi_status napi_create_object(napi_env, napi_value*) { std::abort(); }
napi_status napi_define_properties(napi_env, napi_value, size_t, const napi_property_descriptor*) {
  std::abort();
}
}

namespace {

[[noreturn]] void finding(const char* what) {
  std::fprintf(stderr, "FINDING: %s\n", what);
  std::abort();
}
void expect(bool holds, const char* what) {
  if (!holds) finding(what);
}

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  uint8_t byte() { return left_ == 0 ? 0 : (--left_, *data_++); }
  uint64_t word() {
    uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v = v << 8 | byte();
    return v;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr const char* kWords[] = {
    "auto",  "gpu",   "cpu",       "throughput", "latency", "seek",      "stream",   "frame",
    "slice", "bt601", "bt709",     "bt2020",     "block",   "reference", "patch",    "block2x2",
    "nchw",  "nhwc",  "bfloat16",  "float16",    "float32", "uint8",     "",         "beside",
    "AUTO",  "x",     "undefined", "null",       "0",       "bf16",      "latency2", "cpu "};

// Any value, with a taste for those that fit somewhere.
Value* anyValue(Bytes& in, int depth = 0) {
  switch (in.byte() % 16) {
    case 0:
    case 1:
    case 2: {
      Value* v = make(napi_number);
      v->number = static_cast<int8_t>(in.byte());
      return v;
    }
    case 3: {
      Value* v = make(napi_number);
      const uint64_t bits = in.word();
      std::memcpy(&v->number, &bits, sizeof(bits));
      return v;
    }
    case 4: {
      Value* v = make(napi_number);
      v->number = static_cast<double>(static_cast<int64_t>(in.word()) >> in.byte() % 64);
      return v;
    }
    case 5:
    case 6: {
      Value* v = make(napi_boolean);
      v->boolean = (in.byte() & 1) != 0;
      return v;
    }
    case 7:
    case 8:
    case 9:
    case 10: {
      Value* v = make(napi_string);
      v->text = kWords[in.byte() % std::size(kWords)];
      return v;
    }
    case 11:
      return make(napi_null);
    case 12: {
      Value* v = make(napi_undefined);
      v->throws = (in.byte() & 1) != 0;
      return v;
    }
    case 13: {
      Value* v = make(napi_object);
      v->isArray = true;
      for (int n = depth < 3 ? in.byte() % 5 : 0; n > 0; --n) {
        v->items.push_back(anyValue(in, depth + 1));
      }
      return v;
    }
    case 14: {
      Value* v = make(napi_object);
      v->isTyped = true;
      v->typedAs = static_cast<napi_typedarray_type>(in.byte() % 11);
      for (int n = in.byte(); n > 0; --n) v->bytes.push_back(in.byte());
      return v;
    }
    default: {
      Value* v = make(napi_object);
      for (const char* name : {"scale", "mean", "std"}) {
        if (depth < 3 && (in.byte() & 3) != 0) v->fields[name] = anyValue(in, depth + 1);
      }
      return v;
    }
  }
}

// Records of the schema as the addon gets them, so that the fuzzer's changes are seen one by one:
// scripts/fuzz-records.mjs has written them, a value in a line.
class Records {
 public:
  explicit Records(const std::string& path) : file_(path) {}

  Value* next() {
    std::string line = nextLine();
    const size_t space = line.find(' ');
    const std::string kind = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (kind == "null") return make(napi_null);
    if (kind == "undefined") return make(napi_undefined);
    if (kind == "number") {
      Value* v = make(napi_number);
      v->number = std::strtod(rest.c_str(), nullptr);
      return v;
    }
    if (kind == "boolean") {
      Value* v = make(napi_boolean);
      v->boolean = rest == "1";
      return v;
    }
    if (kind == "text") {
      Value* v = make(napi_string);
      v->text = rest;
      return v;
    }
    Value* v = make(napi_object);
    const int count = std::atoi(rest.c_str());
    expect(kind == "list" || kind == "object", "option_records cannot be read");
    v->isArray = kind == "list";
    for (int i = 0; i < count; ++i) {
      if (v->isArray) {
        v->items.push_back(next());
      } else {
        const std::string name = nextLine();
        v->fields[name] = next();
      }
    }
    return v;
  }

 private:
  std::string nextLine() {
    std::string line;
    expect(bool(std::getline(file_, line)), "option_records ends early");
    return line;
  }
  std::ifstream file_;
};

// All calls; read anew for each run, since the fuzzer changes them.
Value* allCalls() { return Records(std::string(CPS_FUZZ_SEEDS) + "/option_records").next(); }

// True: read. False: refused as it should be.
template <typename Read, typename Record>
bool tryRead(const Read& read, Value* record, Record& out) {
  const Napi::Value given(reinterpret_cast<napi_env>(&g_pending), handle(record));
  try {
    out = read(given);
    return true;
  } catch (const cps::Error& error) {
    expect(error.code() == cps::ErrorCode::InvalidArgument, "another code than InvalidArgument");
    expect(std::strlen(error.what()) > 20, "an empty message");
  } catch (const Napi::Error&) {
    // A getter threw: the caller's exception goes on as it is.
  }
  return false;
}

void sameNumber(const Value& record, const char* name, double got) {
  const auto it = record.fields.find(name);
  expect(it != record.fields.end() && it->second->type == napi_number, "made a number up");
  expect(it->second->number == got, "a number has changed");
}

const cps::VideoInput& clip() {
  static const cps::VideoInput input = [] {
    cps::VideoInput v;
    std::ifstream file(std::string(CPS_FUZZ_SEEDS) + "/decode/mpeg4_mp4", std::ios::binary);
    file.get();  // the options byte of fuzz_decode
    v.bytes = std::make_shared<const std::vector<uint8_t>>(std::istreambuf_iterator<char>(file),
                                                           std::istreambuf_iterator<char>());
    return v;
  }();
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static cps::Context context(2);
  g_values.clear();
  g_pending = nullptr;
  Bytes in(data, size);
  const std::vector<Value*> calls = allCalls()->items;
  Value* call = calls[in.byte() % calls.size()];
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& [record, list] : cps::napi::recordFieldNames()) {
    for (const std::string& name : list) names.emplace_back(record, name);
  }
  int changes = in.byte() % 8;
  const bool unchanged = changes == 0;
  for (; changes > 0; --changes) {
    const auto& [record, name] = names[in.byte() % names.size()];
    auto& fields = call->fields.at(record)->fields;
    if (in.byte() % 8 == 0) {
      fields.erase(name);
    } else {
      fields[name] = anyValue(in);
    }
  }
  const bool whole = in.byte() % 32 != 31;
  if (!whole) call->fields[names[in.byte() % names.size()].first] = anyValue(in);

  cps::PatchStreamOptions patches{};
  cps::DecodeOnlyOptions frames{};
  const bool havePatches = tryRead(cps::napi::readPatchStreamOptions, call, patches);
  const bool haveFrames = tryRead(cps::napi::readDecodeOnlyOptions, call, frames);
  if (unchanged && whole) expect(havePatches && haveFrames, "a record of the schema is refused");
  cps::VideoInput input;
  tryRead(cps::napi::readVideoInput, anyValue(in), input);
  if (havePatches) {
    const cps::PatchStreamOptions& o = patches;
    const auto& records = call->fields;
    sameNumber(*records.at("source"), "decodeThreads", o.source.decodeThreads);
    sameNumber(*records.at("source"), "maxMemoryBytes",
               static_cast<double>(o.source.maxMemoryBytes));
    sameNumber(*records.at("patch"), "energyPct", o.patch.energyPct);
    sameNumber(*records.at("patch"), "patchSize", o.patch.patchSize);
  }

  cps::Profile profile;
  const auto cancel = std::make_shared<cps::CancelToken>();
  cancel->setDeadline(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  // src/options/schema.ts has checked ranges before; here only the machine is protected.
  const auto protect = [](cps::SourceOptions& source) {
    source.maxMemoryBytes = std::min<int64_t>(source.maxMemoryBytes, 64 << 20);
    source.readerCacheDir.clear();
  };
  try {
    protect(patches.source);
    if (havePatches) cps::runPatchStream(clip(), patches, context, cancel, profile);
  } catch (const cps::Error&) {
  }
  try {
    protect(frames.source);
    if (haveFrames) cps::runDecodeOnly(clip(), frames, context, cancel, profile);
  } catch (const cps::Error&) {
  }
  return 0;
}
