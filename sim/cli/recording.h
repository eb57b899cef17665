// --record of `serve` and `exec`: the file, from before the mount is there until it is gone.
#pragma once

#include <memory>
#include <string>

#include "fuse/record/recorder.h"

namespace coldread::cli {

class Recording {
 public:
  // Without a path there is none. `realtime`: seconds, when the modelled kernel boots.
  Recording(const std::string& path, const std::string& kernel, uint64_t realtime);

  const std::string& error() const { return error_; }  // why there is no file; empty: all is well
  fuse::Tape* tape() { return recorder_.get(); }       // null: nothing is recorded
  // On standard error, if something could not be written. When the server has stopped.
  void complain_of_gaps() const;

 private:
  std::string path_;
  std::string error_;
  std::unique_ptr<fuse::Recorder> recorder_;
};

}  // namespace coldread::cli
