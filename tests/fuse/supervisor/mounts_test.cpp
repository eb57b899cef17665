// Images mounted under `coldread exec` by programs that know nothing of it: mount(8), the new
// system calls, several at once; what fails fails as in a kernel, and other mounts are the
// kernel's.
#include <unistd.h>

#include <cstdlib>

#include "tests/fuse/supervisor/exec_fixture.h"

namespace coldread {
namespace {

using testing::Not;

// `serve` starts the daemon, `stop` ends it. `cookies N`: the kernel has so many, as soon as
// workers have done what they do; `M` as ever.
constexpr const char* kServe = R"sh(
serve() { $DAEMON cache blobs > log 2>&1 & D=$!; await ready log; }
stop() { kill $D; wait $D 2>/dev/null; }
cookies() {
  for i in $(seq 500); do
    have=$(grep -c '^0' $M/proc/fs/fscache/cookies); [ $have = $1 ] && break; sleep 0.02
  done
  echo $have
}
mkdir -p m n
)sh";

class Mounts : public Exec {
 protected:
  void SetUp() override {
    Exec::SetUp();
    if (IsSkipped()) return;
    if (geteuid() != 0) GTEST_SKIP() << "mount(2) needs root";
    std::string large(500'001, '\0');
    for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 + (i >> 11));
    write("tree/large", large);
    write("tree/small", "a few bytes\n");
    write("tree/more/deep", std::string(9000, 'd'));
    const CommandResult made = run_program(
        {"bash", "-c",
         "mkfs.erofs --quiet blobs/img tree && cp blobs/img blobs/second && "
         "mkfs.erofs --quiet -Eforce-chunk-indexes --chunksize=65536 --blobdev=blobs/data "
         "blobs/a tree && cp blobs/a blobs/b && head -c 100000 /dev/urandom > blobs/noise"});
    if (made.exit_code != 0) GTEST_SKIP() << "mkfs.erofs: " << made.err;
    setenv("DAEMON", program("BLOCKING").c_str(), 1);          // NOLINT(concurrency-*)
    setenv("T", environment("COLDREAD_MOUNTING").c_str(), 1);  // NOLINT(concurrency-*)
  }

  CommandResult run_mounting(const std::string& script,
                             const std::vector<std::string>& options = {}) const {
    std::ofstream(directory_ / "script") << kPrelude << kServe << script;
    std::vector<std::string> words = {"timeout", "-k", "5", "60", environment("COLDREAD"), "exec"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "bash", directory_ / "script"});
    return run_program(words);
  }
};

TEST_F(Mounts, AShellScriptMountsAnImage) {
  const CommandResult result = run_mounting(R"sh(
serve
cat $M/trace_pipe > trace & P=$!
mount -t erofs none -o fsid=img,nosuid m; echo mount $?
diff -r tree m && echo same
grep $PWD/m /proc/mounts | cut -d' ' -f1,3-4 | cut -d, -f1-3
grep -c $PWD/m /proc/$PPID/mounts
echo x 2>/dev/null > m/small || echo read-only
umount m; echo umount $?
cookies 0
await cachefiles_ondemand_close trace; echo closed
ls m | wc -l
kill $P; stop
)sh");
  EXPECT_EQ(result.out,
            "mount 0\nsame\nnone fuse.erofs ro,nosuid,relatime\n0\nread-only\numount 0\n0\n"
            "closed\n0\n")
      << result.err;
}

TEST_F(Mounts, TheNewSystemCallsMountAnImage) {
  const CommandResult result = run_mounting(R"sh(
serve
$T new m source=none fsid=a ro device=data
diff -r tree m && echo same
grep $PWD/m /proc/mounts | cut -d' ' -f1,3-4 | cut -d, -f1-3
$T umount m; cookies 0
stop
)sh");
  EXPECT_EQ(result.out,
            "fsopen ok\nsource ok\nfsid ok\nro ok\ndevice ok\nclose on exec 1\ncreate ok\n"
            "fsmount ok\nmove_mount ok\nsame\nnone fuse.erofs ro,nodev,relatime\numount ok\n0\n")
      << result.err;
}

TEST_F(Mounts, FailAsInAKernel) {
  const CommandResult result = run_mounting(R"sh(
$T mount m fsid=img                # nobody has bound a cache
serve
$T mount nowhere fsid=img
$T mount m fsid=img,color=blue
$T mount blobs/small fsid=img
$T mount m fsid=noise
$T mount m fsid=img,device=data
$T mount m fsid=img
$T mount n fsid=img                # its volume is there
$T mount n fsid=second
(cd m; $T umount $OLDPWD/m)        # somebody is there
$T umount m
$T umount n
$T mount m fsid=a,device=data,domain_id=d
$T mount n fsid=a,device=data,domain_id=d
$T umount m
setpriv --reuid 65534 --clear-groups --inh-caps=-all $T mount m fsid=img
cookies 0
stop
)sh");
  EXPECT_EQ(result.out,
            "mount ENOBUFS\nmount ENOENT\nmount EINVAL\nmount ENOTDIR\nmount EINVAL\n"
            "mount EINVAL\nmount ok\nmount EBUSY\nmount ok\numount EBUSY\numount ok\numount ok\n"
            "mount ok\nmount EEXIST\numount ok\nmount EPERM\n0\n")
      << result.err;
}

TEST_F(Mounts, TheNewSystemCallsFailAsInAKernel) {
  const CommandResult result = run_mounting(R"sh(
serve
$T new m fsid=img color=blue | tail -1
$T new m fsid=noise | tail -2
$T new m source=none fsid=img > first; tail -1 first
$T new n fsid=img | tail -2
umount m; cookies 0
stop
)sh");
  EXPECT_EQ(
      result.out,
      "color EINVAL\ncreate EINVAL\nagain EBUSY\nmove_mount ok\ncreate EBUSY\nagain EBUSY\n0\n")
      << result.err;
}

TEST_F(Mounts, OthersAreTheKernels) {
  const CommandResult result = run_mounting(R"sh(
mount -t tmpfs -o size=1m none m; echo tmpfs $?
echo x > m/file
mount -o remount,ro m; echo remount $?
echo y 2>/dev/null > m/file || echo read-only
mount --bind m n; echo bind $?
cat n/file
umount n; echo umount $?
umount m; umount m 2>/dev/null; echo umount $?
mount -t nosuchtype none m 2>/dev/null; echo unknown $?
mount -t erofs none m 2>/dev/null; echo no image $?
$T mount nowhere acl
$T mount m user_xattr remount
unshare -m bash -c 'mount -t tmpfs none m && echo inner' && grep -c $PWD/m /proc/mounts
)sh");
  EXPECT_THAT(result.out,
              testing::MatchesRegex("tmpfs 0\nremount 0\nread-only\nbind 0\nx\numount 0\n"
                                    "umount 32\nunknown 32\nno image 32\nmount E[A-Z]+\n"
                                    "mount EINVAL\ninner\n0\n"))
      << result.out << result.err;
}

TEST_F(Mounts, ARemountChangesNoImage) {
  const CommandResult result = run_mounting(R"sh(
serve
mount -t erofs none -o fsid=img m; mount | grep $PWD/m > before
mount -t erofs none -o remount,fsid=other,domain_id=d m; echo remount $?
mount | grep $PWD/m | cmp - before && echo same options
cat m/small
$T mount m color=blue remount
mount -t erofs -o remount,rw,noexec none m; echo remount $?
grep $PWD/m /proc/mounts | cut -d' ' -f4 | cut -d, -f1-2
$T change m fsid=other; $T change m color=blue | tail -1
mount -o remount,bind,nosuid m; grep -c "$PWD/m .*nosuid" /proc/mounts
dmesg | grep -c 'ignoring reconfiguration'
umount m; cookies 0
stop
)sh");
  EXPECT_EQ(result.out,
            "remount 0\nsame options\na few bytes\nmount EINVAL\nremount 0\nro,noexec\n"
            "fspick ok\nfsid ok\nreconfigure ok\ncolor EINVAL\n1\n2\n0\n")
      << result.err;
}

// Of two that mount the same at once one succeeds; of a domain both, if they differ.
TEST_F(Mounts, TwoAtOnce) {
  const CommandResult result = run_mounting(R"sh(
serve
both() {
  $T mount m $1 > 1 & $T mount n $2 > 2; wait $!; sort 1 2 | tr '\n' ' '
  $T umount m > 1; $T umount n > 2
}
for i in 1 2 3 4 5 6; do
  both fsid=img fsid=img; echo
done | uniq -c
for i in 1 2 3 4 5 6; do
  both fsid=a,device=data,domain_id=d fsid=a,device=data,domain_id=d; echo
done | uniq -c
for i in 1 2 3 4 5 6; do
  both fsid=a,device=data,domain_id=d fsid=b,device=data,domain_id=d; echo
done | uniq -c
cookies 0
stop
)sh");
  EXPECT_EQ(result.out,
            "      6 mount EBUSY mount ok \n      6 mount EEXIST mount ok \n"
            "      6 mount ok mount ok \n0\n")
      << result.err;
}

TEST_F(Mounts, ADomainSharesItsBlobs) {
  const CommandResult result = run_mounting(R"sh(
serve
mount -t erofs none -o fsid=a,device=data,domain_id=d m
mount -t erofs none -o fsid=b,device=data,domain_id=d n
diff -r tree m && diff -r tree n && echo same
cookies 3
umount m; cookies 2
diff -r tree n && echo still
umount n; cookies 0
find cache/cache -name 'D*' -o -name 'E*' | sed 's/.*@..//' | sort | tr '\n' ' '
stop
)sh");
  EXPECT_EQ(result.out, "same\n3\n2\nstill\n0\n/Da /Db /Ddata ") << result.err;
}

TEST_F(Mounts, WhoIsKilledWhileItWaitsLeavesNothing) {
  const CommandResult result = run_mounting(R"sh(
serve
kill -STOP $D
$T mount m fsid=img > mounting & W=$!
for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done
kill -KILL $W; wait $W 2>/dev/null; echo killed $?
kill -CONT $D
cookies 0 > gone
$T mount m fsid=img
cat m/small; umount m
stop
)sh");
  EXPECT_EQ(result.out, "killed 137\nmount ok\na few bytes\n") << result.err;
}

TEST_F(Mounts, WithoutADaemonAMountInItsWayFails) {
  const CommandResult result = run_mounting(R"sh(
serve
kill -STOP $D
$T mount m fsid=img > mounting & W=$!
for i in $(seq 500); do grep -q OPEN $M/requests && break; sleep 0.02; done
kill -KILL $D; wait $W; cat mounting
)sh");
  EXPECT_THAT(result.out, testing::AnyOf("mount EIO\n", "mount ENOBUFS\n")) << result.err;
}

TEST_F(Mounts, AreMadeWhereTheProgramStands) {
  const CommandResult result = run_mounting(R"sh(
serve
unshare -m bash -c 'mount -t erofs none -o fsid=img m && cat m/small && umount m'
grep -c $PWD/m /proc/mounts
unshare -m bash -c 'mount -t erofs none -o fsid=img m'   # goes with its namespace
cookies 0
mkdir -p root/dev root/at; mount --rbind / root; mkdir -p $PWD/at
chroot root bash -c "cd $PWD; mount -t erofs none -o fsid=img at; cat at/small"
cat root$PWD/at/small; ls at | wc -l
umount root$PWD/at; cookies 0
umount -R root
stop
)sh");
  EXPECT_EQ(result.out, "a few bytes\n0\n0\na few bytes\na few bytes\n0\n0\n") << result.err;
}

TEST_F(Mounts, AnImageUnderAnImage) {
  const CommandResult result = run_mounting(R"sh(
serve
mount -t erofs none -o fsid=img m
mount -t erofs none -o fsid=second m/more; ls m/more
umount m/more; umount m; cookies 0
stop
)sh");
  EXPECT_EQ(result.out, "large\nmore\nsmall\n0\n") << result.err;
}

TEST_F(Mounts, OutsideTheyAreSeenIfAsked) {
  const CommandResult result = run_mounting(R"sh(
serve
mount -t erofs none -o fsid=img m; grep -c $PWD/m /proc/$PPID/mounts
pwd > where; stop
)sh",
                                            {"--host-mounts"});
  EXPECT_EQ(result.out, "1\n") << result.err;
  const CommandResult left = run_program({"bash", "-c", "grep -c $(cat where)/m /proc/mounts"});
  EXPECT_EQ(left.out, "0\n") << "it went with its server";
}

TEST_F(Mounts, CommandMountMountsWhereItIsRun) {
  const CommandResult result = run_mounting(R"sh(
serve
$COLDREAD mount -o fsid=img m; cat m/small; grep -c $PWD/m /proc/$PPID/mounts; umount m; stop
)sh");
  EXPECT_EQ(result.out, "a few bytes\n0\n") << result.err;
}

TEST_F(Mounts, TheKernelsLogIsTheModels) {
  const CommandResult result = run_mounting(R"sh(
serve
mount -t erofs none -o fsid=img m; umount m
dmesg | sed 's/.*\] //'
dmesg --clear; dmesg | wc -l
echo said > /dev/kmsg; dmesg | sed 's/.*\] //'
stop; await Withdrawing /dev/kmsg; dmesg -S | sed 's/.*\] //'
$T log | sed 's/.*\] //'; dmesg | wc -l
)sh");
  EXPECT_EQ(result.out,
            "Cache \"blocking\" added (type cachefiles)\n"
            "fscache-based on-demand read feature in use. Use at your own risk!\n"
            "erofs: (device erofs): mounted with root inode @ nid 36.\n"
            "0\nsaid\nsaid\nWithdrawing cache \"blocking\" (0 objs)\n"
            "said\nWithdrawing cache \"blocking\" (0 objs)\nlog ok\n0\n")
      << result.err;
}

}  // namespace
}  // namespace coldread
