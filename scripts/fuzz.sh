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
targets=(config manifest hdf5 run_records token_file tokenizer_files tokenizer_json model_json safetensors documents labelled texts system_files published_run intensity_series chat_template companions)

scripts/setup.sh
command -v clang++ >/dev/null || install_packages clang
build fuzz lmtrain "${targets[@]/#/fuzz_}"
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
printf 'text,pair,label\n"a, b",c,yes\n' >"$seeds/labelled/csv"
printf '{"text":"a","pair":"b","label":1,"tokens":["a"],"tags":["O"],"question":"q","context":"é a","answers":{"text":["a"],"answer_start":[2]}}\n' >"$seeds/labelled/jsonl"
printf 'Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\ta\tb\n' >"$seeds/labelled/mrpc"
printf -- '-DOCSTART- O\n\na B-X\nb O\n' >"$seeds/labelled/conll"
printf '{"data":[{"paragraphs":[{"context":"a b","qas":[{"id":"1","question":"q","answers":[{"text":"b","answer_start":2}]}]}]}]}' >"$seeds/labelled/squad"
cp tests/energy/published_runs.csv "$seeds/published_run/table"
printf -- '---\nco2_eq_emissions: 12\n---\non H100\n| | GPU hours | Power (W) | tCO2eq |\n|-|-|-|-|\n| a | 7.0M | 350-400 | 1,900 |\n' >"$seeds/published_run/card"
printf '[{"model": "a", "kwh": 5, "tco2e": "0.1"}]' >"$seeds/published_run/json"
printf '{%% for m in messages %%}<|{{ m.role }}|>{{ m["content"] | trim }}{{ eos_token }}{%% endfor %%}\n--------\nassistant\n--------\nhi' >"$seeds/chat_template/loop"
printf '{"eos_token_id": [1, 2]}\n--------\n{"temperature": 0.5, "top_k": 5}\n--------\n{"chat_template": "x"}\n--------\n{"weight_map": {"a": "b.safetensors"}}\n--------\n{"input": ["a"], "model": "model"}' >"$seeds/companions/all"
printf 'Datetime (UTC),Zone id,Carbon intensity gCO2eq/kWh (Life cycle)\n2026-01-31 00:00:00,DE,350\n' >"$seeds/intensity_series/maps"
printf 'time,g_per_kwh,duration\n2026-01-31T00:00Z,100,00:30:00\n' >"$seeds/intensity_series/table"
printf '{"data":[{"from":"2026-01-31T00:00Z","to":"2026-01-31T00:30Z","intensity":{"forecast":266,"actual":null}}]}' >"$seeds/intensity_series/operator"
printf '[{"Location":"a","Time":"2026-01-31T00:00:00+00:00","Rating":73,"Duration":"01:00:00"}]' >"$seeds/intensity_series/sdk"
printf '12|5000\n12.batch|2600\n12.0|2400\n13_4|\n' >"$seeds/intensity_series/sacct"
printf '{"text": "a", "pair": "b"}\n' >"$seeds/texts/jsonl"
printf 'a\tb\nc\td\n' >"$seeds/texts/tsv"
cp configs/*.yaml "$seeds/config/"
for path in cpuinfo meminfo stat self/statm self/smaps_rollup; do
  cat "/proc/$path" 2>/dev/null || true
  printf '\n--------\n'
done >"$seeds/system_files/this"
printf 'package-0\n--------\n5000\n--------\n262143328850\n--------\namd_energy\n--------\n700\n--------\n9000000' >>"$seeds/system_files/this"
printf '[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nthe\ndog\n##s\n' >"$seeds/tokenizer_files/vocab"
printf '{"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}\n--------\n#version: 0.2\na b\n--------\n{}' >"$seeds/tokenizer_files/merges"

# A small run leaves the rest.
small=$(mktemp -d)
trap 'rm -rf "$small"' EXIT
seq 1 300 >"$small/text"
ASAN_OPTIONS=detect_leaks=0 build-fuzz/lmtrain configs/quickstart.yaml run.dir="$small/runs" run.name=seed "data.sources=[{path: $small/text}]" \
  data.cache="$small/cache" data.sequence_length=8 tokenizer.vocab_size=270 model.num_layers=1 model.num_heads=1 \
  model.hidden_size=8 model.max_positions=8 train.steps=4 train.precision=fp32 checkpoint.interval=2 eval.samples=0 \
  >"$small/log" 2>&1 || die "the run for seeds failed: $(tail -n 3 "$small/log")"
run=$small/runs/seed
cp "$run/checkpoints/step-00000004/manifest.json" "$seeds/manifest/run"
cp tests/fixtures/checkpoints/adamw/manifest.json "$seeds/manifest/format3"
cp tests/fixtures/checkpoints/adamw/rank-00000-0.h5 "$seeds/hdf5/"
find "$small/cache" -type f -name '*.tokens' -size -190k -exec cp {} "$seeds/token_file/" \;
for file in energy/rank-00000.jsonl facts.json emissions.json ending.json .lock config.yaml metrics.jsonl; do
  cat "$run/$file" 2>/dev/null || true
  printf '\n--------\n'
done >"$seeds/run_records/run"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
for target in "${targets[@]}"; do
  say "$target, $seconds s"
  "build-fuzz/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -max_len=200000 \
    -artifact_prefix="build-fuzz/found/$target-" "build-fuzz/corpus/$target" "$seeds/$target" 2>&1 |
    tail -n 3
  rm -rf /dev/shm/lmtrain-fuzz-*
done
