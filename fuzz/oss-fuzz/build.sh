#!/bin/bash -eu
# Builds the fuzz targets as OSS-Fuzz wants them: binaries, seed corpora, dictionaries and options in $OUT.
#
#   SRC=.. OUT=.. fuzz/oss-fuzz/build.sh [TARGET..]     all targets by default; the sources are in $SRC/ferrolb
cd "$SRC/ferrolb"

# OSS-Fuzz runs a build for a day, so a slow build pays.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=${CARGO_PROFILE_RELEASE_OPT_LEVEL:-3}
. scripts/fuzz-profile

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi

for target in "${targets[@]}"; do
    cargo fuzz build -O --debug-assertions "$target"
    cp "target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"

    # Past crashes are seeds too: they lead to rare code.
    corpus="$OUT/${target}_seed_corpus.zip"
    rm -f "$corpus"
    for tree in corpus regressions; do
        if [ -d "fuzz/$tree/$target" ]; then
            (cd "fuzz/$tree" && zip -q -r "$corpus" "$target")
        fi
    done

    if [ -f "fuzz/dictionaries/$target.dict" ]; then
        cp "fuzz/dictionaries/$target.dict" "$OUT/"
    fi
    printf '[libfuzzer]\nmax_len = 4096\n' >"$OUT/$target.options"
done
