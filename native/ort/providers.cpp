#include "ort/providers.h"

namespace cps::ort {
namespace {

using Options = std::map<std::string, std::string>;

struct KeysAndValues {
  explicit KeysAndValues(const Options& options) {
    for (const auto& [key, value] : options) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
  std::vector<const char*> keys, values;
};

Error missing(const std::string& name, const std::string& libraries, const std::string& cause) {
  return {
      ErrorCode::BackendUnavailable, Stage::Open,
      "The execution provider '" + name + "' of ONNX Runtime cannot be used: " + cause +
          ". It needs " + libraries +
          ". onnxruntime-node's install script fetches the provider's library on Linux x64 (npm "
          "install onnxruntime-node --onnxruntime-node-install=cuda12, with install scripts "
          "allowed)"};
}

// `append` with what it throws about the provider itself said in words.
template <typename Append>
void explained(const std::string& name, const std::string& libraries, const Append& append) {
  try {
    append();
  } catch (const Error& error) {
    throw missing(name, libraries, error.what());
  }
}

}  // namespace

void appendProviders(const LibraryPtr& library, SessionOptions* options,
                     const SessionConfig& config) {
  const Api& api = library->api();
  const auto check = [&](Status* status) {
    library->check(status, Library::Doing::Load, "it says");
  };
  for (const std::string& name : config.providers) {
    Options given;
    if (const auto it = config.providerOptions.find(name); it != config.providerOptions.end()) {
      given = it->second;
    }
    given["device_id"] = std::to_string(config.deviceId);
    const KeysAndValues list(given);
    const auto *keys = list.keys.data(), *values = list.values.data();
    if (name == "cuda") {
      explained(name, "an NVIDIA driver, CUDA 12 and cuDNN 9", [&] {
        Held<CudaOptions> cuda(library, &Api::ReleaseCUDAProviderOptions);
        check(api.CreateCUDAProviderOptions(cuda.out()));
        check(api.UpdateCUDAProviderOptions(cuda.get(), keys, values, list.keys.size()));
        check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.get()));
      });
    } else if (name == "tensorrt") {
      explained(name, "an NVIDIA driver, CUDA 12, cuDNN 9 and TensorRT 10", [&] {
        Held<TensorRtOptions> rt(library, &Api::ReleaseTensorRTProviderOptions);
        check(api.CreateTensorRTProviderOptions(rt.out()));
        check(api.UpdateTensorRTProviderOptions(rt.get(), keys, values, list.keys.size()));
        check(api.SessionOptionsAppendExecutionProvider_TensorRT_V2(options, rt.get()));
      });
    }
    // 'cpu' is always there, behind all others.
  }
}

}  // namespace cps::ort
