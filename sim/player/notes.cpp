#include "sim/player/notes.h"

#include <poll.h>

namespace coldread::player {

namespace {

nlohmann::json event_names(uint32_t events) {
  nlohmann::json names = nlohmann::json::array();
  if ((events & POLLIN) != 0) names.push_back("in");
  if ((events & POLLOUT) != 0) names.push_back("out");
  if ((events & POLLERR) != 0) names.push_back("err");
  if ((events & POLLHUP) != 0) names.push_back("hup");
  if ((events & POLLNVAL) != 0) names.push_back("nval");
  return names;
}

nlohmann::json flag_names(uint32_t flags) {
  nlohmann::json names = nlohmann::json::array();
  if ((flags & scenario::kSubrequestOndemand) != 0) names.push_back("ondemand");
  if ((flags & scenario::kSubrequestCopyToCache) != 0) names.push_back("copy_to_cache");
  return names;
}

}  // namespace

void Notes::begin(const scenario::Step& step) {
  skipped_ = false;
  served_count_ = 0;
  under_way_ = true;
  if (keeps_records()) {
    records_.push_back({{"step", step.pointer}, {"do", verb_name(step.verb)}});
    return;
  }
  begun_ = pending_ = OutcomeHash();
  begun_.add(static_cast<uint64_t>(step.verb));
}

void Notes::end(int64_t ret, uint64_t seq) {
  under_way_ = false;
  if (keeps_records()) {
    Record& record = current();
    if (!skipped_) {
      if (ret < 0)
        record["errno"] = errno_name(ret);
      else
        record["ret"] = ret;
    }
    record["seq"] = seq;
    return;
  }
  done_.add(begun_.value());
  done_.add(pending_.value());
  done_.add(skipped_ ? UINT64_MAX : static_cast<uint64_t>(ret));
}

void Notes::skip(std::string reason) {
  skipped_ = true;
  if (keeps_records())
    current()["skipped"] = std::move(reason);
  else
    pending_.add(reason);
}

void Notes::number(const char* member, uint64_t value) {
  if (keeps_records())
    current()[member] = value;
  else
    pending_.add(value);
}

void Notes::value(const char* member, const nlohmann::json& value) {
  if (keeps_records())
    current()[member] = value;
  else
    pending_.add(value.dump());
}

void Notes::source(const PrepareResult& found) {
  number("length", found.length);
  if (keeps_records()) {
    current()["source"] = source_name(found.source);
    current()["flags"] = flag_names(found.flags);
  } else {
    pending_.add(static_cast<uint64_t>(found.source));
    pending_.add(found.flags & (scenario::kSubrequestOndemand | scenario::kSubrequestCopyToCache));
  }
}

void Notes::mix_message(OutcomeHash& hash, const Message& message) {
  hash.add(message.opcode);
  hash.add(message.msg_id);
  hash.add(message.object_id);
  hash.add(message.len);
  if (message.opcode == kOpOpen) {
    hash.add(message.volume_key);
    hash.add(message.cookie_key);
    hash.add(static_cast<uint32_t>(message.fd));
    hash.add(message.flags);
  } else if (message.opcode == kOpRead) {
    hash.add(message.off);
    hash.add(message.length);
  }
}

void Notes::message(const Message& message) {
  if (keeps_records())
    current()["message"] = message_json(message);
  else
    mix_message(pending_, message);
}

void Notes::poll_events(uint32_t events) {
  if (keeps_records())
    current()["events"] = event_names(events);
  else
    pending_.add(events & (POLLIN | POLLOUT | POLLERR | POLLHUP | POLLNVAL));
}

void Notes::begin_served() {
  if (keeps_records()) current()["messages"] = nlohmann::json::array();
}

void Notes::served(const Message& message, uint64_t seq) {
  served_count_++;
  if (!keeps_records()) return mix_message(begun_, message);
  nlohmann::json& messages = current()["messages"];
  messages.push_back(message_json(message));
  messages.back()["seq"] = seq;
}

void Notes::begin_slices() {
  if (keeps_records()) current()["slices"] = nlohmann::json::array();
}

void Notes::slice(uint64_t offset, const PrepareResult& found) {
  if (keeps_records()) {
    current()["slices"].push_back(
        {{"source", source_name(found.source)}, {"offset", offset}, {"length", found.length}});
    return;
  }
  pending_.add(static_cast<uint64_t>(found.source));
  pending_.add(offset);
  pending_.add(found.length);
}

void Notes::copy_failed(int64_t error) {
  if (keeps_records())
    current()["slices"].back()["copy"] = errno_name(error);
  else
    pending_.add(static_cast<uint64_t>(error));
}

void Notes::begin_data() {
  if (keeps_records())
    sha256_->restart();
  else
    data_ = OutcomeHash();
}

void Notes::add_data(std::span<const std::byte> bytes) {
  if (keeps_records())
    sha256_->add(bytes);
  else
    data_.add(bytes);
}

void Notes::end_data(uint64_t length) {
  if (keeps_records()) {
    current()["data"] = {{"length", length}, {"sha256", sha256_->hex()}};
    return;
  }
  pending_.add(length);
  pending_.add(data_.value());
}

uint64_t Notes::outcome(bool waits) const {
  OutcomeHash hash = done_;
  if (!under_way_) return hash.value();
  hash.add(begun_.value());
  hash.add(uint64_t{waits});
  return hash.value();
}

}  // namespace coldread::player
