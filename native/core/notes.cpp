#include "core/notes.h"

#include <limits>
#include <tuple>
#include <utility>

namespace cps {

void Notes::add(NoteCode code, std::string message, std::optional<int64_t> frame) {
  const int64_t at = frame.value_or(std::numeric_limits<int64_t>::max());
  const std::lock_guard lock(mutex_);
  const auto [it, isNew] = entries_.try_emplace(code);
  Entry& entry = it->second;
  if (isNew || std::tie(at, message) < std::tie(entry.frame, entry.message)) {
    entry.message = std::move(message);
    entry.frame = at;
  }
  if (frame) entry.frames.insert(*frame);
}

void Notes::add(const Note& note) {
  if (note.frames.empty()) return add(note.code, note.message);
  for (const int64_t frame : note.frames) add(note.code, note.message, frame);
}

void Notes::add(const Notes& other) {
  for (const Note& note : other.list()) add(note);
}

std::vector<Note> Notes::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Note> all;
  for (const auto& [code, entry] : entries_) {
    all.push_back({code, entry.message, {entry.frames.begin(), entry.frames.end()}});
  }
  return all;
}

}  // namespace cps
