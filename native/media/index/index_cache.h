#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/later.h"
#include "media/container/byte_source.h"
#include "media/index/frame_index.h"

namespace cps {

// Frame indexes of recently used files, least recently used first out. An entry is valid for one
// identity (path, size, modification time, inode). Nobody waits inside: where another caller is
// just building the index, a caller comes back later or builds it, too.
class IndexCache {
 public:
  using Build = std::function<FrameIndexPtr()>;
  enum class Busy { BuildToo, ComeBack };

  // The cached index or the one that `build` makes; keeps at most `capacity` (<= 0: none, nothing
  // is looked up either). Busy::ComeBack: throws Later while another caller builds it. Errors of
  // `build` go to the caller that ran it; the next to come builds anew.
  FrameIndexPtr get(const FileIdentity& identity, int64_t capacity, Busy busy, const Build& build);
  // Forgets this index, if it is the one that is kept.
  void drop(const FileIdentity& identity, const FrameIndexPtr& index);
  // Whether this folder of index files is used for the first time.
  bool isFirstUseOf(const std::string& folder);
  size_t size() const;
  void clear();

 private:
  struct Entry {
    FileIdentity identity;
    FrameIndexPtr index = nullptr;          // null: being built
    std::list<Later::Resume> waiting = {};  // for that
  };
  using Entries = std::list<Entry>;

  Entries::iterator find(const FileIdentity& identity);
  void wakeWhenBuilt(const FileIdentity& identity, Later::Resume resume);
  void fail(const FileIdentity& identity);
  void finish(const FileIdentity& identity, int64_t capacity, const FrameIndexPtr& index);

  mutable std::mutex mutex_;
  std::set<std::string> folders_;
  Entries entries_;  // the most recently used first
};

}  // namespace cps
