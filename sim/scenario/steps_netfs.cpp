// The steps of a netfs: its calls into fscache.
#include <algorithm>

#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxObjectData = 300;  // auxiliary or coherency data

// New data for a place that has `length` bytes: all of it, or none may come.
std::vector<std::byte> read_as_long(const Node& node, size_t length, const char* whose) {
  std::vector<std::byte> bytes = node.hex(kMaxObjectData);
  if (bytes.size() != length)
    node.fail("as many bytes as " + std::string(whose) + ", " + std::to_string(length),
              std::to_string(bytes.size()));
  return bytes;
}

void read_acquire_volume(Reader r) {
  r.read_volume();
}

void read_relinquish_volume(Reader r) {
  r.read_volume();
  r.step.invalidate = r.fields.boolean_or("invalidate", false);
  const Volume& volume = r.names.scenario->volumes[static_cast<size_t>(r.step.volume)];
  if (const auto node = r.fields.find("coherency"))
    r.step.aux = read_as_long(*node, volume.coherency.size(), "the volume has coherency data");
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

void read_aux(Reader r) {
  const Cookie& cookie = r.names.scenario->cookies[static_cast<size_t>(r.step.cookie)];
  if (const auto node = r.fields.find("aux_hex"))
    r.step.aux = read_as_long(*node, cookie.aux.size(), "the cookie has auxiliary data");
}

// unuse_cookie, update_cookie
void read_update(Reader r) {
  r.read_cookie();
  r.read_new_size(false);
  read_aux(r);
}

void read_invalidate(Reader r) {
  r.read_cookie();
  r.read_new_size(true);
  read_aux(r);
  r.step.direct_write = r.fields.boolean_or("direct_write", false);
}

void read_resize(Reader r) {
  r.read_cookie();
  r.read_new_size(true);
}

void read_note_page_release(Reader r) {
  r.read_cookie();
}

void read_unload(Reader) {}

int operation_index(Reader r, const Node& node) {
  const std::string name = node.name();
  auto& operations = r.names.operations;
  const auto found = std::find(operations.begin(), operations.end(), name);
  const auto index = static_cast<int>(found - operations.begin());
  if (found == operations.end()) operations.push_back(name);
  return index;
}

void read_begin_operation(Reader r) {
  r.read_cookie();
  if (const auto node = r.fields.find("for"))
    r.step.for_write = node->one_of({"read", "write"}, "what the operation is for") == 1;
  r.step.operation = operation_index(r, r.fields.need("as"));
}

void read_end_operation(Reader r) {
  r.step.operation = operation_index(r, r.fields.need("operation"));
}

void read_target(Reader r) {
  if (r.fields.first_of("cookie", "operation"))
    r.read_cookie();
  else
    r.step.operation = operation_index(r, r.fields.need("operation"));
}

void read_prepare_read(Reader r) {
  read_target(r);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxObject);
  if (const auto node = r.fields.find("i_size"))
    r.step.i_size = static_cast<int64_t>(node->number(kMaxObject));
  if (const auto node = r.fields.find("flags"))
    r.step.flags = read_flags(*node, {"ondemand", "copy_to_cache"},
                              {kSubrequestOndemand, kSubrequestCopyToCache});
}

void read_cache_read(Reader r) {
  read_target(r);
  r.step.sync = r.fields.boolean_or("sync", false);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxCallBytes);
  if (const auto node = r.fields.find("hole"))
    r.step.hole = static_cast<HoleMode>(node->one_of({"ignore", "clear", "fail"}, "a hole mode"));
}

void read_cache_write(Reader r) {
  read_target(r);
  r.step.sync = r.fields.boolean_or("sync", false);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.read_source(r.step.offset);
}

void read_prepare_write(Reader r) {
  read_target(r);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxObject);
  r.step.limit = r.fields.number_or("upper_length", r.step.length, kMaxObject);
  if (const auto node = r.fields.find("i_size"))
    r.step.i_size = static_cast<int64_t>(node->number(kMaxObject));
  r.step.allocated = r.fields.boolean_or("allocated", false);
}

void read_query_occupancy(Reader r) {
  read_target(r);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.step.length = r.fields.need("length").number(kMaxObject);
  r.step.limit = r.fields.number_or("granularity", 1, kMaxCallBytes);
  if (r.step.limit == 0) r.fields.need("granularity").fail("at least 1");
}

void read_write_to_cache(Reader r) {
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

void read_issue_write(Reader r) {
  read_target(r);
  r.step.offset = r.fields.number_or("offset", 0, kMaxObject);
  r.read_source(r.step.offset);
  if (const auto node = r.fields.find("i_size"))
    r.step.i_size = static_cast<int64_t>(node->number(kMaxObject));
  r.step.limit = r.fields.number_or("extendable_to", 0, kPage);
}

constexpr VerbReader kVerbs[] = {
    {Verb::acquire_volume, read_acquire_volume},
    {Verb::relinquish_volume, read_relinquish_volume},
    {Verb::acquire_cookie, read_acquire_cookie},
    {Verb::relinquish_cookie, read_relinquish_cookie},
    {Verb::use_cookie, read_use_cookie},
    {Verb::unuse_cookie, read_update},
    {Verb::update_cookie, read_update},
    {Verb::invalidate, read_invalidate},
    {Verb::resize, read_resize},
    {Verb::note_page_release, read_note_page_release},
    {Verb::unload, read_unload},
    {Verb::begin_operation, read_begin_operation},
    {Verb::end_operation, read_end_operation},
    {Verb::prepare_read, read_prepare_read},
    {Verb::cache_read, read_cache_read},
    {Verb::cache_write, read_cache_write},
    {Verb::prepare_write, read_prepare_write},
    {Verb::query_occupancy, read_query_occupancy},
    {Verb::write_to_cache, read_write_to_cache},
    {Verb::issue_write, read_issue_write},
    {Verb::read, read_read},
};

}  // namespace

std::span<const VerbReader> netfs_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
