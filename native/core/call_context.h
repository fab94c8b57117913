#pragma once

#include <memory>

#include "core/cancel.h"
#include "core/notes.h"
#include "core/options.h"
#include "core/profile.h"

namespace cps {

// What a call hands to everything that works for it.
struct CallContext {
  const DecodeOptions& options;
  CancelPtr cancel;
  Profile& profile;
  std::shared_ptr<Notes> notes = std::make_shared<Notes>();  // Note [Notes] in core/notes.h
};

}  // namespace cps
