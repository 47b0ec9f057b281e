#!/usr/bin/env bash
# Catches a change after which the additions of examples/extending no longer apply or compile, or docs/extending.md no
# longer names their files.
set -euo pipefail
bash "$1/scripts/check_extending.sh" "$2"
