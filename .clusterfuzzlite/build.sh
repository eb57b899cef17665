#!/bin/bash -eu
# Builds the fuzz targets with the compiler, sanitizers and engine that ClusterFuzzLite gives in its
# environment (CXX, CXXFLAGS, LIB_FUZZING_ENGINE), and puts them into $OUT with their seeds,
# dictionaries and the scenarios that one of them plays. Nothing else is there where they run, so
# libraries are linked in; fmt is compiled along, since that compiler's standard library is another
# than the one which the packaged fmt was built with.
build=$WORK/coldread
rm -rf "$build"
CXXFLAGS="$CXXFLAGS -DFMT_HEADER_ONLY" meson setup "$build" . -Dfuzz=enabled \
  -Dfuzz_engine="$LIB_FUZZING_ENGINE" -Dprefer_static=true -Db_lundef=false -Dbench=disabled \
  -Dimage=disabled
ninja -C "$build" fuzz

for source in tests/fuzz/*.cpp; do
  target=$(basename "$source" .cpp)
  name=fuzz_$target
  [ -e "$build/tests/fuzz/$name" ] || continue
  cp "$build/tests/fuzz/$name" "$OUT/"
  [ ! -d "$build/tests/fuzz/seeds/$target" ] ||
    (cd "$build/tests/fuzz/seeds/$target" &&
      python3 -m zipfile -c "$OUT/${name}_seed_corpus.zip" ./*)
  [ ! -e "tests/fuzz/$target.dict" ] || cp "tests/fuzz/$target.dict" "$OUT/$name.dict"
done
cp -r scenarios "$OUT/"
