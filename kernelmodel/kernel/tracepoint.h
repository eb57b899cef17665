// How the model emits a tracepoint: only when somebody listens, formatted as TP_printk would.
//
//   if (k.trace.enabled()) trace_emit(k, "cachefiles_mkdir", "dB=%x sB=%x", dir, subdir);
//
// Arguments of a trace must not be preemption points (peek(), not read()), or tracing would change
// the run.
#pragma once

namespace coldread {

struct Kernel;

[[gnu::format(printf, 3, 4)]] void trace_emit(Kernel& k, const char* event, const char* format,
                                              ...);

}  // namespace coldread
