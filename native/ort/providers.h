#pragma once

#include "ort/session.h"

namespace cps::ort {

// Adds the execution providers of `config` in their order. Throws Error(BackendUnavailable) that
// says what to install where one does not load.
void appendProviders(const LibraryPtr& library, SessionOptions* options,
                     const SessionConfig& config);

}  // namespace cps::ort
