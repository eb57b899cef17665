// A hostile daemon: any sequence of calls on the device and its files, with live descriptors and
// ids, while readers go on. What the model finds in itself is a finding: memory used after it was
// freed, a hang, something left over.
#include <array>
#include <memory>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/play.h"
#include "tests/fuzz/target.h"

const size_t coldread::fuzz::kBytesBeforeProgram = 0;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace coldread::fuzz;
  static std::array<std::unique_ptr<Play>, static_cast<size_t>(Stage::count)> plays;
  const Program program({data, size});
  std::unique_ptr<Play>& play = plays[static_cast<size_t>(program.stage())];
  if (!play) play = std::make_unique<Play>(profile(), program.stage());
  const auto result = play->run(program);
  const auto& report = result.transcript.report;
  if (report) found(*report, play_text(program, *play));
  return 0;
}
