#!/usr/bin/env bash
# Lets libFuzzer look for input that breaks a parser of foreign files: built by clang with the address and undefined
# sanitizers, beginning with the tests' fixtures. What it finds is kept in build-fuzz/found.
#   fuzz.sh [SECONDS]    for each target; 60 by default
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,4s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
seconds=${1:-60}
targets=(safetensors model_json tokenizer_json documents)

scripts/setup.sh
command -v clang++ >/dev/null || install_packages clang
build fuzz "${targets[@]/#/fuzz_}"
seeds=build-fuzz/seeds
rm -rf "$seeds"
for target in "${targets[@]}"; do mkdir -p "$seeds/$target" "build-fuzz/corpus/$target" build-fuzz/found; done
for folder in tests/fixtures/models/* tests/fixtures/models/heads/*; do
  [ -e "$folder/config.json" ] || continue
  name=$(basename "$folder")
  cp "$folder/config.json" "$seeds/model_json/$name"
  cp "$folder/model.safetensors" "$seeds/safetensors/$name"
done
for file in tests/fixtures/tokenizer/*.json; do cp "$file" "$seeds/tokenizer_json/"; done
printf '{"text": "a"}\n' >"$seeds/documents/jsonl"
printf 'id,text\n1,"a, ""b"""\n' >"$seeds/documents/csv"
gzip -c scripts/fuzz.sh >"$seeds/documents/gz"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for target in "${targets[@]}"; do
  say "$target, $seconds s"
  "build-fuzz/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -max_len=200000 \
    -artifact_prefix="build-fuzz/found/$target-" "build-fuzz/corpus/$target" "$seeds/$target" 2>&1 |
    tail -n 3
  rm -f /dev/shm/lmtrain-fuzz-*
done
