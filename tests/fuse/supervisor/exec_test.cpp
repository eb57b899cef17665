// `coldread exec` as its users run it: unmodified daemons of every kind, readers on the mount, a
// cache on a disk; daemons and the supervisor killed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/fuse/supervisor/exec_fixture.h"

namespace coldread {
namespace {

class Daemons : public Exec, public testing::WithParamInterface<const char*> {};

TEST_P(Daemons, ServeReaders) {
  const std::string path = environment(std::string("COLDREAD_DAEMON_") + GetParam());
  if (path.empty()) GTEST_SKIP() << "not built: no compiler for " << GetParam();
  const std::string out = read_through(path + " cache blobs");
  expect_served(out);
  EXPECT_THAT(out, HasSubstr("none: "));
  EXPECT_TRUE(exists("cache/graveyard")) << "the cache is where the daemon said";
}

INSTANTIATE_TEST_SUITE_P(Of, Daemons,
                         testing::Values("BLOCKING", "THREADS", "MUSL_BLOCKING", "MUSL_THREADS",
                                         "GO"));

class Variants : public Exec {
 protected:
  std::string served_by(const std::string& what) {
    return read_through(program("VARIANTS") + " " + what + " cache blobs");
  }
};

TEST_F(Variants, ACopyOfTheDeviceServes) {
  expect_served(served_by("copy"));
}

TEST_F(Variants, AChildServesWithoutItsParent) {
  const CommandResult result =
      run_script(program("VARIANTS") +
                 " child cache blobs > log 2>&1; await ready log\n"
                 "mkdir $M/volumes/v; compare large; compare small\n"
                 "kill $(grep -l ^variants /proc/[0-9]*/comm | cut -d/ -f3 | while read p; do\n"
                 "  [ $(readlink /proc/$p/cwd) = $PWD ] && echo $p; done)\n");
  expect_served(result.out);
}

TEST_F(Variants, WhoGaveUpItsRightsServes) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  const std::string out = served_by("unprivileged");
  EXPECT_THAT(out, HasSubstr("setresuid 0"));
  expect_served(out);
}

TEST_F(Variants, AtALowNumberTheDeviceServes) {
  const std::string out = served_by("low");
  EXPECT_THAT(out, HasSubstr("dup2 5"));
  expect_served(out);
}

TEST_F(Variants, WhereNothingCanBeDoneAnOpenFailsLoudly) {
  const CommandResult result = run_script(
      program("VARIANTS") +
      " traced cache blobs > log 2>&1 & D=$!; await ready log\n"
      "mkdir $M/volumes/v; timeout 20 cat $M/volumes/v/small; echo cat $?; wait $D; cat log\n");
  EXPECT_THAT(result.out, HasSubstr("cat 1\n"));
  EXPECT_THAT(result.out, HasSubstr("read -5\n"));
  EXPECT_THAT(result.err, HasSubstr("cannot be traced: the OPEN fails"));
}

TEST_F(Variants, ADeviceThatAShellOpenedServes) {
  expect_served(read_through("bash -c 'exec 3<>/dev/cachefiles; exec \"$@\"' bash " +
                             program("VARIANTS") + " inherited cache blobs"));
}

TEST_F(Variants, OpensThatCannotBeDeliveredFailAndTheNextDoNot) {
  const CommandResult result =
      run_script(program("VARIANTS") +
                 " careless cache blobs > log 2>&1 & D=$!; await ready log\n"
                 "mkdir $M/volumes/v; cat $M/volumes/v/large >/dev/null; cat $M/volumes/v/small\n"
                 "compare other; kill $D; wait; cat log\n");
  EXPECT_THAT(result.out, HasSubstr("other is right"));
  EXPECT_THAT(result.out, HasSubstr("no number -24\nbad memory -14\n"));
  EXPECT_THAT(result.err, HasSubstr("large"));
  EXPECT_THAT(result.err, HasSubstr("small"));
}

TEST_F(Variants, CommandsLookUpNamesWhereTheDaemonIs) {
  const CommandResult result =
      run_script("mkdir -p cache/obj\n" + program("VARIANTS") + " names cache blobs 2>&1\n");
  EXPECT_EQ(result.out, "ready\ncull elsewhere -2\nmissing -2\ninuse 9\ncull 8\ngone -2\n");
}

TEST_F(Variants, CloseIsTheEndAndTheNextOpenSucceeds) {
  const CommandResult result = run_script(program("VARIANTS") + " reopen $PWD/cache blobs 2>&1\n");
  EXPECT_EQ(result.out, "failed 0\nsecond -16\n");
}

TEST_F(Exec, AKilledDaemonsSuccessorGoesOn) {
  const CommandResult result = run_script(fmt::format(
      R"(F={}
$F keep sock > kept 2>&1 & K=$!; await ready kept
$F serve sock cache blobs > first 2>&1 & D=$!; await ready first
mkdir $M/volumes/v; compare small
kill -STOP $D
(compare large; compare other) > compared & C=$!
for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done
kill -KILL $D
$F serve sock cache blobs > second 2>&1 & E=$!; await restored second
wait $C; cat compared; kill $E $K; wait; cat second
)",
      program("FAILOVER")));
  EXPECT_THAT(result.out, HasSubstr("small is right\nlarge is right\nother is right\n"));
}

TEST_F(Exec, WithoutASuccessorReadersFail) {
  const CommandResult result = run_script(
      program("BLOCKING") +
      " cache blobs > log 2>&1 & D=$!; await ready log\n"
      "mkdir $M/volumes/v; kill -STOP $D; (timeout 20 cat $M/volumes/v/large; echo cat $?) & C=$!\n"
      "for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done\n"
      "kill -KILL $D; wait $C\n");
  EXPECT_THAT(result.out, HasSubstr("cat 1\n"));
}

// Nothing hangs when there is nobody left to answer: neither the daemon nor a reader.
TEST_F(Exec, WhenItIsKilledTheDaemonAndReadersGetErrors) {
  const std::string inner = directory_ / "inner";
  std::ofstream(inner) << kPrelude
                       << fmt::format(R"sh(
trap 'echo term >> state' TERM  # which comes when the supervisor dies
{} copy cache blobs > log 2>&1 & D=$!; await ready log
mkdir $M/volumes/v; compare small
kill -STOP $D
(cat $M/volumes/v/large; echo cat $? > reader) 2>/dev/null &
for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done
echo waits $M > state
await killed state
kill -CONT $D; wait
)sh",
                                      program("VARIANTS"));
  const std::string outer = directory_ / "outer";
  std::ofstream(outer) << kPrelude
                       << fmt::format(R"sh(
{} exec -- bash {} > /dev/null 2>&1 & T=$!
await waits state; M=$(cut -d' ' -f2 state)
kill -KILL $T; wait
await cat reader; await term state
echo killed >> state
await 'read -' log; cat reader log
umount -l $M; rmdir $M
)sh",
                                      environment("COLDREAD"), inner);
  const CommandResult result = run_program({"timeout", "-k", "5", "60", "bash", outer});
  EXPECT_THAT(result.out, HasSubstr("cat 1\n")) << result.err;
  EXPECT_THAT(result.out, HasSubstr("read -38\n"));
}

TEST_F(Exec, WhenSomebodyUnmountsItEverybodyGetsErrors) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const CommandResult result = run_script(
      program("BLOCKING") +
      " cache blobs > log 2>&1 & D=$!; await ready log\n"
      "mkdir $M/volumes/v; kill -STOP $D; (timeout 20 cat $M/volumes/v/large; echo cat $?) & C=$!\n"
      "for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done\n"
      "umount -f $M; wait $C; kill -CONT $D; wait $D; echo daemon $?; echo $M > mounted\n"
      "exec 5<>mounted && echo other files open\n");  // which somebody still has to allow
  EXPECT_THAT(result.out, HasSubstr("cat 1\ndaemon "));
  EXPECT_THAT(result.out, HasSubstr("other files open\n"));
  EXPECT_THAT(result.err, HasSubstr("the mount is gone"));
  const std::string mounted = read("mounted");
  EXPECT_FALSE(std::filesystem::exists(mounted.substr(0, mounted.find('\n')))) << mounted;
}

TEST_F(Exec, SIGUSR1TellsWhatWasRead) {
  const std::string inner = directory_ / "inner";
  std::ofstream(inner) << kPrelude << program("BLOCKING")
                       << " cache blobs > log 2>&1 & D=$!; await ready log\n"
                          "mkdir $M/volumes/v; compare small; kill -USR1 $PPID\n"
                          "await 'v/small' err; grep v/small err; kill $D; wait\n";
  const CommandResult result =
      run_program({"timeout", "-k", "5", "60", "bash", "-c",
                   environment("COLDREAD") + " exec -- bash " + inner + " 2> err; echo status $?"});
  // Hits, misses, holes, bytes read, fetched by whom it is not known, of so many.
  EXPECT_THAT(result.out, testing::ContainsRegex(" 1 +1 +6 +- +6  v/small\n"));
  EXPECT_THAT(result.out, HasSubstr("status 0\n"));
}

TEST_F(Exec, TellsTheCommandsStatus) {
  EXPECT_EQ(run({"exec", "--", "bash", "-c", "exit 7"}).exit_code, 7);
  EXPECT_EQ(run({"exec", "--", "bash", "-c", "kill -KILL $$"}).exit_code, 137);
  EXPECT_EQ(run({"exec", "--", "/nowhere"}).exit_code, 127);
  EXPECT_EQ(run({"exec", "--", "/dev"}).exit_code, 126);
}

TEST_F(Exec, PassesOptionsOfTheCommandOn) {
  EXPECT_EQ(run({"exec", "--kernel", "6.1.192", "--", "echo", "--", "--help", "-x"}).out,
            "-- --help -x\n");
}

TEST_F(Exec, SaysWhyItCannotBegin) {
  const CommandResult nested = run({"exec", "--", environment("COLDREAD"), "exec", "--", "true"});
  EXPECT_EQ(nested.exit_code, 5);
  EXPECT_THAT(nested.err, HasSubstr("there can be only one"));
  EXPECT_EQ(run({"exec", "--mount", "nowhere", "--", "true"}).exit_code, 5);
  EXPECT_EQ(run({"exec", "--kernel", "9.9", "--", "true"}).exit_code, 2);
  EXPECT_EQ(run({"exec"}).exit_code, 2);
}

TEST_F(Exec, LeavesNoMountBehind) {
  const CommandResult result = run_script("echo $M; grep -c \" $M \" /proc/mounts\n");
  const std::string mount = result.out.substr(0, result.out.find('\n'));
  EXPECT_THAT(result.out, HasSubstr("\n1\n"));
  EXPECT_FALSE(std::filesystem::exists(mount)) << mount;
}

}  // namespace
}  // namespace coldread
