// What the two halves of the cookie's code share.
#pragma once

#include "kernelmodel/fscache/fscache.h"

namespace coldread {

void trace_cookie(Kernel& k, uint32_t cookie, int ref, const char* where);
void trace_cookie_access(Kernel& k, CookieHandle cookie, int n_accesses, const char* why);
void see_cookie(Kernel& k, CookieHandle cookie, const char* where);

void fscache_cookie_worker(void* cookie);  // the cookie's Work
void fscache_set_cookie_state(Kernel& k, CookieHandle cookie, fscache_cookie_state state);
void fscache_queue_cookie(Kernel& k, CookieHandle cookie, const char* where);
void fscache_drop_withdraw_cookie(Kernel& k, CookieHandle cookie);
void fscache_unhash_cookie(Kernel& k, CookieHandle cookie);
void fscache_cookie_to_lru(Kernel& k, CookieHandle cookie);  // unused from now on

}  // namespace coldread
