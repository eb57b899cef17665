// The steps of a netfs: its calls into fscache.
#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

void read_acquire_volume(Reader r) {
  r.read_volume();
}

void read_relinquish_volume(Reader r) {
  r.read_volume();
  r.step.invalidate = r.fields.boolean_or("invalidate", false);
}

void read_acquire_cookie(Reader r) {
  r.read_cookie();
}

void read_relinquish_cookie(Reader r) {
  r.read_cookie();
  r.step.retire = r.fields.boolean_or("retire", false);
}

void read_use_cookie(Reader r) {
  r.read_cookie();
  r.step.modify = r.fields.boolean_or("modify", false);
}

void read_unuse_cookie(Reader r) {
  r.read_cookie();
  r.read_new_size(false);
}

void read_size_change(Reader r) {
  r.read_cookie();
  r.read_new_size(true);
}

void read_prepare_read(Reader r) {
  r.read_cookie();
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxObject);
  if (const auto node = r.fields.find("i_size"))
    r.step.i_size = static_cast<int64_t>(node->number(kMaxObject));
  if (const auto node = r.fields.find("flags"))
    r.step.flags = read_flags(*node, {"ondemand", "copy_to_cache"},
                              {kSubrequestOndemand, kSubrequestCopyToCache});
}

void read_cache_read(Reader r) {
  r.read_cookie();
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxCallBytes);
  if (const auto node = r.fields.find("hole"))
    r.step.hole = static_cast<HoleMode>(node->one_of({"ignore", "clear", "fail"}, "a hole mode"));
}

void read_cache_write(Reader r) {
  r.read_cookie();
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.read_source(r.step.offset);
}

void read_read(Reader r) {
  r.read_cookie();
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.number_or("length", 0, kMaxBlobBytes);
  if (const auto node = r.fields.find("slice")) {
    r.step.slice = node->number(kMaxCallBytes);
    if (r.step.slice % kPage != 0) node->fail("a multiple of 4096");
  }
  if (const auto node = r.fields.find("download")) r.step.blob = r.blob(*node);
}

constexpr VerbReader kVerbs[] = {
    {Verb::acquire_volume, read_acquire_volume}, {Verb::relinquish_volume, read_relinquish_volume},
    {Verb::acquire_cookie, read_acquire_cookie}, {Verb::relinquish_cookie, read_relinquish_cookie},
    {Verb::use_cookie, read_use_cookie},         {Verb::unuse_cookie, read_unuse_cookie},
    {Verb::invalidate, read_size_change},        {Verb::resize, read_size_change},
    {Verb::prepare_read, read_prepare_read},     {Verb::cache_read, read_cache_read},
    {Verb::cache_write, read_cache_write},       {Verb::read, read_read},
};

}  // namespace

std::span<const VerbReader> netfs_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
