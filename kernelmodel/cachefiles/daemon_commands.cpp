// The commands a daemon writes to the device: limits, names, binding and culling.
//
// Models the handlers of fs/cachefiles/daemon.c. Each gets the rest of its line without leading
// blanks and returns 0 or a negative errno; the caller holds the daemon mutex.
#include <array>
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/parse.h"

namespace coldread {
namespace {

// "<N>%" with lowest < N < limit.
int set_percentage(Kernel& k, std::string_view args, uint64_t* value, int64_t lowest,
                   uint64_t limit) {
  if (args.empty()) return -EINVAL;
  const uint64_t percent = simple_strtoul(&args, 10);
  if (args != "%") return -EINVAL;
  if ((lowest >= 0 && percent <= static_cast<uint64_t>(lowest)) || percent >= limit) {
    pr_err(k, "Free space limits must be in range 0%%<=stop<cull<run<100%%");
    return -EINVAL;
  }
  *value = percent;
  return 0;
}

int frun(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->frun_percent, static_cast<int64_t>(c->fcull_percent), 100);
}
int fcull(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->fcull_percent, static_cast<int64_t>(c->fstop_percent),
                        c->frun_percent);
}
int fstop(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->fstop_percent, -1, c->fcull_percent);
}
int brun(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->brun_percent, static_cast<int64_t>(c->bcull_percent), 100);
}
int bcull(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->bcull_percent, static_cast<int64_t>(c->bstop_percent),
                        c->brun_percent);
}
int bstop(Kernel& k, CachefilesHandle c, std::string_view args) {
  return set_percentage(k, args, &c->bstop_percent, -1, c->bcull_percent);
}

int dir(Kernel& k, CachefilesHandle cache, std::string_view args) {
  if (args.empty()) {
    pr_err(k, "Empty directory specified");
    return -EINVAL;
  }
  if (!cache->rootdirname.empty()) {
    pr_err(k, "Second cache directory specified");
    return -EEXIST;
  }
  cache->rootdirname.assign(args);
  return 0;
}

int tag(Kernel& k, CachefilesHandle cache, std::string_view args) {
  if (args.empty()) {
    pr_err(k, "Empty tag specified");
    return -EINVAL;
  }
  if (!cache->tag.empty()) return -EEXIST;
  cache->tag.assign(args);
  return 0;
}

// Without CONFIG_SECURITY no context can be translated; before secctx_parse_immediate bind found
// that out.
int secctx(Kernel& k, CachefilesHandle cache, std::string_view args) {
  if (args.empty()) {
    pr_err(k, "Empty security context specified");
    return -EINVAL;
  }
  if (!cache->secctx.empty()) {
    pr_err(k, "Second security context specified");
    return -EINVAL;
  }
  if (!k.security && k.profile.has(Change::secctx_parse_immediate)) return -EOPNOTSUPP;
  cache->secctx.assign(args);
  return 0;
}

int debug(Kernel& k, CachefilesHandle cache, std::string_view args) {
  (void)cache;
  simple_strtoul(&args, 0);
  if (args.empty()) return 0;
  pr_err(k, "debug command requires mask");
  return -EINVAL;
}

int bind(Kernel& k, CachefilesHandle cache, std::string_view args) {
  // The commands keep the limits in order; only their joint range is left to be wrong.
  if (cache->rootdirname.empty()) {
    pr_err(k, "No cache directory specified");
    return -EINVAL;
  }
  if (cache->flags.test(CACHEFILES_READY)) {
    pr_err(k, "Cache already bound");
    return -EBUSY;
  }
  if (args == "ondemand") {
    cache->flags.set(CACHEFILES_ONDEMAND_MODE);
  } else if (!args.empty()) {
    pr_err(k, "Invalid argument to the 'bind' command");
    return -EINVAL;
  }
  if (cache->tag.empty()) cache->tag.assign("CacheFiles");
  return cachefiles_add_cache(k, cache);
}

// What cull and inuse have in common: a bare name, in the caller's working directory.
int check_name(Kernel& k, CachefilesHandle cache, std::string_view args, const char* command) {
  if (args.find('/') != std::string_view::npos) {
    pr_err(k, "%s command requires dirfd and filename", command);
    return -EINVAL;
  }
  if (!cache->flags.test(CACHEFILES_READY)) {
    pr_err(k, "%s applied to unready cache", command);
    return -EIO;
  }
  return cache->flags.test(CACHEFILES_DEAD) ? -EIO : 0;
}

int cull(Kernel& k, CachefilesHandle cache, std::string_view args) {
  const int error = check_name(k, cache, args, "cull");
  return error != 0 ? error : cachefiles_cull(k, cache, k.scheduler.current()->cwd, args);
}

int inuse(Kernel& k, CachefilesHandle cache, std::string_view args) {
  const int error = check_name(k, cache, args, "inuse");
  return error != 0 ? error : cachefiles_check_in_use(k, cache, k.scheduler.current()->cwd, args);
}

}  // namespace

std::span<const cachefiles_daemon_cmd> cachefiles_daemon_cmds() {
  static constexpr std::array<cachefiles_daemon_cmd, 15> kCommands = {{
      {"bind", bind},
      {"brun", brun},
      {"bcull", bcull},
      {"bstop", bstop},
      {"cull", cull},
      {"debug", debug},
      {"dir", dir},
      {"frun", frun},
      {"fcull", fcull},
      {"fstop", fstop},
      {"inuse", inuse},
      {"secctx", secctx},
      {"tag", tag},
      {"copen", cachefiles_ondemand_copen},
      {"restore", cachefiles_ondemand_restore},
  }};
  return kCommands;
}

}  // namespace coldread
