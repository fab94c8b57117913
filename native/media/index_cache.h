#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/cancel.h"
#include "media/byte_source.h"
#include "media/frame_index.h"

namespace cps {

// Frame indexes of recently used files, least recently used first out. An entry is valid for one
// identity (path, size, modification time, inode). When several callers want the same missing index
// one of them builds it and the others wait.
class IndexCache {
 public:
  using Build = std::function<FrameIndexPtr()>;

  // The cached index or the one that `build` makes; keeps at most `capacity` (<= 0: none, nothing
  // is looked up either). A waiting caller stops with Error(Aborted) when `cancel` says so. Errors
  // of `build` go to the caller that ran it; a waiting caller then builds itself.
  FrameIndexPtr get(const FileIdentity& identity, int64_t capacity, const CancelPtr& cancel,
                    const Build& build);
  // Forgets this index, if it is the one that is kept.
  void drop(const FileIdentity& identity, const FrameIndexPtr& index);
  // Whether this folder of index files is used for the first time.
  bool isFirstUseOf(const std::string& folder);
  size_t size() const;
  void clear();

 private:
  struct Entry {
    FileIdentity identity;
    FrameIndexPtr index;  // null: being built
  };

  mutable std::mutex mutex_;
  std::set<std::string> folders_;
  std::condition_variable built_;
  std::list<Entry> entries_;  // the most recently used first
};

}  // namespace cps
