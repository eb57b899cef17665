// Where faults happen: a server as a process of its own, daemons and readers around it, each of
// which can be killed, and a cache on a disk that must be valid whatever happens.
//
// All of them tell what they do through one pipe, line by line, in the order in which it happened.
// A machine without FUSE or listeners skips.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/fuse/faults/cache_contents.h"
#include "tests/fuse/store/store_fixture.h"

namespace coldread::faults {

// Who uses the device, and how.
enum class Way {
  serve,     // stepping daemons as clients of the mount
  exec,      // stepping daemons that were never changed
  built_in,  // the server's own
};

class Place : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  // From now on; after that the test is over, and has failed. Each test begins with as much.
  static void give_time();

  // The server, and the nursery of daemons. Skips the test if this machine cannot.
  void start(Way way, const std::string& profile);
  bool runs() const { return server_ > 0; }
  // As users end it: its exit code.
  int stop();
  // With SIGKILL. What it leaves is cleaned up by `coldread umount`, whose output it returns.
  std::string kill_server();
  std::string clean_up();
  void end_nursery();

  // --- what is told ---
  // The first line that nobody has awaited yet and that begins with one of these. Fails, and
  // returns nothing, when it does not come in time.
  std::string await(const std::vector<std::string>& beginnings);
  const std::vector<std::string>& told() const { return lines_; }
  // Ranges of `what` ("asked", "wrote") per key, since line number `from`.
  std::map<std::string, std::vector<Range>> ranges(const std::string& what, size_t from = 0) const;

  // --- who acts ---
  void say(const std::string& line);  // to the nursery
  // Its process; "ready" follows, or "step ...": at a number, or before the first call of a name.
  pid_t start_daemon(const std::string& stop_at = "0");
  pid_t start_successor(const std::string& stop_at = "0");
  void kill_daemon(pid_t daemon);                    // until it has ended
  pid_t in_child(const std::function<void()>& act);  // ends with it; may tell()
  // A child that reads an object in pieces and checks each byte: "reader PID ok BYTES",
  // "reader PID open ERRNO", "reader PID read ERRNO", "reader PID wrong OFFSET".
  pid_t start_reader(const std::string& path);
  pid_t start_rmdir(const std::string& volume);  // "rmdir ERRNO"
  // Ends children that were left, by their ids.
  void end_children();
  void forget_children() { children_.clear(); }  // somebody else has waited for them

  std::string at(const std::string& name) const { return directory_ / name; }
  std::string volume(const std::string& name) const { return at("mount/volumes/" + name); }
  std::string log() const;       // the server's standard error
  std::string requests() const;  // as the mount lists them

  // --- the cache on the disk, which nobody uses meanwhile ---
  // Each object's ranges that are there, by key. Fails if a byte is not the pattern's, or an
  // attribute cannot be read.
  std::map<std::string, std::vector<Range>> check_cache() const;

  fuse::DiskDirectory directory_;
  Way way_ = Way::serve;
  std::string profile_;
  pid_t server_ = -1;

 private:
  pid_t start_in_nursery(const std::string& line);
  pid_t spawn(const std::vector<std::string>& words, int input);
  bool read_lines(int milliseconds);

  int events_[2] = {-1, -1};
  int to_nursery_ = -1;
  pid_t nursery_ = -1;  // under exec: the server's child
  std::vector<pid_t> children_;
  std::string partial_;
  std::vector<std::string> lines_;
  std::vector<bool> awaited_;
};

// For tests of several ways and kernels, each of which becomes a test: "exec_6_1_192".
struct Case {
  Way way;
  const char* profile;
};
std::string name_of(const testing::TestParamInfo<Case>& test);

// Unmodified daemons and clients of the mount, with the kernels that are compared with real ones.
inline auto each_way_and_kernel() {
  return testing::Values(Case{Way::serve, "6.12.117"}, Case{Way::serve, "6.1.192"},
                         Case{Way::exec, "6.12.117"}, Case{Way::exec, "6.1.192"});
}
// With a kernel whose readers can be killed, and one whose readers cannot.
inline auto each_way_and_rule() {
  return testing::Values(Case{Way::serve, "6.12.117"}, Case{Way::serve, "6.8"},
                         Case{Way::exec, "6.1.192"}, Case{Way::exec, "6.8"});
}

// In a child: a line of its own.
void tell(const std::string& line);

}  // namespace coldread::faults
