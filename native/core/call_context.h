#pragma once

#include <memory>

#include "core/cancel.h"
#include "core/memory_budget.h"
#include "core/notes.h"
#include "core/options.h"
#include "core/profile.h"

namespace cps {

// What a call hands to everything that opens and decodes its video.
struct CallContext {
  const SourceOptions& options;
  CancelPtr cancel;
  Profile& profile;
  // False: indexes on disk are left alone, since one of them has misled the call.
  bool storedIndexes = true;
  std::shared_ptr<Notes> notes = std::make_shared<Notes>();  // Note [Notes] in core/notes.h
  std::shared_ptr<MemoryBudget> memory = std::make_shared<MemoryBudget>(options.maxMemoryBytes);
};

}  // namespace cps
