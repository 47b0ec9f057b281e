#!/usr/bin/env bash
# Catches a document of the project with a line too long to read, a broken table, a dead link or a skipped heading.
set -euo pipefail
bash "$1/scripts/check_docs.sh" "$1"
