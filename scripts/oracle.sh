#!/usr/bin/env bash
# Computes the reference fixtures afresh with PyTorch, transformers and tokenizers, and compares them with
# the committed ones, which the tests hold lmtrain to; then checks import and export against transformers. The packages (several GB) go into .deps/oracle.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

check_tokenizer() {
  local fresh
  fresh=$(mktemp -d "$deps/fixtures.XXXXXX")
  # shellcheck disable=SC2064  # the path of now
  trap "rm -rf '$fresh'" EXIT
  "$oracle/bin/python" scripts/make_reference_tokenizer.py "$fresh"
  diff -rq "$fresh" tests/fixtures/tokenizer ||
    die "tests/fixtures/tokenizer is not what scripts/make_reference_tokenizer.py makes now"
}

scripts/setup.sh
build cpu lmtrain
with_lock oracle install_oracle
say "scripts/make_reference_tokenizer.py against tests/fixtures/tokenizer"
check_tokenizer
say "scripts/make_reference.py against tests/fixtures/models"
"$oracle/bin/python" scripts/make_reference.py --check tests/fixtures/models
say "scripts/check_interchange.py: import and export against transformers"
"$oracle/bin/python" scripts/check_interchange.py build/lmtrain
say "the fixtures agree with PyTorch"
