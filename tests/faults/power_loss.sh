#!/usr/bin/env bash
# What a loss of power may leave of a run's folder at each moment: power_loss.py replays recorded calls.
#   power_loss.sh LMTRAIN FAULTY_IO
LMTRAIN=$1
library=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/lib.sh"

mkdir runs
LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs FAULTY_IO_RECORD=$work/record FAULTY_IO_DO=count \
  "$LMTRAIN" config.yaml "${steps[@]}" run.name=whole parallel.threads=1 > out.log 2>&1 || fail "$(tail -3 out.log)"
python3 "$here/power_loss.py" "$LMTRAIN" record "$work/runs" whole
