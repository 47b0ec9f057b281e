#!/usr/bin/env bash
# From a bare Debian to a trained model: sets up, builds, makes a corpus and trains on two ranks. Run again
# after an interruption it continues that run; after a finished run it starts the next (quickstart-2, ...).
# Arguments are passed on as overrides of configs/quickstart.yaml: scripts/quickstart.sh train.steps=100
set -euo pipefail
. "$(dirname "$0")/lib.sh"

name=
runs=runs
for argument in "$@"; do
  case $argument in
    -h | --help)
      sed -n '2,4s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    run.name=*) name=${argument#*=} ;;
    run.dir=*) runs=${argument#*=} ;;
    *.*=*) ;;
    *)
      printf "quickstart.sh: '%s' is not an override of the form key.sub=value\n" "$argument" >&2
      exit 64
      ;;
  esac
done

scripts/setup.sh
build cpu lmtrain
scripts/make_corpus.sh fortunes

# The trainer leaves summary.json in a run's folder when the run has finished.
if [ -z "$name" ]; then
  name=quickstart
  for ((i = 2; ; ++i)); do
    [ -e "$runs/$name/summary.json" ] || break
    name=quickstart-$i
  done
  set -- "$@" "run.name=$name"
fi
# A mistake in the arguments is said here, where nothing of mpirun's follows it.
build/lmtrain config configs/quickstart.yaml "$@" > /dev/null
say "mpirun -n 2 build/lmtrain configs/quickstart.yaml $*"
exec mpirun -n 2 build/lmtrain configs/quickstart.yaml "$@"
