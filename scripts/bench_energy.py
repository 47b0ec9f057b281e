#!/usr/bin/env python3
"""What ways to train with less energy save here: joules to the same validation loss, joules of communication by layout, and
joules a generated token, each against the first row of its table; and what metering itself costs.

  bench_energy.py [--steps N] [loss|layouts|generate|meters ...]

Trains the quickstart's model. Started by scripts/bench.sh energy.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile
import typing

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ["loss", "layouts", "generate", "meters"]
LMTRAIN = PROJECT / "build" / "lmtrain"


class Run(typing.NamedTuple):
    validations: list  # lines of metrics.jsonl
    step_seconds: float  # median
    emissions: dict  # emissions.json


def train(folder, name, steps, settings, ranks=1, every=0):
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    config = pathlib.Path(folder) / f"{name}.yaml"
    text = (PROJECT / "configs/quickstart.yaml").read_text()
    if "optimizer.kind=adamw" in settings:  # it has no use for Muon's settings
        text = "".join(line for line in text.splitlines(True) if not line.strip().startswith("muon:"))
    config.write_text(text)
    command = [*launcher, LMTRAIN, config, f"run.dir={folder}", f"run.name={name}", f"train.steps={steps}",
               f"eval.interval={every}", "eval.batches=10", "eval.samples=0", "checkpoint.interval=0", f"data.cache={folder}/cache", *settings]
    subprocess.run([str(word) for word in command], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = pathlib.Path(folder) / name
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return Run([line for line in lines if "validation_loss" in line],
               statistics.median(line["step_seconds"] for line in lines if "step_seconds" in line),
               json.loads((run / "emissions.json").read_text()))


def joules_at(curve, loss):
    """When the run came to this loss, between two validations."""
    for before, after in zip(curve, curve[1:]):
        if after["validation_loss"] <= loss:
            share = (before["validation_loss"] - loss) / (before["validation_loss"] - after["validation_loss"])
            return 3.6e6 * (before["kwh"] + share * (after["kwh"] - before["kwh"]))
    return math.nan


def to_loss(folder, steps):
    variants = {
        "fp32, AdamW": ["train.precision=fp32", "optimizer.kind=adamw"],
        "bf16, AdamW": ["train.precision=bf16", "optimizer.kind=adamw"],
        "fp32, Muon": ["train.precision=fp32", "optimizer.kind=muon"],
        "bf16, Muon": ["train.precision=bf16", "optimizer.kind=muon"],
    }
    curves = {}
    for place, (name, settings) in enumerate(variants.items()):
        curves[name] = train(folder, f"loss{place}", steps, settings, every=steps // 20).validations
    goal = max(curve[-1]["validation_loss"] for curve in curves.values())
    print(f"| to a validation loss of {goal:.3f} | energy | of the first | loss at the end |\n|---|---|---|---|")
    first = None
    for name, curve in curves.items():
        joules = joules_at(curve, goal)
        first = first or joules
        print(f"| {name} | {joules:.0f} J | {joules / first:.2f} | {curve[-1]['validation_loss']:.3f} |", flush=True)


def layouts(folder, steps):
    print("| two ranks | a step | energy | of it waiting for each other | of the first |\n|---|---|---|---|---|")
    first = None
    variants = {
        "data, zero 0": ["parallel.zero=0"],
        "data, zero 0, gradients in bf16": ["parallel.zero=0", "parallel.reduce_type=bf16"],
        "data, zero 1": ["parallel.zero=1"],
        "data, zero 3": ["parallel.zero=3"],
        "tensor": ["parallel.tensor=2"],
    }
    for place, (name, settings) in enumerate(variants.items()):
        done = train(folder, f"layout{place}", steps, ["parallel.threads=1", *settings], ranks=2)
        kwh = done.emissions["energy_kwh"]["value"]
        waiting = done.emissions["kwh_by_use"]["waiting"] / kwh
        first = first or kwh
        print(f"| {name} | {done.step_seconds:.3f} s | {3.6e6 * kwh:.0f} J | {waiting:.0%} | {kwh / first:.2f} |", flush=True)


def generate(folder):
    """The quickstart's shape is too small to be read from memory: GPT-2 124M with random weights."""
    subprocess.run([LMTRAIN, "configs/gpt2-small.yaml", f"run.dir={folder}", "run.name=gpt2", "train.steps=1", "eval.interval=0",
                    "eval.batches=1", "eval.samples=0", "train.global_batch_size=1", "data.sequence_length=64"],
                   cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print("| GPT-2 124M, 200 tokens behind a prompt | energy a token | of the first |\n|---|---|---|")
    first = None
    for name, options in {"fp32": ["--precision", "fp32"], "bf16": ["--precision", "bf16"], "bf16, --int8": ["--precision", "bf16", "--int8"]}.items():
        done = subprocess.run([LMTRAIN, "generate", f"{folder}/gpt2", "--prompt", "It was", "--max-new-tokens", "200", "--min-new-tokens", "200",
                               "--temperature", "0", "--energy", *options], cwd=PROJECT, capture_output=True, text=True, check=True)
        joules = float(next(line for line in done.stderr.splitlines() if " J per token" in line).split(" J per token")[0].split()[-1])
        first = first or joules
        print(f"| {name} | {joules:.3g} J | {joules / first:.2f} |", flush=True)


def meters(folder, steps):
    """A power logger beside the training: the part of a core that it takes, once a second and ten times."""
    print("| readings a second | of a core | target |\n|---|---|---|")
    for interval, target in {"1": 0.001, "0.1": 0.003}.items():
        done = train(folder, f"meters{interval}", steps, [f"energy.interval_seconds={interval}"])
        share = done.emissions["meter_cpu_seconds"] / done.emissions["seconds"]
        print(f"| {1 / float(interval):.0f} | {share:.3%} | {target:.1%}, {'met' if share < target else '**not met**'} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=390)
    parser.add_argument("parts", nargs="*", metavar="PART")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(dir=PROJECT / "build", prefix="energy.") as folder:
        for part in arguments.parts or PARTS:
            if part == "meters":
                meters(folder, max(20, arguments.steps // 4))
            elif part == "loss":
                to_loss(folder, arguments.steps)
            elif part == "layouts":
                layouts(folder, max(20, arguments.steps // 4))
            else:
                generate(folder)
            print()


if __name__ == "__main__":
    main()
