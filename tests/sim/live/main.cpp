// The live tests' program; in a guest it is the guest's first process, as the coldread command
// would be.
#include <gtest/gtest.h>

#include <string_view>

#include "sim/live/guest_main.h"

constexpr int kSkipped = 77;  // as build systems know it

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "guest") return coldread::live::run_guest(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const auto& tests = *testing::UnitTest::GetInstance();
  const bool all_skipped = tests.skipped_test_count() > 0 && tests.successful_test_count() == 0;
  return result == 0 && all_skipped ? kSkipped : result;
}
