#pragma once

#include <cstdint>
#include <vector>

#include "media/codec/picture_order.h"
#include "media/index/frame_index.h"

namespace cps {

// Where only tables were read: looks at the packets that may hold no picture (their displayIndex
// becomes -1), and, as far as headers allow another order than that of decoding, at groups of
// pictures whose times show none. Where the whole file is like that, at so many of them that it
// will be seen if it is not true.
void lookAtDoubtful(FrameIndex& index, ByteSource& source, PictureOrder& order,
                    const CancelPtr& cancel);

// The same for codecs whose hidden pictures should not, but may have packets of their own: looks at
// so many packets that it is seen where a muxer does that, and then at all of them.
void lookForHidden(FrameIndex& index, ByteSource& source, const CancelPtr& cancel);

// Whether index.display, sorted by timestamps, is the order of the codec (Note [Picture order]).
// `keys`: what PictureOrder gave for the packets; empty: nothing is known. Fills reorderDepth where
// it is not.
bool isOrderOfCodec(FrameIndex& index, const std::vector<int64_t>& keys);

}  // namespace cps
