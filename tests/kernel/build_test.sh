#!/bin/bash
# The build script's ways out that need no build: each with its exit status and its reason.
# usage: build_test.sh DIRECTORY_OF_THE_SCRIPT
set -u
tools=$1
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/cache"
failures=0

# A command of this name that does only what is written here.
stub() { printf '#!/bin/sh\n%s\n' "$2" > "$work/bin/$1"; chmod +x "$work/bin/$1"; }

# expect STATUS TEXT ARGUMENT...: the script's exit status, and a part of what it says on stdout.
expect() {
  local status=$1 text=$2; shift 2
  local said got
  said=$(PATH=$work/bin:$PATH COLDREAD_KERNEL_CACHE=$cache "$tools/build" "$@" 2> "$work/stderr")
  got=$?
  [ "$got" = "$status" ] && [[ $said = *"$text"* ]] && return
  echo "FAILED: build $*: status $got, '$said', expected $status, '$text'"
  sed 's/^/  /' "$work/stderr"
  failures=$((failures + 1))
}

cache=$work/cache
expect 1 "reason=no kernel of series '5.19'" 5.19
expect 1 "reason=no kernel of series ''"
expect 77 "reason=Linux 6.12 is not built yet" --cached 6.12.117
exec 8> "$cache/.lock-6.12"; flock 8  # as who builds it
expect 77 "reason=Linux 6.12 is being built at this moment" --cached 6.12.117
exec 8>&-
expect 77 "reason=Linux 6.12-security is not built yet: run tests/kernel/build --security" \
  --cached --security 6.12

stub dpkg-query 'exit 1'
stub id 'echo 1000'
expect 77 "only root can install them: apt-get install linux-source-6.1" 6.1.192
stub id 'echo 0'
stub apt-get 'exit 100'
expect 77 "reason=apt-get could not install linux-source-6.1" 6.1.192

cache=$work/file; touch "$cache"
expect 77 "is not writable" 6.1

# What an interrupted build left is not taken for a kernel.
cache=$work/cache; mkdir -p "$cache/linux-6.12"; touch "$cache/linux-6.12/linux"
expect 77 "is not built yet" --cached 6.12

# A kernel that is built, and what counts for gcov beside it is not.
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
tree=$cache/linux-6.12; netfs=$tree/netfs-$(hash_of "$tools"/module/*)
mkdir "$netfs"; touch "$netfs/coldread_netfs.ko"; echo 6.12.117 > "$tree/.coldread-release"
hash_of "$tools/ondemand.config" > "$tree/.coldread-built"
expect 0 "linux=$tree/linux" --cached 6.12
expect 77 "reason=Linux 6.12 with gcov's counters is not built yet" --cached --coverage 6.12
# A kernel with CONFIG_SECURITY is another one.
expect 77 "reason=Linux 6.12-security is not built yet" --cached --security 6.12

# So is one without a change, each of them; some cannot be had.
expect 77 "6.12 without msg-id-cyclic is not built yet: run tests/kernel/build --without msg-id-" \
  --cached --without msg-id-cyclic 6.12.117
changed=$tree-without-msg-id-cyclic; mkdir "$changed"
echo "$(hash_of "$tools/ondemand.config")-$(hash_of "$tools/taken_back/msg-id-cyclic")" \
  > "$changed/.coldread-built"
expect 0 "linux=$changed/linux" --cached --without msg-id-cyclic 6.12
expect 77 "is not built yet" --cached --without killable-ondemand-wait 6.12
expect 1 "no recipe takes nonsense back; there are: cache-file-mode-0600 " --without nonsense 6.12
expect 1 "reason=no recipe takes ../build back" --without ../build 6.12
expect 1 "reason=--without needs a change" --without
expect 1 "do not go together" --coverage --without msg-id-cyclic 6.12
# An edit that changes nothing is an error, before anything is compiled.
mkdir -p "$tree/fs/cachefiles"; touch "$tree/fs/cachefiles/ondemand.c"
expect 1 "taken_back/copen-closes-object changes nothing in fs/cachefiles/ondemand.c" \
  --without copen-closes-object 6.12

# What has no line to pause at.
"$tools/widen" 6.12 2> "$work/stderr"; status=$?
[ "$status" = 2 ] && grep -q '^usage: widen ' "$work/stderr" ||
  { echo "FAILED: widen 6.12: status $status, $(cat "$work/stderr")"; failures=$((failures + 1)); }
exit $((failures > 0))
