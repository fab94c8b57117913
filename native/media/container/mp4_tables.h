#pragma once

#include <cstdint>

#include "core/cancel.h"
#include "media/container/byte_source.h"

namespace cps {

// Note [Tables that lie]
// MP4 tables can claim 10^9 samples in a few bytes: a constant sample size (stsz), a fragment whose
// samples have no fields of their own (trun), a run of chunks (stsc), many edits of one table
// (elst). FFmpeg believes them when it opens the file and allocates an entry for each sample (up to
// 2 GiB for each track), before anybody can ask how many there are. So the claims are added up here
// first: only box headers are read, and tables that are as long as they say.
//
// Throws Error(OutOfMemory) naming maxMemoryBytes when the tables would take more than maxBytes,
// Error(Corrupt) when they claim more samples than the file has bytes, and Error(Unsupported) for a
// compressed QuickTime header (cmov), whose claims cannot be seen. Anything else that is wrong with
// the file is FFmpeg's to say.
void checkMp4Tables(ByteSource& source, int64_t maxBytes, const CancelPtr& cancel);

}  // namespace cps
