#!/usr/bin/env bash
# Benchmark of lmtrain's ordinary training command against the GPT-2 of the transformers package, in turn.
# Installs what it needs; the machine should do nothing else. Arguments go to bench.py:
#   bench.sh [--size gpt2-124m|small|ranks|ranks-124m ...] [--rounds N] [--steps N] [--precision bf16|fp32 ...]
#   bench.sh --before PROGRAM ...    against another lmtrain instead, such as one built before a change
#   bench.sh generate [--rounds N] [--llama-cpp]   what a trained model is used for, against transformers and llama.cpp
#   bench.sh finetune [--rounds N] [--texts N]   an epoch of labelled texts, against transformers' Trainer
#   bench.sh saves [--steps N]   what saves of checkpoints take from training
#   bench.sh energy [--steps N] [loss|layouts|generate|meters ...]   joules by ways to save energy
#   bench.sh --tokenizers    its tokenizers against the tokenizers package and tiktoken instead
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

scripts/setup.sh
build cpu lmtrain
if [ "${1:-}" = --tokenizers ]; then
  with_lock oracle install_oracle
  exec "$oracle/bin/python" scripts/bench_tokenizers.py build/lmtrain
fi
if [ "${1:-}" = generate ]; then
  shift
  with_lock oracle install_oracle
  if [[ " $* " == *" --llama-cpp "* ]] && [ ! -d "$deps/llama_cpp" ]; then
    say "compiling llama.cpp's Python package, without dependencies, into .deps/llama_cpp"
    CMAKE_ARGS=-DGGML_NATIVE=ON install_wheels "$deps/llama_cpp" --no-deps llama-cpp-python==0.3.36 gguf==0.19.0 diskcache==5.6.3
  fi
  export PYTHONPATH=$deps/llama_cpp
  exec "$oracle/bin/python" scripts/bench_generate.py build/lmtrain "$@"
fi
if [ "${1:-}" = finetune ]; then
  shift
  with_lock oracle install_oracle
  exec "$oracle/bin/python" scripts/bench_finetune.py build/lmtrain "$@"
fi
scripts/make_corpus.sh fortunes
scripts/make_corpus.sh debian
if [ "${1:-}" = energy ]; then
  shift
  exec python3 scripts/bench_energy.py "$@"
fi
if [ "${1:-}" = saves ]; then
  shift
  exec python3 scripts/bench_saves.py "$@"
fi
# torch.compile builds modules for Python.
install_packages python3-dev
with_lock oracle install_oracle
say "numbers on standard output; progress on standard error"
exec "$oracle/bin/python" scripts/bench.py "$@"
