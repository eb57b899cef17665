// The signal handler does nothing but set a flag.
#include "sim/cli/interrupt.h"

#include <csignal>

namespace coldread::cli {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

const std::atomic<bool>& catch_interrupts() {
  // Once: the second signal shall find what it finds without.
  [[maybe_unused]] static const bool installed = [] {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = true; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  return interrupted;
}

}  // namespace coldread::cli
