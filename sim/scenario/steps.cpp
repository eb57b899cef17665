#include "sim/scenario/steps.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <iterator>

#include "sim/scenario/errno_names.h"
#include "sim/scenario/expectation.h"

namespace coldread::scenario {
namespace {

constexpr uint64_t kMaxSigned = uint64_t{1} << 63;
constexpr uint64_t kMaxObject = kMaxSigned - 1;  // sizes and offsets are loff_t
constexpr uint64_t kMaxMs = uint64_t{24} * 3600 * 1000;
constexpr uint64_t kMaxMessageBuffer = 65536;
constexpr size_t kMaxCommand = 8192;  // beyond PAGE_SIZE - 1, which is refused
constexpr uint64_t kPage = 4096;
constexpr size_t kMaxBarriers = 1000;

// What a verb's reader works on.
struct Reader {
  Fields& fields;
  Step& step;
  Names& names;
  bool setup = false;  // there "task" is who acts

  int blob(const Node& node) const {
    return static_cast<int>(node.one_of(names.blobs, "the name of a blob"));
  }
  void read_volume() const {
    step.volume =
        static_cast<int>(fields.need("volume").one_of(names.volumes, "the name of a volume"));
  }
  void read_cookie() const {
    step.cookie =
        static_cast<int>(fields.need("cookie").one_of(names.cookies, "the name of a cookie"));
  }
  void read_fd() const { step.fd = fields.name_or("fd", "dev"); }
  void read_new_size(bool needed) const {
    if (needed)
      step.new_size = fields.need("new_size").number(kMaxObject);
    else if (const auto node = fields.find("new_size"))
      step.new_size = node->number(kMaxObject);
  }
  // "blob", "blob_offset" and the "length" that defaults to the blob's rest.
  void read_source(uint64_t default_offset) const {
    step.blob = blob(fields.need("blob"));
    step.blob_offset = fields.number_or("blob_offset", default_offset, UINT64_MAX);
    const uint64_t size = names.scenario->blobs[static_cast<size_t>(step.blob)].bytes.size();
    const uint64_t rest = step.blob_offset < size ? size - step.blob_offset : 0;
    if (const auto node = fields.find("length"))
      step.length = node->number(kMaxCallBytes);
    else if (rest > kMaxCallBytes)
      fields.node().fail("a \"length\" of at most 16 MiB", std::to_string(rest) + " bytes of blob");
    else
      step.length = rest;
  }
};

uint32_t read_flags(const Node& node, const std::vector<std::string>& words,
                    const std::vector<uint32_t>& values) {
  uint32_t flags = 0;
  for (const Node& word : node.elements(words.size())) {
    const uint32_t flag = values[word.one_of(words, "a flag")];
    if ((flags & flag) != 0) word.fail("every flag once");
    flags |= flag;
  }
  return flags;
}

void read_open(Reader r) {
  static const int kFlags[] = {O_RDWR, O_RDONLY, O_WRONLY};
  r.step.open_flags = O_RDWR;
  if (const auto node = r.fields.find("flags"))
    r.step.open_flags = kFlags[node->one_of({"rdwr", "rdonly", "wronly"}, "an open mode")];
  r.step.as = r.fields.name_or("as", "dev");
}

void read_command(Reader r) {
  r.read_fd();
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
  if (error) {
    const auto number = errno_number(error->string(32));
    if (!number) error->fail("the name of an error (\"ENOENT\")");
    r.step.answer = -*number;
  }
}

void read_read_message(Reader r) {
  r.read_fd();
  r.step.buffer_size = static_cast<uint32_t>(r.fields.number_or("size", 1024, kMaxMessageBuffer));
  r.step.as = r.fields.name_or("as", "m");
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

void read_write(Reader r) {
  r.step.fd = r.fields.need("fd").name();
  r.read_source(0);
}

void read_pwrite(Reader r) {
  r.step.fd = r.fields.need("fd").name();
  r.step.offset = r.fields.number_or("offset", 0, UINT64_MAX);
  r.read_source(r.step.offset);
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

void read_serve(Reader r) {
  r.read_fd();
  for (const auto& [key, blob] : r.fields.need("blobs").members(kMaxSteps)) {
    if (std::find(r.names.cookie_keys.begin(), r.names.cookie_keys.end(), key) ==
        r.names.cookie_keys.end())
      blob.fail("the key of a cookie", "\"" + key + "\"" + did_you_mean(key, r.names.cookie_keys));
    r.step.serve.emplace_back(key, r.blob(blob));
  }
}

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

void read_sleep(Reader r) {
  r.step.timeout_ms = static_cast<int64_t>(r.fields.need("ms").number(kMaxMs));
}

void read_barrier(Reader r) {
  const std::string name = r.fields.need("name").name();
  auto& barriers = r.names.barriers;
  const auto found = std::find(barriers.begin(), barriers.end(), name);
  r.step.barrier = static_cast<int>(found - barriers.begin());
  if (found != barriers.end()) return;
  if (barriers.size() == kMaxBarriers)
    r.fields.node().fail("at most " + std::to_string(kMaxBarriers) + " barriers", "more");
  barriers.push_back(name);
}

void read_settle(Reader) {}

void read_kill(Reader r) {
  const auto& scenario = *r.names.scenario;
  if (r.setup || r.fields.first_of("process", "task")) {
    r.step.process = static_cast<int>(
        r.fields.need("process").one_of(scenario.processes, "the name of a process"));
  } else {
    const size_t task = r.fields.need("task").one_of(r.names.tasks, "the name of a task");
    r.step.process = static_cast<int>(scenario.tasks[task].process);
  }
}

struct VerbReader {
  Verb verb;
  void (*read)(Reader);
};

constexpr VerbReader kVerbs[] = {
    {Verb::open, read_open},
    {Verb::command, read_command},
    {Verb::copen, read_copen},
    {Verb::read_message, read_read_message},
    {Verb::poll, read_poll},
    {Verb::close, read_close},
    {Verb::write, read_write},
    {Verb::pwrite, read_pwrite},
    {Verb::lseek, read_lseek},
    {Verb::complete, read_complete},
    {Verb::serve, read_serve},
    {Verb::acquire_volume, read_acquire_volume},
    {Verb::relinquish_volume, read_relinquish_volume},
    {Verb::acquire_cookie, read_acquire_cookie},
    {Verb::relinquish_cookie, read_relinquish_cookie},
    {Verb::use_cookie, read_use_cookie},
    {Verb::unuse_cookie, read_unuse_cookie},
    {Verb::invalidate, read_size_change},
    {Verb::resize, read_size_change},
    {Verb::prepare_read, read_prepare_read},
    {Verb::cache_read, read_cache_read},
    {Verb::cache_write, read_cache_write},
    {Verb::read, read_read},
    {Verb::sleep, read_sleep},
    {Verb::barrier, read_barrier},
    {Verb::settle, read_settle},
    {Verb::kill, read_kill},
};

Step verb_step(Verb verb) {
  Step step;
  step.verb = verb;
  return step;
}

Step command_step(const std::string& fd, std::string text) {
  Step step = verb_step(Verb::command);
  step.fd = fd;
  step.text = std::move(text);
  return step;
}

std::vector<Step> expand_bind(Reader r) {
  const std::string fd = r.fields.name_or("as", "dev");
  const std::string tag = r.fields.name_or("tag", "coldread");
  bool ondemand = true;
  if (const auto node = r.fields.find("mode"))
    ondemand = node->one_of({"ondemand", ""}, "a mode") == 0;
  Step open = verb_step(Verb::open);
  open.open_flags = O_RDWR;
  open.as = fd;
  return {open, command_step(fd, "dir {CACHE}"), command_step(fd, "tag " + tag),
          command_step(fd, ondemand ? "bind ondemand" : "bind")};
}

std::vector<Step> expand_cookie(Reader r, std::initializer_list<Verb> verbs) {
  r.read_cookie();
  std::vector<Step> steps;
  for (const Verb verb : verbs) {
    Step& step = steps.emplace_back(verb_step(verb));
    step.cookie = r.step.cookie;
    if (verb == Verb::acquire_volume || verb == Verb::relinquish_volume) {
      step.volume =
          static_cast<int>(r.names.scenario->cookies[static_cast<size_t>(step.cookie)].volume);
      step.cookie = -1;
    }
  }
  return steps;
}

std::vector<Step> expand_connect(Reader r) {
  return expand_cookie(r, {Verb::acquire_volume, Verb::acquire_cookie, Verb::use_cookie});
}

std::vector<Step> expand_disconnect(Reader r) {
  return expand_cookie(r, {Verb::unuse_cookie, Verb::relinquish_cookie, Verb::relinquish_volume});
}

struct Sequence {
  const char* name;
  std::vector<Step> (*expand)(Reader);
};

constexpr Sequence kSequences[] = {
    {"bind", expand_bind}, {"connect", expand_connect}, {"disconnect", expand_disconnect}};

}  // namespace

Names::Names(const Scenario& loaded) : scenario(&loaded) {
  for (const Blob& blob : loaded.blobs) blobs.push_back(blob.name);
  for (const Volume& volume : loaded.volumes) volumes.push_back(volume.name);
  for (const Cookie& cookie : loaded.cookies) {
    cookies.push_back(cookie.name);
    cookie_keys.push_back(key_text(cookie.key));
  }
  for (const TaskSpec& task : loaded.tasks) tasks.push_back(task.name);
}

const std::vector<std::string>& verb_words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words;
    for (const VerbReader& entry : kVerbs) words.emplace_back(verb_name(entry.verb));
    for (const Sequence& entry : kSequences) words.emplace_back(entry.name);
    return words;
  }();
  return kWords;
}

std::vector<Step> read_step(const Node& node, bool setup, Names& names) {
  Fields fields(node, "a step");
  const Node verb_node = fields.need("do");
  const size_t verb = verb_node.one_of(verb_words(), "a verb");
  const std::string& word = verb_words()[verb];
  Fields members(node, "a step \"" + word + "\"");
  members.find("do");
  if (setup) members.need("task");
  members.string_or("note", "");

  std::vector<Step> steps;
  Step step = verb < std::size(kVerbs) ? verb_step(kVerbs[verb].verb) : Step{};
  step.pointer = node.pointer();
  const Reader reader{members, step, names, setup};
  if (verb < std::size(kVerbs)) {
    if (setup && (step.verb == Verb::barrier || step.verb == Verb::serve))
      verb_node.fail("a step that ends by itself: setup steps run one after the other");
    kVerbs[verb].read(reader);
    if (const auto expect = members.find("expect")) {
      check_step_expectation(*expect, step.verb, names);
      step.expect = expect->json();
    }
    steps.push_back(std::move(step));
  } else {
    steps = kSequences[verb - std::size(kVerbs)].expand(reader);
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i].pointer = node.pointer() + "#" + std::to_string(i + 1);
  }
  members.done();
  return steps;
}

}  // namespace coldread::scenario
