#pragma once

#include <string>
#include <vector>

namespace hostile {

// Every file name and socket that anything in this process opens is seen here: the executable's own
// open(), fopen(), socket() ... come before the C library's for FFmpeg as well.
class Audit {
 public:
  // Starts listening; only `allowed` (exactly this path) may be opened.
  static void begin(std::string allowed);
  // What else was opened since begin(): paths and "socket(...)". System files that the C library
  // and the C++ runtime read by themselves (/proc, /sys, /dev/urandom, /etc) are left out.
  static std::vector<std::string> end();
};

}  // namespace hostile
