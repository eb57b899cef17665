#include "sim/live/failslab.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

constexpr const char* kFailslab = "/sys/kernel/debug/failslab/";

// Which allocations those are: the first below this function, or the first of an XArray's node,
// which is what the cache filter lets through (kNodesMayFail).
struct Site {
  const char* function;
  bool node = false;
};

// In the order of Allocation.
constexpr Site kSites[] = {
    {"cachefiles_daemon_open"},
    {"cachefiles_ondemand_send_req"},
    {"cachefiles_ondemand_send_req", true},
    {"cachefiles_ondemand_daemon_read", true},
    {"anon_inode_getfile"},
    {"cachefiles_read"},
    {"__cachefiles_write"},
};

// 0 or a negative errno.
int64_t set(const std::string& file, const std::string& value) {
  return write_file(kFailslab + file, value);
}

}  // namespace

std::optional<CodeRange> find_function(const std::string& kallsyms, const std::string& name) {
  std::istringstream symbols(kallsyms);
  std::vector<uint64_t> addresses;
  CodeRange range;
  for (std::string line; std::getline(symbols, line);) {
    std::istringstream words(line);
    uint64_t address = 0;
    std::string type, symbol;
    words >> std::hex >> address >> type >> symbol;
    addresses.push_back(address);
    if (symbol == name) range.start = address;
  }
  if (range.start == 0) return {};
  for (const uint64_t address : addresses)
    if (address > range.start) range.end = std::min(range.end, address);
  return range;
}

int64_t fail_next(Allocation what) {
  int64_t result = set("probability", "0");
  if (result < 0 || what == Allocation::none) return result;
  const Site& site = kSites[static_cast<size_t>(what)];
  const auto range = find_function(read_file("/proc/kallsyms"), site.function);
  if (!range) return -ENOENT;
  for (const auto& [file, value] : {std::pair{"cache-filter", std::string(site.node ? "Y" : "N")},
                                    {"ignore-gfp-wait", "N"},
                                    {"verbose", "0"},
                                    {"require-start", fmt::format("{:#x}", range->start)},
                                    {"require-end", fmt::format("{:#x}", range->end)},
                                    // What finds no node without waiting asks again and waits.
                                    {"times", site.node ? "2" : "1"},
                                    {"probability", "100"}}) {
    if (result == 0) result = set(file, value);
  }
  return result;
}

}  // namespace coldread::live
