// One line on a terminal's stderr that says how far a run is; nothing anywhere else.
#pragma once

#include <string>

namespace coldread::cli {

class Progress {
 public:
  explicit Progress(size_t total);  // 0: not known
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(size_t done, const std::string& what);
  void clear();  // before anything else is printed

 private:
  const size_t total_;
  const bool shown_;
};

}  // namespace coldread::cli
