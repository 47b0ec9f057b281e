#!/usr/bin/env bash
# Catches an include in the project that goes up the layers, which would tie a lower part to a higher one.
set -euo pipefail
bash "$1/scripts/check_includes.sh" "$1"
