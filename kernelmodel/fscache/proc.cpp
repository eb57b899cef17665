// What fscache shows of itself, file by file, in the columns of the kernel.
//
// The netfs library's own counters stay 0: nobody in the model reads through it.
#include "kernelmodel/fscache/proc.h"

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "kernelmodel/fscache/fscache.h"

namespace coldread {
namespace {

constexpr TimeNs kNsPerJiffy = kNsPerSecond / 100;  // User-Mode Linux' HZ

// seq_printf(): lines here are shorter than any path, keys longer.
[[gnu::format(printf, 2, 3)]] void print(std::string* text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  text->append(line, std::min<size_t>(static_cast<size_t>(length), sizeof(line) - 1));
}

void print_hex(std::string* text, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) print(text, "%02x", static_cast<unsigned>(byte));
}

const char* name_of(CacheHandle cache) {
  return cache->named ? cache->name.c_str() : "-";
}

void show_caches(Kernel& k, std::string* text) {
  static constexpr char kStates[] = "-PAEW";
  text->append(
      "CACHE    REF   VOLS  OBJS  ACCES S NAME\n"
      "======== ===== ===== ===== ===== = ===============\n");
  k.fscache.addremove_sem.down_read();
  for (const CacheHandle cache : k.fscache.caches) {
    print(text, "%08x %5d %5d %5d %5d %c ", cache->debug_id, cache->ref.peek(),
          cache->n_volumes.peek(), cache->object_count.peek(), cache->n_accesses.peek(),
          kStates[cache->state]);
    text->append(name_of(cache)).append("\n");
  }
  k.fscache.addremove_sem.up_read();
}

void show_volumes(Kernel& k, std::string* text) {
  text->append(
      "VOLUME   REF   nCOOK ACC FL CACHE           KEY\n"
      "======== ===== ===== === == =============== ================\n");
  k.fscache.addremove_sem.down_read();
  for (const VolumeHandle volume : k.fscache.volumes) {
    print(text, "%08x %5d %5d %3d %02lx %-15.15s ", volume->debug_id, volume->ref.peek(),
          volume->n_cookies.peek(), volume->n_accesses.peek(),
          static_cast<unsigned long>(volume->flags.peek()), name_of(volume->cache));
    text->append(volume->key_text()).append("\n");
  }
  k.fscache.addremove_sem.up_read();
}

void show_cookies(Kernel& k, std::string* text) {
  static constexpr char kStates[] = "-LCAIFUWRD";
  text->append(
      "COOKIE   VOLUME   REF ACT ACC S FL DEF             \n"
      "======== ======== === === === = == ================\n");
  for (const CookieHandle cookie : k.fscache.cookies) {
    print(text, "%08x %08x %3d %3d %3d %c %02lx ", cookie->debug_id, cookie->volume->debug_id,
          cookie->ref.peek(), cookie->n_active.peek(), cookie->n_accesses.peek(),
          kStates[cookie->state], static_cast<unsigned long>(cookie->flags.peek()));
    print_hex(text, cookie->key_bytes());
    if (cookie->aux_len > 0) text->append(", ");
    print_hex(text, {cookie->aux.data(), cookie->aux_len});
    text->append("\n");
  }
}

// Since 6.8 the netfs library's file, with fscache's lines at its end; before, the other way round.
void show_stats(Kernel& k, std::string* text) {
  const bool in_netfs = k.profile.has(Change::proc_fscache_moved);
  const fscache_statistics& s = k.fscache.stats;
  const auto u = [](uint64_t count) { return static_cast<unsigned>(count); };
  text->append(in_netfs ? "Reads  : DR=0 RA=0 RF=0 WB=0 WBZ=0\n"
                          "Writes : BW=0 WT=0 DW=0 WP=0 2C=0\n"
                          "ZeroOps: ZR=0 sh=0 sk=0\n"
                          "DownOps: DL=0 ds=0 df=0 di=0\n"
                          "CaRdOps: RD=0 rs=0 rf=0\n"
                          "UpldOps: UL=0 us=0 uf=0\n"
                          "CaWrOps: WR=0 ws=0 wf=0\n"
                          "Objs   : rr=0 sr=0 foq=0 wsc=0\n"
                          "WbLock : skip=0 wait=0\n"
                          "-- FS-Cache statistics --\n"
                        : "FS-Cache statistics\n");
  print(text, "Cookies: n=%u v=%u vcol=%u voom=0\n", u(s.n_cookies), u(s.n_volumes),
        u(s.n_volumes_collision));
  print(text, "Acquire: n=%u ok=%u oom=0\n", u(s.n_acquires), u(s.n_acquires_ok));
  const Timer& timer = k.fscache.lru_timer;
  const TimeNs left = timer.armed ? timer.expires - k.scheduler.now() : 0;
  print(text, "LRU    : n=%u exp=%u rmv=%u drp=%u at=%u\n", u(s.n_cookies_lru),
        u(s.n_cookies_lru_expired), u(s.n_cookies_lru_removed), u(s.n_cookies_lru_dropped),
        u(left / kNsPerJiffy));
  print(text, "Invals : n=%u\n", u(s.n_invalidates));
  print(text, "Updates: n=%u rsz=%u rsn=%u\n", u(s.n_updates), u(s.n_resizes), u(s.n_resizes_null));
  print(text, "Relinqs: n=%u rtr=%u drop=%u\n", u(s.n_relinquishes), u(s.n_relinquishes_retire),
        u(s.n_relinquishes_dropped));
  print(text, "NoSpace: nwr=%u ncr=%u cull=%u\n", u(s.n_no_write_space), u(s.n_no_create_space),
        u(s.n_culled));
  if (in_netfs) {
    print(text, "IO     : rd=%u wr=%u mis=%u\n", u(s.n_reads), u(s.n_writes), u(s.n_dio_misfit));
  } else {
    print(text, "IO     : rd=%u wr=%u\n", u(s.n_reads), u(s.n_writes));
    text->append(
        "RdHelp : RA=0 RP=0 WB=0 WBZ=0 rr=0 sr=0\n"
        "RdHelp : ZR=0 sh=0 sk=0\n"
        "RdHelp : DL=0 ds=0 df=0 di=0\n"
        "RdHelp : RD=0 rs=0 rf=0\n"
        "RdHelp : WR=0 ws=0 wf=0\n");
  }
}

}  // namespace

int fscache_proc_read(Kernel& k, std::string_view file, std::string* text) {
  text->clear();
  if (file == "caches") {
    show_caches(k, text);
  } else if (file == "volumes") {
    show_volumes(k, text);
  } else if (file == "cookies") {
    show_cookies(k, text);
  } else if (file == "stats") {
    show_stats(k, text);
  } else if (file == "requests" && k.profile.has(Change::proc_fscache_moved)) {
    text->append(
        "REQUEST  OR REF FL ERR  OPS COVERAGE\n"
        "======== == === == ==== === =========\n");
  } else {
    return -ENOENT;
  }
  return 0;
}

}  // namespace coldread
