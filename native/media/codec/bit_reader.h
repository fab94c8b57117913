#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cps {

// Reads bits, most significant first. Past the end: zeros. `escaped`: the payload of a NAL unit,
// whose emulation prevention bytes are left out.
class BitReader {
 public:
  explicit BitReader(std::span<const uint8_t> data, bool escaped = true)
      : data_(data), escaped_(escaped) {}

  bool ended() const { return past_; }
  uint32_t bit() {
    if (left_ == 0) nextByte();
    --left_;
    return (current_ >> left_) & 1;
  }
  uint32_t bits(int n) {
    uint32_t v = 0;
    while (n-- > 0) v = v << 1 | bit();
    return v;
  }
  uint32_t ue() {
    int zeros = 0;
    while (zeros < 32 && !bit()) {
      if (past_) return 0;
      ++zeros;
    }
    return zeros >= 32 ? UINT32_MAX : (1u << zeros) - 1 + bits(zeros);
  }
  int32_t se() {
    const uint32_t v = ue();
    return v & 1 ? static_cast<int32_t>(v / 2 + 1) : -static_cast<int32_t>(v / 2);
  }

 private:
  void nextByte() {
    if (escaped_ && zeros_ == 2 && at_ < data_.size() && data_[at_] == 3) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ >= data_.size()) {
      past_ = true;
      current_ = 0;
    } else {
      current_ = data_[at_++];
      zeros_ = current_ == 0 ? std::min(zeros_ + 1, 2) : 0;
    }
    left_ = 8;
  }

  std::span<const uint8_t> data_;
  bool escaped_;
  size_t at_ = 0;
  uint32_t current_ = 0;
  int left_ = 0;
  int zeros_ = 0;
  bool past_ = false;
};

}  // namespace cps
