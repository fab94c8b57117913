#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "ort/api.h"

namespace cps::ort {

// One libonnxruntime that this process has loaded already, with a hold on its environment.
class Library {
 public:
  // `path` names the file that onnxruntime-node has loaded; nothing is loaded here. Throws
  // Error(BackendUnavailable) where it is not loaded or too old.
  static std::shared_ptr<const Library> attach(const std::string& path);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  const Api& api() const { return api_; }
  const Env* env() const { return env_; }
  const std::string& version() const { return version_; }

  // Throws what `status` says, if anything, and frees it. Load: of a model; Run: of its use.
  enum class Doing { Load, Run };
  void check(Status* status, Doing doing, const std::string& what) const;

 private:
  Library() = default;

  Api api_;
  Env* env_ = nullptr;
  std::string version_;
};
using LibraryPtr = std::shared_ptr<const Library>;

// An object of the API with the function that frees it.
template <typename T>
class Held {
 public:
  Held(LibraryPtr library, void (*Api::*release)(T*))
      : library_(std::move(library)), release_(release) {}
  ~Held() {
    if (object_ != nullptr) (library_->api().*release_)(object_);
  }
  Held(Held&& other) noexcept
      : library_(std::move(other.library_)),
        release_(other.release_),
        object_(std::exchange(other.object_, nullptr)) {}
  Held& operator=(Held&&) = delete;
  T* get() const { return object_; }
  T** out() { return &object_; }

 private:
  LibraryPtr library_;
  void (*Api::*release_)(T*);
  T* object_ = nullptr;
};

}  // namespace cps::ort
