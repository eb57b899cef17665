// The steps of a daemon: its system calls, and the ready-made one.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

constexpr uint64_t kMaxMessageBuffer = 65536;
constexpr size_t kMaxCommand = 8192;  // beyond PAGE_SIZE - 1, which is refused

void read_open(Reader r) {
  static const int kFlags[] = {O_RDWR, O_RDONLY, O_WRONLY};
  r.step.open_flags = O_RDWR;
  if (const auto node = r.fields.find("flags"))
    r.step.open_flags = kFlags[node->one_of({"rdwr", "rdonly", "wronly"}, "an open mode")];
  if (r.fields.boolean_or("nonblock", false)) r.step.open_flags |= O_NONBLOCK;
  r.step.capable = r.fields.boolean_or("capable", true);
  r.step.as = r.fields.name_or("as", "dev");
}

void read_command(Reader r) {
  r.read_fd();
  r.read_buffer();
  if (r.fields.first_of("text", "text_hex")) {
    r.step.text = r.fields.need("text").string(kMaxCommand);
    return;
  }
  const auto bytes = r.fields.need("text_hex").hex(kMaxCommand);
  r.step.text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  r.step.raw_text = true;
}

void read_copen(Reader r) {
  r.read_fd();
  if (const auto id = r.fields.find("id")) {
    if (r.fields.find("message"))
      r.fields.node().fail("either \"message\" or \"id\" in a step \"copen\"", "both");
    r.step.id = id->number(UINT64_MAX);
  } else {
    r.step.message = r.fields.name_or("message", "m");
  }
  const auto size = r.fields.find("size");
  const auto blob = r.fields.find("blob");
  const auto error = r.fields.find("error");
  if (int{size.has_value()} + int{blob.has_value()} + int{error.has_value()} != 1)
    r.fields.node().fail("exactly one of \"size\", \"blob\", \"error\" in a step \"copen\"",
                         size || blob || error ? "more" : "none");
  if (size) r.step.answer = static_cast<int64_t>(size->number(kMaxObject));
  if (blob) {
    r.step.blob = r.blob(*blob);
    r.step.answer = static_cast<int64_t>(
        r.names.scenario->blobs[static_cast<size_t>(r.step.blob)].bytes.size());
  }
  if (error) r.step.answer = -r.error_number(*error);
}

void read_read_message(Reader r) {
  r.read_fd();
  r.step.buffer_size = static_cast<uint32_t>(r.fields.number_or("size", 1024, kMaxMessageBuffer));
  r.step.as = r.fields.name_or("as", "m");
  r.read_buffer();
}

void read_poll(Reader r) {
  r.read_fd();
  r.step.events = POLLIN;
  if (const auto node = r.fields.find("events"))
    r.step.events = read_flags(*node, {"in", "out"}, {POLLIN, POLLOUT});
  if (const auto node = r.fields.find("timeout_ms"))
    r.step.timeout_ms = static_cast<int64_t>(node->number(kMaxMs));
}

void read_close(Reader r) {
  r.read_fd();
}

// Whether the memory can be reached, and how it lies.
void read_memory(Reader r) {
  r.read_buffer();
  const auto misalign = r.fields.find("misalign");
  if (!misalign) return;
  if (r.step.bad_buffer) r.fields.node().fail("either \"buffer\" or \"misalign\"", "both");
  r.step.misalign = static_cast<uint32_t>(misalign->number(kPage - 1));
}

void read_write(Reader r) {
  r.step.fd = r.fields.need("fd").name();
  r.read_source(0);
  read_memory(r);
}

void read_pwrite(Reader r) {
  r.step.fd = r.fields.need("fd").name();
  r.step.offset = r.fields.number_or("offset", 0, UINT64_MAX);
  r.read_source(r.step.offset);
  read_memory(r);
}

void read_lseek(Reader r) {
  r.step.fd = r.fields.need("fd").name();
  if (const auto node = r.fields.find("offset"))
    r.step.offset = static_cast<uint64_t>(node->signed_number());
  if (const auto node = r.fields.find("whence"))
    r.step.whence =
        static_cast<LseekWhence>(node->one_of({"set", "cur", "end", "data", "hole"}, "a whence"));
}

void read_complete(Reader r) {
  if (const auto id = r.fields.find("id")) {
    if (r.fields.find("message"))
      r.fields.node().fail("either \"message\" or \"id\" in a step \"complete\"", "both");
    r.step.id = id->number(UINT64_MAX);
    r.step.fd = r.fields.need("fd").name();
  } else {
    r.step.message = r.fields.name_or("message", "m");
    r.step.fd = r.fields.name_or("fd", "");
  }
}

void read_blobs(Reader r) {
  for (const auto& [key, blob] : r.fields.need("blobs").members(kMaxSteps)) {
    if (std::find(r.names.cookie_keys.begin(), r.names.cookie_keys.end(), key) ==
        r.names.cookie_keys.end())
      blob.fail("the key of a cookie", "\"" + key + "\"" + did_you_mean(key, r.names.cookie_keys));
    r.step.serve.blobs.emplace_back(key, r.blob(blob));
  }
}

void read_serve(Reader r) {
  r.read_fd();
  read_blobs(r);
  Service& serve = r.step.serve;
  serve.delay_ms = r.fields.number_or("delay_ms", 0, kMaxMs);
  if (const auto fill = r.fields.find("fill")) {
    serve.fill = fill->number(kMaxCallBytes);
    if (serve.fill % kPage != 0) fill->fail("a multiple of 4096");
  }
  if (const auto ignore = r.fields.find("ignore")) {
    const uint32_t opcodes = read_flags(*ignore, {"OPEN", "CLOSE", "READ"}, {1, 2, 4});
    for (size_t i = 0; i < serve.ignore.size(); ++i) serve.ignore[i] = (opcodes >> i & 1) != 0;
  }
  if (const auto refuse = r.fields.find("refuse")) serve.refuse = -r.error_number(*refuse);
  if (const auto close = r.fields.find("close_fd"))
    serve.close_fd = close->one_of({"before_copen", "after_copen"}, "a time") == 0
                         ? Service::CloseFd::before_copen
                         : Service::CloseFd::after_copen;
  serve.nonsense = r.fields.boolean_or("nonsense", false);
  serve.restore = r.fields.boolean_or("restore", false);
  if (const auto stop = r.fields.find("stop_after")) {
    serve.stop_after = stop->number(kMaxSteps);
    if (serve.stop_after == 0) stop->fail("at least 1");
  }
}

constexpr VerbReader kVerbs[] = {
    {Verb::open, read_open},   {Verb::command, read_command},
    {Verb::copen, read_copen}, {Verb::read_message, read_read_message},
    {Verb::poll, read_poll},   {Verb::close, read_close},
    {Verb::write, read_write}, {Verb::pwrite, read_pwrite},
    {Verb::lseek, read_lseek}, {Verb::complete, read_complete},
    {Verb::serve, read_serve},
};

}  // namespace

std::span<const VerbReader> daemon_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
