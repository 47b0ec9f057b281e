#!/usr/bin/env bash
# Computes the reference fixtures afresh with PyTorch, transformers and tokenizers, and compares them with
# the committed ones, which the tests hold lmtrain to. The packages (several GB) go into .deps/oracle.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

oracle=$deps/oracle

# Debian has venv's installer in a package of its own.
venv_python() {
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
  if python3 -c 'import ensurepip' 2>/dev/null; then echo python3; else echo /usr/bin/python3; fi
}

# The copy of the requirements is written last: without it, or with another one, all starts anew.
install_oracle() {
  local python
  if cmp -s scripts/oracle_requirements.txt "$oracle/requirements.txt"; then return; fi
  say "installing PyTorch, transformers and tokenizers (several GB) into .deps/oracle"
  python=$(venv_python)
  rm -rf "$oracle"
  "$python" -m venv "$oracle"
  mkdir "$oracle/tmp"
  TMPDIR=$oracle/tmp PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$oracle/bin/python" -m pip install --quiet -r scripts/oracle_requirements.txt ||
    die "pip could not install the packages of scripts/oracle_requirements.txt; run this again"
  rm -r "$oracle/tmp"
  cp scripts/oracle_requirements.txt "$oracle/requirements.txt"
}

check_tokenizer() {
  local fresh
  fresh=$(mktemp -d "$deps/fixtures.XXXXXX")
  # shellcheck disable=SC2064  # the path of now
  trap "rm -rf '$fresh'" EXIT
  "$oracle/bin/python" scripts/make_reference_tokenizer.py "$fresh"
  diff -rq "$fresh" tests/fixtures/tokenizer ||
    die "tests/fixtures/tokenizer is not what scripts/make_reference_tokenizer.py makes now"
}

with_lock oracle install_oracle
say "scripts/make_reference_tokenizer.py against tests/fixtures/tokenizer"
check_tokenizer
say "scripts/make_reference.py against tests/fixtures/models"
"$oracle/bin/python" scripts/make_reference.py --check tests/fixtures/models
say "the fixtures agree with PyTorch"
