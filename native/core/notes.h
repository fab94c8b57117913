#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cps {

// Note [Notes]
// What a user should know of a result that is right as far as it can be: an assumption, a frame
// that was replaced, a tag that was ignored. These codes are public (`notes` of every result);
// src/api/notes.ts lists the same ones for TypeScript and says what each means, and a test compares
// the two lists. What is learnt while the frame index is built belongs to the index, is kept with
// it (memory and disk) and comes with every call that uses it.
inline constexpr std::array<std::string_view, 9> kNoteCodes = {
    "assumed-matrix",      // colour tags that name no usable matrix
    "index-not-kept",      // readerCacheDir cannot be used
    "key-frames-alone",    // key frames, which come before others, filled kKeep
    "key-frames-compete",  // keyFramePatches 'auto' took 'compete'
    "missing-frames",      // pictures of the file that do not come out of the decoder
    "replaced-frames",     // option damaged 'nearest'
    "restarted-clock",     // timestamps that step back or restart
    "skipped-frames",      // option damaged 'skip'
    "truncated-file",      // the readable part of a file is used
};

// One of kNoteCodes: a literal that is none does not compile.
class NoteCode {
 public:
  // Literals become codes where they stand. NOLINTNEXTLINE(google-explicit-constructor)
  consteval NoteCode(const char* code) : text_(code) {
    if (!isListed(text_)) throw "not in kNoteCodes";
  }
  // For codes that were stored.
  static std::optional<NoteCode> named(std::string_view text) {
    for (const std::string_view code : kNoteCodes) {
      if (code == text) return NoteCode(code);
    }
    return std::nullopt;
  }
  std::string_view text() const { return text_; }
  friend bool operator<(NoteCode a, NoteCode b) { return a.text_ < b.text_; }

 private:
  explicit constexpr NoteCode(std::string_view listed) : text_(listed) {}
  static constexpr bool isListed(std::string_view text) {
    for (const std::string_view code : kNoteCodes) {
      if (code == text) return true;
    }
    return false;
  }
  std::string_view text_;
};

struct Note {
  NoteCode code;
  std::string message;
  std::vector<int64_t> frames;  // display indices, ascending; empty: of the whole video
};

// Collects the notes of one call or one index. Thread-safe; what comes out does not depend on the
// order in which notes came in: there is one per code, with all its frames, and its message is the
// one that came with the lowest frame (of several the first in the alphabet).
class Notes {
 public:
  void add(NoteCode code, std::string message, std::optional<int64_t> frame = {});
  void add(const Note& note);
  // Everything that `other` holds.
  void add(const Notes& other);
  // By code.
  std::vector<Note> list() const;

 private:
  struct Entry {
    std::string message;
    int64_t frame = 0;  // that the message came with
    std::set<int64_t> frames;
  };
  mutable std::mutex mutex_;
  std::map<NoteCode, Entry> entries_;
};

}  // namespace cps
