// What all fuzz targets share: their entry, the kernel they ask, and how they say what they found.
//
// A target is a file with a LLVMFuzzerTestOneInput(). Linked with libFuzzer it is a fuzzer; linked
// with replay_main.cpp it is a program that plays the files it is given. Both take --kernel
// PROFILE, --with CHANGE and --without CHANGE, as `coldread run` does.
//
// Thread rules: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kernelmodel/profile.h"
#include "sim/player/transcript.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace coldread::fuzz {

// A profile without the bugs that nobody has mended yet (own_changes()), which would be found over
// and over.
Profile mended(const Profile& profile);
// The kernel to be asked: the default one, mended, unless options said otherwise.
const Profile& profile();

// The options that ask `coldread run` for the same kernel: " --kernel 6.12.117 --with canary".
std::string kernel_options(const Profile& profile);

// Takes --kernel, --with and --without, in both spellings (--with x, --with=x), out of the
// arguments. A wrong one ends the program with exit code 2.
void take_options(int* argc, char** argv);

// Says what was found, on stderr, and aborts, which is what fuzzers call a crash. `input`: the
// input as people read it; may be empty.
[[noreturn]] void found(const std::string& what, const std::string& input = {});
[[noreturn]] void found(const player::RunReport& report, const std::string& input = {});

}  // namespace coldread::fuzz
