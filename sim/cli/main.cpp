// The coldread command; everything it does is in app.h.
#include "sim/cli/app.h"

int main(int argc, char** argv) {
  return coldread::cli::main(argc, argv);
}
