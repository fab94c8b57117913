#include "reliability/hostile/audit.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace hostile {
namespace {

std::mutex& mutex() {
  static auto* m = new std::mutex;
  return *m;
}
bool listening = false;
std::string allowedPath;
std::vector<std::string> seen;

void note(const char* what) {
  const std::lock_guard<std::mutex> lock(mutex());
  if (!listening || what == nullptr || allowedPath == what) return;
  for (const char* prefix : {"/proc/", "/sys/", "/dev/urandom", "/etc/", "/usr/"}) {
    if (std::strncmp(what, prefix, std::strlen(prefix)) == 0) return;
  }
  seen.emplace_back(what);
}

template <typename F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

mode_t modeOf(int flags, va_list args) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(args, int)) : 0;
}

}  // namespace

void Audit::begin(std::string allowed) {
  const std::lock_guard<std::mutex> lock(mutex());
  listening = true;
  allowedPath = std::move(allowed);
  seen.clear();
}

std::vector<std::string> Audit::end() {
  const std::lock_guard<std::mutex> lock(mutex());
  listening = false;
  return std::move(seen);
}

}  // namespace hostile

#define CPS_INTERPOSE extern "C" __attribute__((visibility("default")))

CPS_INTERPOSE int open(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = hostile::modeOf(flags, args);
  va_end(args);
  hostile::note(path);
  static auto* real = hostile::next<int(const char*, int, ...)>("open");
  return real(path, flags, mode);
}
CPS_INTERPOSE int open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = hostile::modeOf(flags, args);
  va_end(args);
  hostile::note(path);
  static auto* real = hostile::next<int(const char*, int, ...)>("open64");
  return real(path, flags, mode);
}
CPS_INTERPOSE int openat(int dir, const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = hostile::modeOf(flags, args);
  va_end(args);
  hostile::note(path);
  static auto* real = hostile::next<int(int, const char*, int, ...)>("openat");
  return real(dir, path, flags, mode);
}
CPS_INTERPOSE FILE* fopen(const char* path, const char* mode) {
  hostile::note(path);
  static auto* real = hostile::next<FILE*(const char*, const char*)>("fopen");
  return real(path, mode);
}
CPS_INTERPOSE FILE* fopen64(const char* path, const char* mode) {
  hostile::note(path);
  static auto* real = hostile::next<FILE*(const char*, const char*)>("fopen64");
  return real(path, mode);
}
CPS_INTERPOSE int socket(int domain, int type, int protocol) {
  hostile::note("socket()");
  static auto* real = hostile::next<int(int, int, int)>("socket");
  return real(domain, type, protocol);
}
CPS_INTERPOSE int connect(int fd, const sockaddr* address, socklen_t length) {
  hostile::note("connect()");
  static auto* real = hostile::next<int(int, const sockaddr*, socklen_t)>("connect");
  return real(fd, address, length);
}
