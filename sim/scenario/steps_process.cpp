// The steps of a process that is more than a daemon: it shares, hands on and misuses its files.
#include <sys/mman.h>

#include <algorithm>

#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxChildren = 1000;
constexpr size_t kMaxPathText = 8192;
constexpr uint64_t kMaxDescriptors = 1024;  // what a process has to begin with

void read_child(Reader r, const char* member) {
  const std::string name = r.fields.need(member).name();
  auto& children = r.names.children;
  const auto found = std::find(children.begin(), children.end(), name);
  r.step.child = static_cast<int>(found - children.begin());
  if (found != children.end()) return;
  if (children.size() == kMaxChildren)
    r.fields.node().fail("at most " + std::to_string(kMaxChildren) + " children", "more");
  children.push_back(name);
}

void read_dup(Reader r) {
  r.read_fd();
  r.step.as = r.fields.need("as").name();
}

void read_fork(Reader r) {
  read_child(r, "as");
}

void read_end_child(Reader r) {
  read_child(r, "child");
}

void read_send_fd(Reader r) {
  r.read_fd();
  r.step.process = static_cast<int>(
      r.fields.need("to").one_of(r.names.scenario->processes, "the name of a process"));
}

void read_receive_fd(Reader r) {
  r.step.as = r.fields.need("as").name();
}

void read_ioctl(Reader r) {
  r.read_fd();
  const Node request = r.fields.need("request");
  const uint64_t number = request.number(UINT64_MAX);
  if (number > UINT32_MAX) request.fail("a number of 32 bits");
  r.step.request = static_cast<uint32_t>(number);
  r.step.argument = r.fields.number_or("argument", 0, UINT64_MAX);
}

void read_pread(Reader r) {
  r.read_fd();
  r.step.offset = r.fields.number_or("offset", 0, UINT64_MAX);
  r.step.length = r.fields.number_or("length", kPage, kMaxCallBytes);
  r.read_buffer();
}

void read_fsync(Reader r) {
  r.read_fd();
}

void read_ftruncate(Reader r) {
  r.read_fd();
  r.step.length = r.fields.need("length").number(UINT64_MAX);
}

void read_fallocate(Reader r) {
  r.read_fd();
  r.step.offset = r.fields.number_or("offset", 0, UINT64_MAX);
  r.step.length = r.fields.need("length").number(UINT64_MAX);
}

void read_mmap(Reader r) {
  r.read_fd();
  r.step.length = r.fields.number_or("length", kPage, kMaxCallBytes);
  r.step.flags = PROT_READ;
  if (const auto node = r.fields.find("prot"))
    r.step.flags = read_flags(*node, {"read", "write"}, {PROT_READ, PROT_WRITE});
}

void read_fcntl(Reader r) {
  r.read_fd();
  r.step.fcntl = static_cast<FcntlCommand>(
      r.fields.need("command").one_of({"F_GETFD", "F_SETFD", "F_GETFL", "F_SETFL"}, "a command"));
  r.step.argument = r.fields.number_or("argument", 0, INT32_MAX);
}

void read_chdir(Reader r) {
  r.step.text = r.fields.need("path").string(kMaxPathText);
}

void read_limit(Reader r) {
  r.step.argument = r.fields.need("nofile").number(kMaxDescriptors);
}

void read_signal(Reader r) {
  r.step.task = static_cast<int>(r.fields.need("to").one_of(r.names.tasks, "the name of a task"));
}

constexpr VerbReader kVerbs[] = {
    {Verb::dup, read_dup},
    {Verb::fork, read_fork},
    {Verb::end_child, read_end_child},
    {Verb::send_fd, read_send_fd},
    {Verb::receive_fd, read_receive_fd},
    {Verb::ioctl, read_ioctl},
    {Verb::pread, read_pread},
    {Verb::fsync, read_fsync},
    {Verb::ftruncate, read_ftruncate},
    {Verb::fallocate, read_fallocate},
    {Verb::mmap, read_mmap},
    {Verb::fcntl, read_fcntl},
    {Verb::chdir, read_chdir},
    {Verb::limit, read_limit},
    {Verb::signal, read_signal},
};

}  // namespace

std::span<const VerbReader> process_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
