#include "sim/machine/model_state.h"

#include "sim/machine/machine.h"
#include "sim/outcome_hash.h"

namespace coldread::sim {
namespace {

void add_tasks(FiberScheduler& scheduler, OutcomeHash& hash) {
  hash.add(scheduler.now());
  scheduler.for_each_task([&](const Task& task) {
    hash.add(task.pid);
    hash.add(static_cast<uint64_t>(task.state));
    hash.add(task.fatal_signal);
    for (uint8_t i = 0; i < task.held_count; i++) hash.add(task.held[i]);
  });
}

void add_request(uint64_t id, const cachefiles_req& req, bool is_new, OutcomeHash& hash) {
  hash.add(id);
  hash.add(is_new);
  hash.add(req.answered);
  hash.add(static_cast<uint64_t>(req.error));
  hash.add(static_cast<uint64_t>(req.ref.peek()));
  hash.add(req.msg.object_id);
  hash.add(req.msg.bytes().subspan(offsetof(uapi::cachefiles_msg, opcode)));
}

void add_caches(cachefiles_state& state, OutcomeHash& hash) {
  state.cache_pool.for_each_live([&](CachefilesHandle cache) {
    hash.add(cache->flags.peek());
    hash.add(static_cast<uint64_t>(cache->unbind_pincount.peek()));
    hash.add(cache->msg_id_next);
    hash.add(cache->ondemand_ids.count());
    cache->reqs.for_each([&](uint64_t id, cachefiles_req* req) {
      add_request(id, *req, cache->reqs.get_mark(id, CACHEFILES_REQ_NEW), hash);
    });
  });
}

void add_objects(cachefiles_state& state, OutcomeHash& hash) {
  state.object_pool.for_each_live([&](ObjectHandle object) {
    hash.add(object->debug_id);
    hash.add(static_cast<uint64_t>(object->ref.peek()));
    hash.add(object->flags.peek());
    hash.add(static_cast<uint64_t>(object->content_info));
    hash.add(object->listed);
    hash.add(object->file);
    hash.add(static_cast<uint64_t>(object->file_pos));
  });
  state.info_pool.for_each_live([&](Handle<cachefiles_ondemand_info> info) {
    hash.add(static_cast<uint64_t>(info->state));
    hash.add(static_cast<uint64_t>(info->ondemand_id));
  });
}

void add_cookies(fscache_state& state, OutcomeHash& hash) {
  state.cookie_pool.for_each_live([&](CookieHandle cookie) {
    hash.add(cookie->debug_id);
    hash.add(static_cast<uint64_t>(cookie->state));
    hash.add(cookie->flags.peek());
    hash.add(static_cast<uint64_t>(cookie->ref.peek()));
    hash.add(static_cast<uint64_t>(cookie->n_active.peek()));
    hash.add(static_cast<uint64_t>(cookie->n_accesses.peek()));
    hash.add(static_cast<uint64_t>(cookie->object_size));
    hash.add(cookie->on_lru);
  });
  state.volume_pool.for_each_live([&](VolumeHandle volume) {
    hash.add(volume->debug_id);
    hash.add(volume->flags.peek());
    hash.add(static_cast<uint64_t>(volume->ref.peek()));
    hash.add(static_cast<uint64_t>(volume->n_accesses.peek()));
    hash.add(static_cast<uint64_t>(volume->n_cookies.peek()));
  });
  state.cache_pool.for_each_live([&](CacheHandle cache) {
    hash.add(static_cast<uint64_t>(cache->state));
    hash.add(static_cast<uint64_t>(cache->n_accesses.peek()));
    hash.add(static_cast<uint64_t>(cache->object_count.peek()));
  });
}

}  // namespace

uint64_t model_state(Machine& machine) {
  OutcomeHash hash;
  machine.scheduler().look([&] {
    add_tasks(machine.scheduler(), hash);
    add_caches(machine.kernel().cachefiles, hash);
    add_objects(machine.kernel().cachefiles, hash);
    add_cookies(machine.kernel().fscache, hash);
    hash.add(machine.store().state());
  });
  return hash.value();
}

}  // namespace coldread::sim
