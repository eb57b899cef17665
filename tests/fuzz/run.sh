#!/usr/bin/env bash
# Fuzzes for a short while, from the seeds: run.sh BUILD_DIRECTORY [SECONDS]
#
# BUILD_DIRECTORY is one with -Dfuzz=enabled in which `ninja fuzz` was run; each target gets so many
# seconds (5). Exit code 1 if one of them finds anything, or if those that can do not find the
# canary: then fuzzing has gone blind, and that nothing was found means nothing.
set -u
build=$(cd "$1" && pwd)/tests/fuzz
seconds=${2:-5}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export ASAN_OPTIONS=detect_stack_use_after_return=0
failed=0

# fuzz TARGET OPTION...: from the seeds, into a corpus that is thrown away.
fuzz() {
  local target=$1
  shift
  local corpus=$scratch/$target dictionary=()
  mkdir -p "$corpus"
  [ ! -e "$here/$target.dict" ] || dictionary=("-dict=$here/$target.dict")
  "$build/fuzz_$target" "${dictionary[@]}" -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=3000 -artifact_prefix="$scratch/" -print_final_stats=1 "$@" "$corpus" \
    "$build/seeds/$target" > "$scratch/$target.log" 2>&1
}

for program in "$build"/fuzz_*; do
  target=$(basename "$program")
  target=${target#fuzz_}
  [ -d "$build/seeds/$target" ] || continue
  if fuzz "$target"; then
    printf '%-16s %s\n' "$target" "$(grep number_of_executed "$scratch/$target.log")"
  else
    echo "$target FOUND something:"
    grep -A 60 -m 1 'FOUND\|ERROR\|runtime error' "$scratch/$target.log" ||
      tail -n 60 "$scratch/$target.log"
    base64 "$scratch"/*-* 2> /dev/null
    failed=1
  fi
done
for target in command_parser hostile_daemon kernel_rules schedule two_profiles; do
  # Always the same search: by chance it can take twice as long.
  if fuzz "$target" --with canary -seed=1 -max_total_time=180; then
    echo "$target did NOT find the canary"
    failed=1
  elif ! grep -q '^FOUND' "$scratch/$target.log"; then
    echo "$target found something else than the canary:"
    tail -n 60 "$scratch/$target.log"
    failed=1
  else
    printf '%-16s found the canary\n' "$target"
  fi
done
exit $failed
