#include "sim/replay/machine_state.h"

#include <fmt/core.h>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/ondemand.h"
#include "sim/counted.h"

namespace coldread::sim {
namespace {

constexpr const char* kOpcodes[] = {"OPEN", "CLOSE", "READ"};
constexpr const char* kObjectStates[] = {"close", "open", "reopening", "dropping"};

// A lock that is waited for counts as held already, and is the last.
bool waits_for_lock(const Task& task, LockClass lock) {
  return task.state == TaskState::waiting && task.waiting.name == lock_class_name(lock);
}

std::string locks_of(const Task& task) {
  std::string locks;
  for (uint8_t i = 0; i < task.held_count; i++) {
    const auto lock = static_cast<LockClass>(task.held[i] & ~held_locks::kNested);
    if (i + 1 == task.held_count && waits_for_lock(task, lock)) break;
    locks += fmt::format("{}{}", i == 0 ? ", holds " : ", ", lock_class_name(lock));
  }
  return locks;
}

void add_task(const Task& task, const std::vector<std::string>* stack, std::string& text) {
  const char* state = task.state == TaskState::running ? "runs" : "can go on";
  text += fmt::format("  {:<24} ", task.name);
  text += task.state == TaskState::waiting
              ? fmt::format("waits: {} {}", task.waiting.kind, task.waiting.name)
              : state;
  text += locks_of(task) + "\n";
  if (stack == nullptr || stack->empty()) return;
  std::string calls;
  for (const std::string& function : *stack) calls += (calls.empty() ? "" : " > ") + function;
  text += "      in " + calls + "\n";
}

void add_request(uint64_t id, cachefiles_req& req, bool is_new, std::string& text) {
  const uint32_t opcode = req.msg.opcode;
  text += fmt::format("  id {} {} of object id {}", id, opcode < 3 ? kOpcodes[opcode] : "?",
                      req.msg.object_id);
  if (opcode == CACHEFILES_OP_READ)
    text += fmt::format(" off={} length={}", req.msg.read.off, req.msg.read.len);
  text += fmt::format(", {}, {}\n",
                      is_new         ? "not read yet"
                      : req.answered ? "answered"
                                     : "read",
                      counted(req.ref.peek(), "reference"));
}

void add_holes(MemoryStore& store, InodeNumber file, std::string& text) {
  if (file == 0) return;
  const MemoryStore::Entry entry = store.describe(file);
  text += fmt::format("      file of {} bytes, data at", entry.size);
  for (const Extent& extent : entry.extents)
    text += fmt::format(" [{}, {})", extent.from, extent.to);
  text += entry.extents.empty() ? " none: all of it is a hole\n" : ", the rest is holes\n";
}

// Handles are compared and not followed: what they lead to may be gone.
void add_object(cachefiles_state& state, MemoryStore& store, ObjectHandle handle,
                std::string& text) {
  cachefiles_object& object = *handle;
  text += fmt::format("  object o={:08x} \"{}\", {}", object.debug_id, object.name(),
                      counted(object.ref.peek(), "reference"));
  state.info_pool.for_each_live([&](Handle<cachefiles_ondemand_info> info) {
    if (info->object == handle)
      text += fmt::format(", {}, id {}", kObjectStates[info->state], info->ondemand_id);
  });
  text += "\n";
  add_holes(store, object.file, text);
}

std::string section(const char* title, const std::string& lines) {
  return fmt::format("{}:{}\n{}", title, lines.empty() ? " none" : "", lines);
}

}  // namespace

std::string machine_state(Machine& machine,
                          const std::map<uint32_t, std::vector<std::string>>& stacks) {
  cachefiles_state& state = machine.kernel().cachefiles;
  std::string tasks, requests, objects;
  machine.scheduler().for_each_task([&](const Task& task) {
    if (task.state == TaskState::waiting && task.waiting.idle) return;
    const auto stack = stacks.find(task.pid);
    add_task(task, stack == stacks.end() ? nullptr : &stack->second, tasks);
  });
  state.cache_pool.for_each_live([&](CachefilesHandle cache) {
    cache->reqs.for_each([&](uint64_t id, cachefiles_req* req) {
      add_request(id, *req, cache->reqs.get_mark(id, CACHEFILES_REQ_NEW), requests);
    });
  });
  state.object_pool.for_each_live(
      [&](ObjectHandle object) { add_object(state, machine.store(), object, objects); });
  return section("tasks", tasks) + section("requests", requests) + section("objects", objects);
}

}  // namespace coldread::sim
