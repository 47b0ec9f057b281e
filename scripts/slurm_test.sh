#!/usr/bin/env bash
# Installs Slurm, starts one with two nodes on this machine, and runs a config through all that befalls a batch job; its output is
# in docs/slurm.md. Needs root, and about ten minutes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

scripts/setup.sh
install_packages slurm-wlm munge
build cpu lmtrain
exec bash tests/slurm/slurm_test.sh build/lmtrain
