#!/usr/bin/env bash
# Defect: a plan that the run does not keep to; a budget that is overrun, that ends before the learning rate is low, or that a
# resumed run forgets; a pause that changes the weights, or that a request to stop does not end.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"; }
holds() { [ "$(json "$1" "bool($2)")" = True ] || fail "$2 does not hold in $1"; }
last_step() { grep -o '"step":[0-9]*' "runs/$1/metrics.jsonl" | tail -1 | cut -d: -f2; }
# A series whose hours are all as clean: series FILE G_PER_KWH.
series() {
  python3 - "$@" << 'PY'
import datetime, sys
begin = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
with open(sys.argv[1] + ".new", "w") as out:
    print("time,g_per_kwh", file=out)
    for hour in range(30):
        print((begin + datetime.timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%MZ") + "," + sys.argv[2], file=out)
PY
  mv "$1.new" "$1"
}

# Plans, for this machine and for one that is not here.
expect 0 "^energy .* of the computers" plan config.yaml --ranks 1
for word in memory operations "a step" time power emissions embodied "The cleanest regions of clouds"; do
  grep -q "^$word" out.log || fail "no word of '$word' in the plan"
done
expect 0 "16 ranks on h100" plan config.yaml --ranks 16 --machine h100 --regions FRA,SWE,gcp:us-central1 train.global_batch_size=64
grep -q "^gcp:us-central1 " out.log || fail "a region that was named is not compared"
expect 64 "ZZZ" plan config.yaml --region ZZZ
expect 64 "energy.budget.money has no effect without a price" plan config.yaml energy.budget.money=5
expect 64 "energy.schedule.pause_above needs a file of intensities" plan config.yaml energy.schedule.pause_above=200
expect 64 "leave --machine out" plan config.yaml --machine h100 --calibrate 5
[ ! -e runs ] || fail "a plan left something behind"

# A plan by real steps is kept, and the report of the run compares with it.
expect 0 "measured in 20 steps here" plan config.yaml --calibrate 20 --save train.steps=60 run.name=planned
[ "$(ls runs)" = planned.plan.json ] || fail "the calibration left something behind: $(ls runs)"
holds runs/planned.plan.json "d['step_seconds'] > 0 and d['kwh_low'] <= d['kwh'] <= d['kwh_high']"
expect 0 "report" config.yaml run.name=planned train.steps=60
grep -q "^| energy of the computers |" runs/planned/report.md || fail "the report does not compare with the plan"
holds runs/planned/emissions.json "abs(d['plan']['factors'][0]['actual'] / d['plan']['factors'][0]['planned'] - 1) < 1e-6"
expect 0 "\"tokens\": 10240" plan config.yaml --json

# A budget of half of what that run took: it ends with 75, within it, and with a low learning rate.
kwh=$(json runs/planned/emissions.json "d['facility_kwh']['value']")
half=$(python3 -c "print($kwh * 10)")
expect 75 "a larger budget continues" config.yaml run.name=budget train.steps=5000 schedule.warmup_steps=5 energy.budget.kwh="$half" eval.interval=100000 checkpoint.interval=0
grep -q "energy.budget.kwh = .*% spent; at this rate the rest is enough for" runs/budget/log.txt || fail "no warning at 80%"
holds runs/budget/emissions.json "0.6 * $half < d['facility_kwh']['value'] <= 1.2 * $half"
holds runs/budget/emissions.json "d['budget'][0]['key'] == 'energy.budget.kwh'"
stopped=$(last_step budget)
lr=$(grep "\"step\":$stopped," runs/budget/metrics.jsonl | grep -o '"lr":[^,]*' | head -1 | cut -d: -f2)
python3 -c "import sys; sys.exit(not ($lr < 0.35 * 6e-4))" || fail "the learning rate is $lr when the budget ends"
grep "\"step\":$stopped," runs/budget/metrics.jsonl | grep -q validation_loss || fail "no validation at the end of the budget"
# The same command ends at once, and a larger budget goes on.
expect 0 "nothing is left to do within the budget" config.yaml run.name=budget train.steps=5000 schedule.warmup_steps=5 energy.budget.kwh="$half" eval.interval=100000 checkpoint.interval=0
[ "$(last_step budget)" = "$stopped" ] || fail "steps were computed though the budget was spent"
double=$(python3 -c "print($half * 1.5)")
expect 75 "a larger budget continues" config.yaml run.name=budget train.steps=5000 schedule.warmup_steps=5 energy.budget.kwh="$double" eval.interval=100000 checkpoint.interval=0
[ "$(last_step budget)" -gt "$stopped" ] || fail "a larger budget did not go on"
expect 64 "energy.budget.money has no effect without a price" config.yaml energy.budget.money=5
# Without its ledgers the run does not know what it has spent, and says so.
rm -r runs/budget/energy
expect 75 "the budget counts without it" config.yaml run.name=budget train.steps=5000 schedule.warmup_steps=5 energy.budget.kwh="$half" eval.interval=100000 checkpoint.interval=0
grep -q "No ledger tells of the attempts until step" runs/budget/report.md || fail "no word of the lost energy"
holds runs/budget/facts.json "d['has_lost_energy']"

# Pauses. The series of the hours prices the run, too.
series hours.csv 100
expect 0 "report" config.yaml run.name=straight train.steps=400 energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 energy.intensity_file=hours.csv
holds runs/straight/emissions.json "abs(d['emissions_kg_co2e']['value'] / d['facility_kwh']['value'] - 0.1) < 1e-4"
holds runs/straight/emissions.json "'hours.csv' in d['grid']['source']"
# The grid becomes dirty while the run trains, and clean again.
"$LMTRAIN" config.yaml run.name=paused train.steps=400 parallel.hang_seconds=3 energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 > paused.log 2>&1 &
job=$!
until_true grep -q '"step":3,' runs/paused/metrics.jsonl 2> grep.log
series hours.csv 400
until_true grep -q "pausing after step .* 400 gCO2e/kWh, more than energy.schedule.pause_above = 300" paused.log
sleep 5  # more than parallel.hang_seconds: a pause is no hang
series hours.csv 100
wait "$job" || fail "the paused run failed: $(tail -3 paused.log)"
grep -q "going on after a pause" paused.log || fail "the run did not go on"
holds runs/paused/emissions.json "d['time_seconds']['paused'] > 3 and d['kwh_by_use']['paused'] > 0"
# The energy counts at the intensity of its time, also where the file was written anew.
grep -o '"grid":[0-9.]*' runs/paused/energy/rank-00000.jsonl | sort -u | tr '\n' ' ' > grids
[ "$(cat grids)" = '"grid":100.0 "grid":400.0 ' ] || fail "the energy counts at $(cat grids)"
for run in straight paused; do expect 0 "" checkpoint verify runs/$run; done
expect 0 "equal" checkpoint diff "$(newest_checkpoint straight)" "$(newest_checkpoint paused)"
# It begins in a dirty hour: it waits no longer than it may, and a request to stop ends the wait.
series hours.csv 400
expect 0 "going on after a pause" config.yaml run.name=delayed energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 energy.schedule.max_delay=2s
"$LMTRAIN" config.yaml run.name=asked energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 > asked.log 2>&1 &
job=$!
until_true grep -q "pausing after step 0" asked.log
kill -USR1 "$job"
code=0; wait "$job" || code=$?
[ "$code" = 75 ] || fail "a request to stop in a pause ended with $code"
# Gives its machines back, and says when to come again.
expect 75 "max_delay will be used up at" config.yaml run.name=back energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 energy.schedule.mode=stop
grep -q '^20..-..-..T..:..:..Z$' runs/back/resume_at || fail "no time to start again"
series hours.csv 100
expect 0 "report" config.yaml run.name=back energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 energy.schedule.mode=stop
[ ! -e runs/back/resume_at ] || fail "the time to start again is still there"
expect 64 "has no effect without energy.schedule.pause_above" config.yaml energy.schedule.mode=stop
expect 64 "needs a file of intensities" config.yaml energy.schedule.pause_above=300
# What pauses would save is said beforehand.
expect 0 "Pauses (energy.schedule)" plan config.yaml --simulate energy.schedule.intensity=hours.csv energy.schedule.pause_above=300

# Four ranks keep to the same budget, and pause together.
if command -v mpirun > /dev/null; then
  series hours.csv 100
  mpirun -n 2 "$LMTRAIN" config.yaml run.name=ranks train.steps=5000 energy.budget.kwh="$half" eval.interval=100000 checkpoint.interval=0 \
    energy.schedule.intensity=hours.csv energy.schedule.pause_above=300 parallel.zero=1 > ranks.log 2>&1 &
  job=$!
  until_true grep -q '"step":3,' runs/ranks/metrics.jsonl 2> grep.log
  series hours.csv 400
  until_true grep -q "pausing after step" ranks.log
  series hours.csv 100
  code=0; wait "$job" || code=$?
  [ "$code" = 75 ] || fail "two ranks with a budget ended with $code: $(tail -3 ranks.log)"
  grep -q "going on after a pause" ranks.log || fail "two ranks did not go on after the pause"
  grep -q "because \(its budget is spent\|the rest of its budget is not enough\)" ranks.log || fail "two ranks did not end at their budget"
fi
echo "plans, budgets and pauses hold"
