#include "core/cpu_budget.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace cps {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

// The mask grows with the machine: asked for again in twice the size while the kernel's is larger.
int affinityCpus() {
#if defined(__linux__)
  for (size_t bits = 1024; bits <= size_t{1} << 20; bits *= 2) {
    std::vector<cpu_set_t> mask(bits / 1024);
    const size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) == 0) return CPU_COUNT_S(bytes, mask.data());
  }
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Where a hierarchy is mounted, and which of its groups is there.
struct Mount {
  std::string root, point;
  bool unified;
};

// The mounts of /proc/self/mountinfo that can limit processor time.
std::vector<Mount> cpuMounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line), after(line.substr(dash + 3));
    std::string skip, type, source, options;
    Mount mount{};
    before >> skip >> skip >> skip >> mount.root >> mount.point;
    after >> type >> source >> options;
    mount.unified = type == "cgroup2";
    const bool hasCpu = ("," + options + ",").find(",cpu,") != std::string::npos;
    if (mount.unified || (type == "cgroup" && hasCpu)) mounts.push_back(mount);
  }
  return mounts;
}

// The process's group in the hierarchy of v2 (controllers "") or in the one with controller cpu.
std::optional<std::string> groupOf(const std::string& root, bool unified) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool isIt = unified ? controllers.empty()
                              : ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (isIt) return line.substr(second + 1);
  }
  return std::nullopt;
}

int cpusOf(double quota, double period) {
  if (!(quota > 0) || !(period > 0)) return kNoLimit;
  const double cpus = std::ceil(quota / period);
  return cpus < kNoLimit ? static_cast<int>(cpus) : kNoLimit;
}

// "max 100000" or "150000 100000"; v1 has the two numbers in files of their own, -1 for none.
int limitOf(const std::string& group, bool unified) {
  double quota = 0, period = 0;
  if (unified) {
    std::ifstream(group + "/cpu.max") >> quota >> period;
  } else {
    std::ifstream(group + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(group + "/cpu.cfs_period_us") >> period;
  }
  return cpusOf(quota, period);
}

// The least of the group's own limit and those above it, as far up as can be seen from here.
int quotaCpus(const std::string& root, const Mount& mount) {
  const std::optional<std::string> group = groupOf(root, mount.unified);
  if (!group) return kNoLimit;
  // In a container the path may be the host's, of which the mount shows a part.
  std::string path = *group;
  if (mount.root != "/") {
    const bool inside = path.compare(0, mount.root.size(), mount.root) == 0;
    path = inside ? path.substr(mount.root.size()) : "";
  }
  if (path.find("..") != std::string::npos) path.clear();
  const std::string at = root + mount.point;
  int least = kNoLimit;
  for (;;) {
    if (path == "/") path.clear();
    std::string folder = at;
    folder += path;
    least = std::min(least, limitOf(folder, mount.unified));
    if (path.empty()) return least;
    path.erase(path.rfind('/'));
  }
}

}  // namespace

int availableCpus(const std::string& root) {
  int cpus = affinityCpus();
  for (const Mount& mount : cpuMounts(root)) cpus = std::min(cpus, quotaCpus(root, mount));
  return std::max(1, cpus);
}

}  // namespace cps
