#!/usr/bin/env bash
# Defect: a power cap that changes the numbers, costs energy, slows a run down too much, or stays when the run ends or is killed; or
# a right that is missing and ends the run. The machine is made up: its processors' power depends on their highest frequency.
LMTRAIN=$1
if [ -z "${IN_NAMESPACE:-}" ]; then
  unshare --mount mount -t tmpfs none /sys/devices/system/cpu 2> /dev/null || { echo "this machine allows no mounts"; exit 77; }
  IN_NAMESPACE=1 exec unshare --mount bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"

export OMPI_MCA_rmaps_base_oversubscribe=1
policy=/sys/devices/system/cpu/cpufreq/policy0
zone=/sys/class/powercap/intel-rapl:0
cp -r /sys/devices/system/cpu cpus 2> /dev/null || true
mount -t tmpfs none /sys/devices/system/cpu
cp -r cpus/. /sys/devices/system/cpu/ 2> /dev/null || true
rm -rf cpus /sys/devices/system/cpu/cpufreq
mkdir -p $policy
echo 800000 > $policy/cpuinfo_min_freq
echo 800000 > $policy/scaling_min_freq
echo 4000000 > $policy/scaling_max_freq
mount -t tmpfs none /sys/class
mkdir -p $zone
echo package-0 > $zone/name
echo 262143328850 > $zone/max_energy_range_uj
echo 0 > $zone/energy_uj
mount -t tmpfs none /dev/shm
# 100 W, of which 80 W fall with the cube of the frequency.
python3 - $policy/scaling_max_freq $zone/energy_uj << 'PY' &
import os, sys, time
energy, last = 0.0, time.monotonic()
while True:
    time.sleep(0.01)
    now = time.monotonic()
    try:
        share = int(open(sys.argv[1]).read()) / 4e6
        energy += (now - last) * (20 + 80 * share**3) * 1e6
    except ValueError:
        pass
    last = now
    with open("/dev/shm/energy", "w") as file:
        file.write(f"{int(energy)}\n")
    with open("/dev/shm/energy") as file, open(sys.argv[2], "r+") as counter:
        counter.write(file.read())
PY
feeder=$!
trap 'kill "$feeder"; rm -rf "$work"' EXIT

frequency() { cat $policy/scaling_max_freq; }
is_at() { [ "$(frequency)" = "$1" ]; }
steps=(model.hidden_size=64 parallel.threads=1 eval.interval=0 checkpoint.interval=0 eval.samples=0)

# Two ranks find the lowest cap, since the fake processors get no slower, and set it back. The numbers stay.
mpirun -n 2 "$LMTRAIN" config.yaml "${steps[@]}" train.steps=1500 run.name=capped energy.max_slowdown=0.5 > out.log 2>&1 &
job=$!
until_true grep -q "power cap 2,000 MHz (50%): steps take [0-9.]*% less energy" out.log
is_at 2000000 || fail "the cap is not set: $(frequency)"
wait "$job" || fail "$(tail -5 out.log)"
is_at 4000000 || fail "the former setting did not come back: $(frequency)"
[ -z "$(ls /dev/shm/lmtrain-caps)" ] || fail "a record is left: $(ls /dev/shm/lmtrain-caps)"
grep -q '"power_caps":{"attempt":1,"chosen_share":0.5' runs/capped/metrics.jsonl || fail "$(grep power_caps runs/capped/metrics.jsonl)"
grep -q "^| 2,000 MHz | .* | -[0-9.]*% |$" runs/capped/report.md || fail "$(grep MHz runs/capped/report.md)"
mpirun -n 2 "$LMTRAIN" config.yaml "${steps[@]}" train.steps=1500 run.name=free > out.log 2>&1 || fail "$(tail -5 out.log)"
trace free 1500 > free.trace
trace capped 1500 | cmp - free.trace || fail "caps changed the numbers"

# Killed within a cap, the devices are set back: by whoever waits for that, else by the next run or by restore-caps.
start() {
  rm -rf runs/killed
  "$LMTRAIN" config.yaml "${steps[@]}" train.steps=100000 run.name=killed energy.max_slowdown=0.5 > out.log 2>&1 &
  job=$!
  until_true is_at 3600000
}
start
kill -KILL "$job"
until_true is_at 4000000
start
pkill -KILL -f "restore-caps --when-released" || fail "nothing waits for the end of the run"
kill -KILL "$job"
wait "$job" 2> kill.log || true
is_at 4000000 && fail "the cap went though nothing was there to set it back"
expect 0 "cpufreq: set back what a run that was killed had capped" config.yaml "${steps[@]}" train.steps=2 run.name=next
is_at 4000000 || fail "the next run did not set back the cap: $(frequency)"
start
pkill -KILL -f "restore-caps --when-released"
expect 0 "cpufreq: a run that is under way caps it" restore-caps
kill -KILL "$job"
wait "$job" 2> kill.log || true
expect 0 "cpufreq: set back what a run that was killed had capped" restore-caps
is_at 4000000 || fail "restore-caps did not set back the cap: $(frequency)"
expect 0 "no run has left a power cap on this node" restore-caps

# Without the right, the run trains as without caps, and says what is missing.
mount -o remount,ro /sys/devices/system/cpu
expect 0 "energy.max_slowdown has no effect: .*scaling_max_freq: Read-only file system" \
  config.yaml "${steps[@]}" train.steps=8 run.name=denied energy.max_slowdown=0.5
grep -q "No power cap was set (energy.max_slowdown)" runs/denied/report.md || fail "the report does not say that nothing was capped"
