#!/usr/bin/env python3
"""Checks the energy of a whole run against CodeCarbon around the process: both read the same made-up processor
(/sys/class/powercap in a mount namespace), whose power changes all the time. Needs root.

    check_meters.py LMTRAIN
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent
ZONE = pathlib.Path("/sys/class/powercap/intel-rapl/intel-rapl:0")
# 40 W and 120 W in turn.
FEEDER = """
import os, time
energy, last, start = 0.0, time.monotonic(), time.monotonic()
with open("{zone}/energy_uj", "r+") as counter:
    while True:
        time.sleep(0.005)
        now = time.monotonic()
        energy += (now - last) * (120 if int((now - start) / 3) % 2 else 40) * 1e6
        last = now
        counter.seek(0)
        counter.write(f"{{int(energy):015d}}\\n")
        counter.flush()
"""


def in_namespace():
    """A tree of sensors that only this process and its children see."""
    mounts = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/sys/class"]
    if os.geteuid() != 0 or subprocess.run(mounts, capture_output=True).returncode != 0:
        print("skipped: this machine allows no mount namespaces")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv, "--inside"])


def make_tree():
    for folder in ["/sys/class", "/sys/devices/virtual/powercap"]:
        if pathlib.Path(folder).exists():
            subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    ZONE.mkdir(parents=True)
    (ZONE.parent / "subsystem").symlink_to("..")
    (ZONE.parent.parent / "intel-rapl:0").symlink_to("intel-rapl/intel-rapl:0")
    for name, text in {"name": "package-0", "max_energy_range_uj": "262143328850", "energy_uj": f"{0:015d}"}.items():
        (ZONE / name).write_text(text + "\n")


def counter():
    return int((ZONE / "energy_uj").read_text()) * 1e-6


def train(lmtrain, folder):
    """The joules of the counter, of CodeCarbon and of lmtrain, of one process from its start to its end."""
    from codecarbon import OfflineEmissionsTracker

    text = folder / "text"
    text.write_text("".join(f"{i} is {i * i}, and its half is {i / 2}.\n" for i in range(20000)))
    command = [lmtrain, PROJECT / "configs/gpt2-tiny.yaml", f"run.dir={folder}/runs", "run.name=metered", f"data.sources=[{{path: {text}}}]",
               f"data.cache={folder}/cache", "tokenizer.vocab_size=400", "train.steps=100000", "train.precision=fp32", "eval.interval=0",
               "checkpoint.interval=0", "eval.samples=0", "run.stop_after=2m", "parallel.threads=1"]
    tracker = OfflineEmissionsTracker(country_iso_code="DEU", measure_power_secs=1, save_to_file=False, log_level="error", tracking_mode="machine")
    tracker.start()
    before = counter()
    done = subprocess.run(command, capture_output=True, text=True)
    truth = counter() - before
    tracker.stop()
    assert done.returncode == 75, done.stderr[-2000:]
    # The report gives a job its part of a node that others use too; the ledger has what the sensor showed.
    ledger = [json.loads(line) for line in (folder / "runs/metered/energy/rank-00000.jsonl").read_text().splitlines()]
    place = [sensor["key"] for sensor in ledger[0]["sensors"]].index("rapl:package-0")
    ours = sum(line["read"][place][1] for line in ledger if "read" in line)
    return truth, 3.6e6 * tracker.final_emissions_data.cpu_energy, ours


def main():
    if "--inside" not in sys.argv:
        in_namespace()
    make_tree()
    feeder = subprocess.Popen([sys.executable, "-c", FEEDER.format(zone=ZONE)])
    time.sleep(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            truth, codecarbon, ours = train(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder))
    finally:
        feeder.kill()
    print(f"the counter: {truth:.1f} J; CodeCarbon: {codecarbon:.1f} J ({codecarbon / truth - 1:+.2%}); "
          f"lmtrain: {ours:.1f} J ({ours / truth - 1:+.2%} of the counter, {ours / codecarbon - 1:+.2%} of CodeCarbon)")
    assert abs(ours / truth - 1) < 0.01, "lmtrain's energy is not the counter's within 1%"
    assert abs(ours / codecarbon - 1) < 0.01, "lmtrain's energy is not CodeCarbon's within 1%"


if __name__ == "__main__":
    main()
