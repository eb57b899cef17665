// Scenarios on a real kernel, seen from the host: boots guests, hands out scenarios, collects
// transcripts.
//
// Whatever becomes of this process, no guest and no file is left behind (guest_machine.h).
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sim/live/guest_machine.h"
#include "sim/live/kernel_image.h"
#include "sim/player/transcript.h"
#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

struct GuestOptions {
  int hang_after_ms = 5000;    // no task of the scenario gets on for so long: a hang
  int boot_limit_ms = 60'000;  // a machine that is not ready by then never will be
  int scenario_limit_ms = 300'000;
  unsigned memory_mb = 768;
  std::string program;  // run as PROGRAM guest SETUP in the guest; empty: this very program
  std::vector<std::string> blob_directories;  // as scenario::LoadOptions has them
  const std::atomic<bool>* stop = nullptr;    // set: gives up at once, with an error
};

// One booted guest. Not thread-safe.
class Guest {
 public:
  static Result<std::unique_ptr<Guest>> boot(const KernelImage& image, const DiskSpec& disk,
                                             const GuestOptions& options);

  // See GuestPool::play().
  Result<player::Transcript> play(const scenario::Scenario& scenario, const GuestOptions& options);

  // False after a hang or a failure: it plays nothing else.
  bool usable() const { return usable_; }
  // Whether it runs and is what boot() would make of these.
  bool serves(const KernelImage& image, const DiskSpec& disk, const GuestOptions& options) const;

 private:
  Guest() = default;
  Status wait_for(const std::string& path, int limit_ms, const GuestOptions& options);
  std::string why_ended() const;
  std::string console() const;

  KernelImage image_;
  DiskSpec disk_;
  std::string program_;
  std::string out_;
  std::unique_ptr<GuestMachine> machine_;
  size_t played_ = 0;
  bool usable_ = true;
};

// Guests that are kept for the next scenario: booting takes longer than most scenarios. Each call
// has a guest of its own. Thread rules: play() any number of times at once; guests end with the
// pool.
class GuestPool {
 public:
  // At most so many guests are kept while nobody uses them; the longest unused one goes first.
  explicit GuestPool(size_t keep = 4) : keep_(keep) {}

  // Plays the scenario, at its `path`, on `image`. An error means that the environment failed, not
  // the scenario: the guest did not boot, the module did not load, the kernel oopsed, the guest
  // went away or did not answer. A guest is used again unless it hung or failed.
  Result<player::Transcript> play(const KernelImage& image, const scenario::Scenario& scenario,
                                  const GuestOptions& options);

 private:
  // An idle one that will do; null: there is none.
  std::unique_ptr<Guest> take(const KernelImage& image, const DiskSpec& disk,
                              const GuestOptions& options);
  void give_back(std::unique_ptr<Guest> guest);

  const size_t keep_;
  std::mutex lock_;
  std::list<std::unique_ptr<Guest>> idle_;
};

}  // namespace coldread::live
