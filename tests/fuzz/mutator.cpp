// What libFuzzer calls to change a program: most changes are of whole instructions (mutate.h), some
// its own. Linked with the fuzzers whose input is a Program.
#include <algorithm>
#include <span>
#include <vector>

#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

// libFuzzer's own changes; other engines have none.
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed);
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* one, size_t one_size,
                                            const uint8_t* other, size_t other_size, uint8_t* out,
                                            size_t most, unsigned seed);

namespace {

using coldread::fuzz::kBytesBeforeProgram;

constexpr unsigned kOneInItsOwn = 4;

std::span<const uint8_t> program_of(const uint8_t* data, size_t size) {
  const size_t before = std::min(size, kBytesBeforeProgram);
  return {data + before, size - before};
}

// The bytes before it stay.
size_t put(const std::vector<uint8_t>& program, uint8_t* data) {
  std::copy(program.begin(), program.end(), data + kBytesBeforeProgram);
  return kBytesBeforeProgram + program.size();
}

}  // namespace

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  const bool its_own = size <= kBytesBeforeProgram || seed % kOneInItsOwn == 0;
  if (its_own && LLVMFuzzerMutate != nullptr) return LLVMFuzzerMutate(data, size, most);
  if (most <= kBytesBeforeProgram) return size;
  return put(coldread::fuzz::mutated(program_of(data, size), most - kBytesBeforeProgram,
                                     seed / kOneInItsOwn),
             data);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t* one, size_t one_size, const uint8_t* other,
                                 size_t other_size, uint8_t* out, size_t most, unsigned seed) {
  if (most <= kBytesBeforeProgram || one_size < kBytesBeforeProgram) return 0;
  std::copy(one, one + kBytesBeforeProgram, out);
  return put(coldread::fuzz::crossed(program_of(one, one_size), program_of(other, other_size),
                                     most - kBytesBeforeProgram, seed),
             out);
}
