#!/usr/bin/env bash
# Defect: a wrong exit code, an error that names no key, a file left behind, damage that goes unnoticed.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

before=$(find . ! -name out.log | sort)
expect 64 "train.steps" config.yaml train.stpes=5
code=0
mpirun -n 2 "$LMTRAIN" config.yaml train.stpes=5 > mpi.log 2>&1 || code=$?
[ "$code" = 64 ] || fail "exit code $code of two ranks"
[ "$(grep -c 'train.stpes' mpi.log)" = 1 ] || fail "not one line of lmtrain's own"
rm mpi.log
expect 64 "parallel.tensor" config.yaml parallel.tensor=2
expect 64 "parallel.zero" config.yaml parallel.zero=4
expect 64 "parallel.transport" config.yaml parallel.transport=nccl parallel.device=cpu
expect 64 "weight" config.yaml "data.sources=[{path: text, weight: 1}, {path: text}]"
expect 64 "hidden_size" config.yaml model.hidden_size=33
expect 65 "nowhere" config.yaml "data.sources=[{path: nowhere}]"
# Hints where people err.
printf 'run:\n\tname: x\n' > tab.yaml
expect 64 "tab.yaml:2:.* YAML is indented by spaces" tab.yaml
rm tab.yaml
expect 64 "did you mean 'cuda'" config.yaml parallel.device=gpu
expect 64 "mpirun -n 2" config.yaml parallel.tensor=2
expect 65 "hf download gpt2" import gpt2 out
expect 66 "hf download Qwen/Qwen2.5-0.5B --local-dir Qwen2.5-0.5B" score Qwen/Qwen2.5-0.5B --text a
expect 65 "hf download gpt2" config.yaml tokenizer.path=gpt2
expect 64 "is trained on labelled texts" config.yaml model.head=sequence_classification
expect 64 "is trained on labelled texts" config.yaml model.head=sequence_classification "model.labels=[a, b]"
[ "$(find . ! -name out.log | sort)" = "$before" ] || fail "a refused config left files behind"

expect 0 "report" config.yaml run.name=a train.steps=10
expect 64 "model.hidden_size" config.yaml run.name=a train.steps=20 model.hidden_size=64
expect 64 "resume" config.yaml run.name=a train.steps=20 run.resume=never

# A flipped bit in the newest checkpoint: the one before it is taken.
flip_a_byte "$(newest_checkpoint a)"
expect 0 "continuing from runs/a/checkpoints/step-00000005" config.yaml run.name=a train.steps=20
# All damaged: 66, and never a silent start at step 0.
for file in runs/a/checkpoints/*/rank-*.h5; do truncate -s 100 "$file"; done
expect 66 "can be used" config.yaml run.name=a train.steps=30
expect 66 "no checkpoint" generate runs/nothing

expect 0 "report" config.yaml run.name=b train.steps=10
"$LMTRAIN" generate runs/b --prompt "the" --seed 4 --max-tokens 20 > one
"$LMTRAIN" generate runs/b --prompt "the" --seed 4 --max-tokens 20 > two
cmp one two || fail "sampling from a seed does not repeat"
expect 0 log_probabilities score runs/b --text "the of and"
expect 0 verified inspect runs/b
expect 0 report.md report runs/b

# A region that is not known is refused before anything is written; and the run that stands is left alone.
expect 64 "Germany" config.yaml run.name=c energy.region=Germany
[ ! -e runs/c ] || fail "a refused region left a folder behind"
[ "$(mpirun -n 2 "$LMTRAIN" config.yaml run.name=c energy.region=Germany 2>&1 | grep -c 'error.*Germany')" = 1 ] ||
  fail "a refused region is not one line of two ranks"
# A finished run that is started again with another model says so.
expect 64 "model.num_layers" config.yaml run.name=b train.steps=10 model.num_layers=3
expect 0 "has finished" config.yaml run.name=b train.steps=10
# never: not in a folder that is there, even one without checkpoints.
mkdir -p runs/d
expect 64 "run.resume" config.yaml run.name=d run.resume=never

# Retention: the one checkpoint that is good stays until another one is.
expect 0 "report" config.yaml run.name=e train.steps=10
flip_a_byte "$(newest_checkpoint e)"
expect 0 "continuing from runs/e/checkpoints/step-00000005" config.yaml run.name=e train.steps=20 checkpoint.keep=1
[ "$(ls runs/e/checkpoints)" = step-00000020 ] || fail "keep=1 left $(ls runs/e/checkpoints)"

# A crash between the last save and the report: the numbers of the report are still those of the training.
bits=$(grep -o '"bits_per_byte": [0-9.]*' runs/e/facts.json)
rm runs/e/summary.json
expect 0 "report" config.yaml run.name=e train.steps=20 checkpoint.keep=1
[ "$(grep -o '"bits_per_byte": [0-9.]*' runs/e/facts.json)" = "$bits" ] || fail "bits per byte changed to nothing"

# From another run's checkpoint: what that run took is told apart from what this one does.
expect 0 "report" config.yaml run.name=f train.steps=25 run.resume=runs/e
grep -q '"steps": 5,' runs/f/facts.json || fail "steps of the run before were counted: $(grep steps runs/f/facts.json)"
grep -q 'Spent before by runs/e/checkpoints/step-00000020' runs/f/report.md || fail "the report does not name what it continues"

# A validation loss that was not a number does not stop a resume.
sed -i 's/"validation_loss":[0-9.]*/"validation_loss":null/' runs/f/metrics.jsonl
expect 0 "report" config.yaml run.name=f train.steps=30

# PATH is where a run begins, no more: asked for again it continues; another one is refused.
expect 0 "has finished" config.yaml run.name=f train.steps=30 run.resume=runs/e
expect 64 "run.resume" config.yaml run.name=f train.steps=35 run.resume=runs/b

# Fewer steps than are done, or none left to do after another run's checkpoint: refused, and nothing is written.
expect 64 "has 30 steps behind it" config.yaml run.name=f train.steps=20
expect 64 "has 20 steps behind it" config.yaml run.name=ff train.steps=20 run.resume=runs/e
[ ! -e runs/ff ] || fail "a refused run.resume left a folder behind"
mkdir -p own/test
echo mine > own/test/notes
expect 66 "no checkpoint at runs/nothing" config.yaml run.dir=own run.resume=runs/nothing
[ "$(ls -A own/test)" = notes ] || fail "a refused run left its own in the user's folder: $(ls -A own/test)"
# A schedule that rises again: said, with settings that go on from the present rate.
expect 0 "it rises again after its decay had begun. To go on .* optimizer.lr=" config.yaml run.name=f train.steps=60

# Damaged records are set aside, the run goes on, and the report says so.
echo '{"name": 5}' > runs/f/facts.json
sed -i '3s/.*/{"step":"three","loss":1}/' runs/f/metrics.jsonl
sed -i '2s/.*/damage/' runs/f/energy/rank-00000.jsonl
expect 0 "facts.json.damaged" config.yaml run.name=f train.steps=62
grep -q "rank-00000.jsonl.damaged" runs/f/report.md || fail "the report does not tell of the damaged ledger"
grep -q "Energy per token | not known" runs/f/report.md || fail "energy per token, though a part of the energy was lost"
grep -q joules_per_token runs/f/emissions.json && fail "joules per token, though a part of the energy was lost"
grep -q "metrics.jsonl.damaged" runs/f/report.md || fail "the report does not tell of the damaged metrics"
grep -q "facts.json.damaged" runs/f/report.md || fail "the report does not tell of the damaged facts"

# A ledger of which nothing can be read, and metrics of another type.
printf '[[[[\n\0\1\2\n]' > runs/f/energy/rank-00000.jsonl
sed -i '4s/.*/{"step":4,"tokens":"a","time":"b"}/' runs/f/metrics.jsonl
expect 0 "rank-00000.jsonl is set aside" config.yaml run.name=f train.steps=63
grep -q "metrics.jsonl.damaged-2" runs/f/report.md || fail "the report does not tell of the second damage to the metrics"
grep -q '"a"' runs/f/metrics.jsonl && fail "a damaged line stays in the metrics"
# A start that is refused computed no step.
expect 64 "run.seed" config.yaml run.name=f train.steps=64 run.seed=9
"$LMTRAIN" report runs/f > out.log 2>&1
grep -qE '^\| [0-9]+ \|.*\| none \|' runs/f/report.md || fail "a refused start has steps: $(grep -A12 'By attempt' runs/f/report.md)"

# Another job holds the folder.
exec {fd}>> runs/f/.lock
flock "$fd"
expect 73 "a job on .* (process [0-9]*, since .*) is writing in runs/f" config.yaml run.name=f train.steps=64
exec {fd}>&-

# A finished run whose checkpoints are gone never begins anew.
rm -r runs/b/checkpoints
expect 66 "without its checkpoints" config.yaml run.name=b train.steps=10
# Nor does an unfinished one, whatever is left of them.
rm runs/f/summary.json
rm runs/f/checkpoints/*/manifest.json
expect 66 "without its checkpoints" config.yaml run.name=f train.steps=64
ls runs/f/checkpoints/*/rank-*.h5 > out.log || fail "the tensors of a run without manifests were removed"
# Nor where the record of the run is gone too, and only its metrics tell of it.
mv runs/f/facts.json away
expect 66 "without its checkpoints" config.yaml run.name=f train.steps=64
ls runs/f/checkpoints/*/rank-*.h5 > out.log || fail "the tensors of a run without manifests and facts were removed"
mv away runs/f/facts.json
# No step at all is a run too.
expect 0 "report" config.yaml run.name=g train.steps=0
expect 0 "has finished" config.yaml run.name=g train.steps=0

# Loss that is not finite: 70, the step named, and no checkpoint of it.
expect 70 "step [0-9]* is not finite" config.yaml run.name=h train.steps=20 optimizer.lr=100 train.clip_grad_norm=0 \
  schedule.warmup_steps=0 model.init_std=10

# Files that may not grow, as on a full disk: 74, and what was saved before stands.
expect 0 "report" config.yaml run.name=i train.steps=5
(
  trap '' XFSZ
  ulimit -f 64
  expect 74 "step-00000010" config.yaml run.name=i train.steps=10
)
expect 0 "continuing from runs/i/checkpoints/step-00000005" config.yaml run.name=i train.steps=10

# A folder that is moved while the run goes on: 74 at the next save, which is not written to another folder.
"$LMTRAIN" config.yaml run.name=moved train.steps=100000 checkpoint.interval=5 > out.log 2>&1 &
moved=$!
for ((i = 0; i < 600; ++i)); do
  [ ! -e runs/moved/checkpoints/step-00000005/manifest.json ] || break
  sleep 0.1
done
mv runs/moved runs/elsewhere
code=0
wait "$moved" || code=$?
if [ "$code" != 74 ] || ! grep -q "runs/moved was moved or removed .* it is now .*runs/elsewhere" out.log; then
  fail "a moved folder, $code: $(tail -3 out.log)"
fi

# Output that cannot be written: 74. A pipe that is closed, and a limit on files, do not end a run.
code=0
"$LMTRAIN" config.yaml --help > /dev/full 2> out.log || code=$?
[ "$code" = 74 ] || fail "exit code $code of help on a full disk"
{ "$LMTRAIN" config.yaml run.name=piped train.steps=30 2>&1 || echo "$?" > code; } | head -1 > out.log
if [ -e code ] || [ ! -e runs/piped/summary.json ]; then fail "a closed pipe ended training with $(cat code)"; fi
{ sleep 0.3; "$LMTRAIN" config config.yaml 2> err.log || true; } | true
[ ! -s err.log ] || fail "a reader that has enough is a mistake: $(cat err.log)"
# A planted link is not written through.
mkdir -p runs/linked
ln -s "$work/victim" runs/linked/metrics.jsonl
ln -s "$work/victim" runs/linked/log.txt
expect 74 "is a link" config.yaml run.name=linked train.steps=1
[ ! -e victim ] || fail "a link was written through"

# Help: everywhere it is looked for, and without a command line it is no success.
expect 0 "Usage:" --help
expect 0 "lmtrain train CONFIG" config.yaml --help
expect 0 "lmtrain generate runs" help generate
expect 64 "Usage:"

# Mistyped commands, files and words of other programs are answered with what was meant.
expect 64 "did you mean 'generate'?" genrate runs/b
expect 64 "did you mean 'config.yaml'?" confg.yaml
expect 64 "did you mean 'config'?" confg
expect 64 "the config comes before it" train.steps=5 config.yaml
expect 64 "did you mean 'optimizer.lr'?" config.yaml learning_rate=0.1
expect 64 "'train.global_batch_size' or 'train.micro_batch_size'" train config.yaml batch_size=8
expect 64 "did you mean '--max-new-tokens'?" generate runs/b --n-predict 5
expect 64 "lmtrain generate --help" generate
expect 64 "lmtrain CONFIG" --config config.yaml
code=0
mpirun -n 2 "$LMTRAIN" config.yaml --lr 0.1 > mpi.log 2>&1 || code=$?
[ "$code" = 64 ] || fail "exit code $code of two ranks with an unknown option"
[ "$(grep -c "did you mean 'optimizer.lr=VALUE'?" mpi.log)" = 1 ] || fail "not said once: $(cat mpi.log)"

# lmtrain train CONFIG and lmtrain CONFIG are one command: the same numbers, and each continues the other.
expect 0 "report" config.yaml run.name=j train.steps=10
expect 0 "report" train config.yaml run.name=k train.steps=10
cmp <(trace j 10) <(trace k 10) || fail "lmtrain train CONFIG trains otherwise than lmtrain CONFIG"
expect 0 "continuing from runs/j/checkpoints/step-00000010" train config.yaml run.name=j train.steps=15

# How an attempt ended that came to no step stands in the records, too: all checkpoints are damaged.
expect 0 "report" config.yaml run.name=ending train.steps=5 checkpoint.interval=5
flip_a_byte runs/ending/checkpoints
expect 66 "none of the" config.yaml run.name=ending train.steps=10
grep -q '"code": 66' runs/ending/ending.json || fail "the end of the start is not on record: $(cat runs/ending/ending.json)"
"$LMTRAIN" runs runs > runs.log
grep -q "^ending  *failed" runs.log || fail "a run whose start failed is shown otherwise: $(cat runs.log)"

# Options that would have no effect, and limits that contradict each other.
expect 64 "checkpoint.keep_every has no effect" config.yaml run.name=vain checkpoint.interval=auto checkpoint.keep_every=10
expect 64 "train.spikes.max_roll_backs has no effect" config.yaml run.name=vain train.spikes.max_roll_backs=5
expect 64 "run.stop_before_end = 20s is no less than run.stop_after = 10s" config.yaml run.name=vain run.stop_after=10s run.stop_before_end=20s
[ ! -e runs/vain ] || fail "a refused config left a folder"
expect 66 "there is no folder" checkpoint list /etc/passwd
expect 64 "among the checkpoints of a run" checkpoint merge runs/j --out runs/j/checkpoints/step-00000041
expect 64 "is empty" checkpoint merge runs/j --out ""
