#!/usr/bin/env bash
# Catches comments that have grown wider than the code.
set -euo pipefail
bash "$1/scripts/check_format.sh" --comments
