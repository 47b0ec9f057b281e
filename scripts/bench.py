#!/usr/bin/env python3
"""Times lmtrain's ordinary training command and its peers on the same work, in turn; prints medians and ratios.

  bench.py [--size gpt2-124m|small|ranks|ranks-124m|gpu-124m ...] [--rounds N] [--steps N] [--precision bf16|fp32 ...]
           [--before PROGRAM]

Sizes: gpt2-124m (12 layers, width 768, V=50304, B=4, T=256), small (6 layers, width 384, V=8192, B=8, T=256): one
rank of all cores against the GPT-2 of the transformers package, eager and compiled. ranks: the quickstart's model and
batch on two ranks of one thread, in several layouts, against one rank of two; ranks-124m: the first size so. gpu-124m:
the first on a GPU, B=32, T=1024. With --before, the peer is another lmtrain, such as one built before a change.
Started by scripts/bench.sh and scripts/gpu_bench.sh, which see to what it needs.
"""
import argparse
import functools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent
PEER = PROJECT / "scripts" / "bench_peer.py"
QUICKSTART, GPT2 = "configs/quickstart.yaml", "configs/gpt2-small.yaml"
WARM_UP_STEPS = 3
SIZES = {
    "gpt2-124m": {"layers": 12, "heads": 12, "width": 768, "vocabulary": 50304, "positions": 1024, "batch": 4, "length": 256},
    "gpu-124m": {"layers": 12, "heads": 12, "width": 768, "vocabulary": 50304, "positions": 1024, "batch": 32, "length": 1024},
    "small": {"layers": 6, "heads": 6, "width": 384, "vocabulary": 8192, "positions": 1024, "batch": 8, "length": 256},
}
RANKS = ("ranks", "ranks-124m")
STEPS = {"ranks-124m": 5, "gpt2-124m": 8, "small": 25, "ranks": 25, "gpu-124m": 25}


def device_of(size):
    return "cuda" if size.startswith("gpu-") else "cpu"


def run(command, **options):
    """Runs to the end; the peak resident memory in GiB of the process that was started."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, cwd=PROJECT, stderr=errors, **options)
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"bench.py: {' '.join(map(str, command))} failed:\n{errors.read()[-2000:]}")
    return output, usage.ru_maxrss / 2**20


def time_lmtrain(config, overrides, steps, launcher=(), device="cpu", program=None):
    """Seconds of each step by lmtrain's own metrics; peak memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="lmtrain-bench.") as runs:
        program = program or PROJECT / ("build-cuda" if device == "cuda" else "build") / "lmtrain"
        command = [*launcher, program, config, f"parallel.device={device}", f"run.dir={runs}", "run.name=bench",
                   f"train.steps={steps}", "eval.interval=0", "checkpoint.interval=0", "eval.batches=1",
                   *overrides]
        _, peak = run([str(word) for word in command], stdout=subprocess.DEVNULL)
        lines = (pathlib.Path(runs) / "bench" / "metrics.jsonl").read_text().splitlines()
    return [line["step_seconds"] for line in map(json.loads, lines) if "step_seconds" in line], peak


def lmtrain_overrides(size, precision):
    """The settings of a size over configs/gpt2-small.yaml, whose text gives the tokenizer that many words."""
    s = SIZES[size]
    return [f"tokenizer.vocab_size={min(s['vocabulary'], 50257)}", f"model.num_layers={s['layers']}", f"model.num_heads={s['heads']}", f"model.hidden_size={s['width']}",
            f"model.vocab_size={s['vocabulary']}", f"model.max_positions={s['positions']}", f"data.sequence_length={s['length']}",
            f"train.global_batch_size={s['batch']}", f"train.micro_batch_size={s['batch']}",
            f"train.precision={precision}"]


def time_peer(size, precision, mode, steps):
    words = [f"--{key}={value}" for key, value in SIZES[size].items()]
    output, peak = run([sys.executable, str(PEER), *words, f"--precision={precision}", f"--mode={mode}", f"--steps={steps}", f"--device={device_of(size)}"],
                       stdout=subprocess.PIPE)
    return json.loads(output.splitlines()[-1]), peak


def arrangements(size, two):
    """One rank of two threads and layouts of two ranks of one thread: name, config, overrides, launcher."""
    config, base = QUICKSTART, []
    if size == "ranks-124m":
        config, base = GPT2, lmtrain_overrides("gpt2-124m", "bf16")
    yield "1 rank of 2 threads", config, [*base, "parallel.threads=2"], []
    halved = [*base, "parallel.threads=1"]
    micro = ["train.micro_batch_size=2"] if base else []
    yield "data 2", config, [*halved, *micro], two
    yield "data 2, zero 1", config, [*halved, *micro, "parallel.zero=1"], two
    yield "data 2, zero 3", config, [*halved, *micro, "parallel.zero=3"], two
    yield "tensor 2", config, [*halved, "parallel.tensor=2"], two
    yield "tensor 2, sequence", config, [*halved, "parallel.tensor=2", "parallel.sequence=true"], two


def candidates(size, precisions, steps, before):
    """Name -> a function that measures it once, and the name that its ratio is to."""
    chosen, bases = {}, {}

    def add(name, base, once, **options):
        chosen[name], bases[name] = functools.partial(once, **options), base

    def add_lmtrain(name, base, **options):
        add(name, base or name, time_lmtrain, **options)
        if before:
            add(f"{name}, before", name, time_lmtrain, program=before, **options)

    if size in RANKS:
        first = None
        for name, config, overrides, launcher in arrangements(size, ["mpirun", "-n", "2"]):
            add_lmtrain(name, first, config=config, overrides=overrides, steps=steps, launcher=launcher)
            first = first or name
        return chosen, bases
    for p in precisions:
        add_lmtrain(f"lmtrain {p}", None, config=GPT2, overrides=lmtrain_overrides(size, p), steps=steps, device=device_of(size))
        for mode in () if before else ("eager", "compiled"):
            add(f"transformers {mode} {p}", f"lmtrain {p}", time_peer, size=size, precision=p, mode=mode, steps=steps)
    return chosen, bases


def measure(size, precisions, rounds, steps, before):
    chosen, bases = candidates(size, precisions, WARM_UP_STEPS + steps, before)
    seconds = {name: [] for name in chosen}
    peaks = {name: [] for name in chosen}
    for number in range(rounds):
        for name, once in chosen.items():
            all_seconds, peak = once()
            seconds[name].append(statistics.median(all_seconds[WARM_UP_STEPS:]))
            peaks[name].append(peak)
            print(f"{size} round {number + 1}: {name} {seconds[name][-1]:.4f} s", file=sys.stderr)
    print(f"\n### {size}: {steps} steps, {rounds} rounds in turn, median\n")
    print("| what | s/step | tokens/s | times lmtrain's | peak GiB |\n|---|---|---|---|---|")
    for name in chosen:
        middle = statistics.median(seconds[name])
        base = statistics.median(seconds[bases[name]])
        rate = peak = "-"  # of ranks: the config's batch; and mpirun's own memory says nothing of its ranks
        if size not in RANKS:
            rate = f"{SIZES[size]['batch'] * SIZES[size]['length'] / middle:,.0f}"
            if device_of(size) == "cpu":
                peak = f"{max(peaks[name]):.2f}"
        print(f"| {name} | {middle:.4f} | {rate} | {middle / base:.2f} | {peak} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=[*SIZES, *RANKS],
                        default=["gpt2-124m", "small", "ranks"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, help="timed steps of a run (default: by size)")
    parser.add_argument("--precision", nargs="+", choices=["bf16", "fp32"], default=["bf16", "fp32"])
    parser.add_argument("--before", metavar="PROGRAM", type=pathlib.Path, help="another lmtrain, timed instead of transformers")
    arguments = parser.parse_args()
    if arguments.before and not arguments.before.is_file():
        parser.error(f"--before {arguments.before}: there is no such file")
    before = arguments.before and arguments.before.resolve()  # the runs start in the project's folder
    for size in arguments.size:
        measure(size, arguments.precision, arguments.rounds, arguments.steps or STEPS[size], before)


if __name__ == "__main__":
    main()
