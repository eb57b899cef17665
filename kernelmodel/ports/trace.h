// The port through which tracepoints leave the model, named and formatted as the kernel's own.
//
// Off by default; a disabled Trace costs one test of a flag per tracepoint.
#pragma once

#include <string_view>

namespace coldread {

class Trace {
 public:
  bool enabled() const { return enabled_; }

  // One event of the current task, now. `fields` is the text behind the event's name, exactly as
  // the kernel's TP_printk prints it. Both are copied.
  virtual void emit(std::string_view event, std::string_view fields) = 0;

 protected:
  Trace() = default;
  ~Trace() = default;
  bool enabled_ = false;
};

}  // namespace coldread
