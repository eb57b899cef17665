// The `coldread` command as a function, so that tests may call what users call.
#pragma once

namespace coldread::cli {

// Runs one command line and returns the process' exit code (exit_code.h).
int main(int argc, char** argv);

}  // namespace coldread::cli
