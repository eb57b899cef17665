// Daemons that do their worst on the device and its objects: what they serve well meanwhile is
// served well, and the server takes no harm.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <limits>

#include "tests/fuse/faults/pattern.h"
#include "tests/fuse/faults/threaded_daemon.h"
#include "tests/fuse/faults/wellbeing.h"

namespace coldread::faults {
namespace {

constexpr int64_t kLast = std::numeric_limits<int64_t>::max();

// Two blocks, behind which memory faults.
char* room_before_fault() {
  static char* const room = [] {
    void* const memory =
        mmap(nullptr, 3 * kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* const bytes = static_cast<char*>(memory);
    mprotect(bytes + 2 * kBlock, kBlock, PROT_NONE);
    return bytes;
  }();
  return room;
}

// --- deeds --------------------------------------------------------------------------------------
// None writes "restore": that takes back what other threads are about to answer, in a kernel too.

void garbage_commands(Tools& tools) {
  std::string text(tools.below(100), '\0');
  for (char& byte : text) byte = static_cast<char>(tools.below(256));
  tools.say(text);
  static const char* const kWords[] = {"dir",   "tag",  "bind",   "brun",  "fstop", "debug",
                                       "inuse", "cull", "secctx", "copen", "bcull"};
  tools.say(std::string(kWords[tools.below(std::size(kWords))]) + " " + text);
  tools.say(kWords[tools.below(std::size(kWords))]);
}

void long_commands(Tools& tools) {
  for (const size_t length :
       std::initializer_list<size_t>{4094, 4095, 4096, 4097, 65'536, 1 << 20, 3 << 20})
    tools.say(std::string(length, 'x'));
  for (const char* word : {"dir ", "tag ", "cull ", "inuse ", "copen ", "secctx "})
    tools.say(word + std::string(4090, '9'));
}

void wrong_ids(Tools& tools) {
  const std::string number = std::to_string(tools.random());
  for (const std::string& text :
       {"copen " + number + "," + number, std::string("copen 4294967295,4096"),
        std::string("copen -1,-1"), std::string("copen 18446744073709551616,1"),
        std::string("copen ,"), "copen " + number,
        "copen " + std::to_string(10'000 + tools.below(1000)) + ",-9999999"})
    tools.say(text);
  // READ requests of good objects are not the victim's to complete; ids of 10,000 and up are free.
  for (const uint64_t id :
       {uint64_t{0}, uint64_t{0xffffffff}, uint64_t{1} << 63, uint64_t{tools.below(50)}})
    if (tools.victim >= 0) tools.complete(tools.victim, id);
}

void absurd_writes(Tools& tools) {
  const int fd = tools.victim;
  if (fd < 0) return;
  char* const room = room_before_fault();
  for (const int64_t offset : {kLast, kLast - 4095, kLast - 8192, int64_t{1} << 62,
                               int64_t{1} << 45, int64_t{-1}, int64_t{-4096}, int64_t{3}}) {
    for (const size_t length : {size_t{1}, kBlock, 2 * kBlock, size_t{1} << 40, size_t{kLast}})
      (void)!pwrite(fd, room, length, offset);
    for (const int whence : {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 99})
      lseek(fd, offset, whence);
    (void)!ftruncate(fd, offset);
    fallocate(fd, 0, offset, kLast);
  }
  char byte = 0;
  (void)!read(fd, &byte, 1);
  mmap(nullptr, kBlock, PROT_WRITE, MAP_SHARED, fd, 0);
  for (const unsigned long request : {0x9801UL, 0x40049801UL, 0x5401UL, 0xffffffffUL})
    ioctl(fd, request, room);
}

void opens(Tools& tools) {
  for (int i = 0; i < 200; i++) {
    const std::string path = tools.mount + "/dev/anon/" +
                             std::to_string(tools.below(2) == 0 ? tools.below(8) : tools.random());
    close(open(path.c_str(), tools.below(2) == 0 ? O_WRONLY : O_RDWR));
  }
  for (int i = 0; i < 50; i++) close(open((tools.mount + "/dev/cachefiles").c_str(), O_RDWR));
}

void states(Tools& tools) {
  for (const char* text : {"bind", "bind ondemand", "dir /", "tag other", "cull x", "cull ../x",
                           "cull .", "cull ..", "inuse .", "cull cache", "inuse graveyard",
                           "brun 101", "fstop 99", "secctx x", "debug 65535", "debug 0"})
    tools.say(text);
}

void short_reads(Tools& tools) {
  char buffer[16];
  for (const size_t size : std::initializer_list<size_t>{0, 1, 8, 15})
    (void)!read(tools.device, buffer, size);
  (void)!read(tools.device, room_before_fault() + 2 * kBlock, 1024);
  pollfd wanted{tools.device, POLLIN | POLLOUT, 0};
  poll(&wanted, 1, 0);
}

struct Case {
  const char* name;
  ThreadedDaemon::Deed deed;
  BadService service = BadService::none;
};

class HostileDaemons : public Wellbeing, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (!IsSkipped()) start(Way::serve, "6.12.117");
  }
  void start_hostile(ThreadedDaemon::Deed deed, BadService service) {
    in_child([&] {
      ThreadedDaemon hostile(at("mount"), -1, service);
      if (!hostile.bind(at("cache"))) _exit(1);
      tell("ready");
      hostile.run(2, deed);
    });
    await({"ready"});
  }
};

TEST_P(HostileDaemons, HarmNobody) {
  start_hostile(nullptr, BadService::none);
  for (const char* name : {"good", "bad"}) ASSERT_EQ(mkdir(volume(name).c_str(), 0755), 0);
  expect_good_service(2);
  const ProcessState before = state_of(server_);
  end_children();
  for (const char* name : {"good", "bad"}) ASSERT_EQ(remove_volume(name), 0);

  start_hostile(GetParam().deed, GetParam().service);
  for (const char* name : {"good", "bad"}) ASSERT_EQ(mkdir(volume(name).c_str(), 0755), 0);
  for (const char* name : {"victim-40960", "mute-40960", "mute-open-40960"})
    for (int i = 0; i < 8; i++)
      in_child([&] { read_for_ever(volume(std::string("bad/") + name)); });
  expect_good_service(12);
  end_children();

  for (const char* name : {"good", "bad"}) ASSERT_EQ(remove_volume(name), 0);
  start_daemon();
  await({"ready"});
  ASSERT_EQ(mkdir(volume("good").c_str(), 0755), 0);
  expect_unharmed(before);
}

INSTANTIATE_TEST_SUITE_P(Of, HostileDaemons,
                         testing::Values(Case{"garbage_commands", garbage_commands},
                                         Case{"long_commands", long_commands},
                                         Case{"wrong_ids", wrong_ids},
                                         Case{"absurd_writes", absurd_writes}, Case{"opens", opens},
                                         Case{"states", states}, Case{"short_reads", short_reads},
                                         Case{"answers_twice", nullptr, BadService::twice},
                                         Case{"closes", nullptr, BadService::closes},
                                         Case{"silent", nullptr, BadService::silent}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace coldread::faults
