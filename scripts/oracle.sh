#!/usr/bin/env bash
# Computes the reference fixtures afresh with PyTorch, transformers and tokenizers, and compares them with
# the committed ones, which the tests hold lmtrain to; then compares lmtrain itself with tokenizers on larger
# texts, its import and export and what it is used for with transformers and others. The packages (several GB) go into
# .deps/oracle.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

scripts/setup.sh
build cpu lmtrain
with_lock oracle install_oracle
command -v chromium >/dev/null || install_packages chromium
say "scripts/make_reference_tokenizer.py against tests/fixtures/tokenizer, and lmtrain against tokenizers"
"$oracle/bin/python" scripts/make_reference_tokenizer.py --check tests/fixtures/tokenizer build/lmtrain
say "scripts/bench_tokenizers.py --check: 80 MB of text and 20 MB of random Unicode against tokenizers"
"$oracle/bin/python" scripts/bench_tokenizers.py build/lmtrain --check
say "scripts/make_reference.py against tests/fixtures/models"
"$oracle/bin/python" scripts/make_reference.py --check tests/fixtures/models
say "scripts/check_interchange.py: import and export against transformers"
"$oracle/bin/python" scripts/check_interchange.py build/lmtrain
say "scripts/check_checkpoints.py: a checkpoint read with h5py"
"$oracle/bin/python" scripts/check_checkpoints.py build/lmtrain
say "scripts/check_generation.py: generated ids against transformers' generate"
"$oracle/bin/python" scripts/check_generation.py build/lmtrain
say "scripts/check_chat_template.py: chat templates against jinja2"
"$oracle/bin/python" scripts/check_chat_template.py --check tests/fixtures/chat_templates.json
say "scripts/check_commands.py: embed, predict, fill-mask and score against sentence-transformers and transformers"
"$oracle/bin/python" scripts/check_commands.py build/lmtrain
say "scripts/check_finetuning.py: training on labelled texts against transformers and peft, measures against scikit-learn and seqeval"
"$oracle/bin/python" scripts/check_finetuning.py build/lmtrain
say "scripts/check_instructions.py: learned tokens against TRL, training on answers against transformers"
"$oracle/bin/python" scripts/check_instructions.py build/lmtrain
say "scripts/check_explain.py: contributions against captum, attention against transformers, the page in a browser"
"$oracle/bin/python" scripts/check_explain.py build/lmtrain
say "scripts/check_evaluation.py: tasks against lm-evaluation-harness and textbook formulas"
"$oracle/bin/python" scripts/check_evaluation.py build/lmtrain
say "scripts/check_server.py: the server with the openai package, lm-evaluation-harness and a browser"
"$oracle/bin/python" scripts/check_server.py build/lmtrain
say "scripts/check_reports.py: reports by the schemas and readers of their formats"
"$oracle/bin/python" scripts/check_reports.py build/lmtrain
say "scripts/check_meters.py: the energy of a run against CodeCarbon around the process"
"$oracle/bin/python" scripts/check_meters.py build/lmtrain
say "the fixtures agree with PyTorch"
