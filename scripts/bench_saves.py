#!/usr/bin/env python3
"""What saves take from training: GPT-2 124M (B=4, T=256) on one rank and on two, with saves beside training and waited for.

  bench_saves.py [--steps N] [--layers N]

Prints how long training stands still for a save against one copy of the same bytes, steps while a save is written against
others, and the rate of writing against a plain file of each rank. Started by scripts/bench.sh saves.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent
TWO = ["mpirun", "-n", "2"]


def run(folder, name, steps, layers, launcher, asynchronous):
    """The records of a run that saves in the middle: its steps, and the save."""
    middle = steps // 2 + 1  # the next save is that of the end
    command = [*launcher, PROJECT / "build" / "lmtrain", "configs/gpt2-small.yaml", "tokenizer.vocab_size=50257", f"model.num_layers={layers}",
               "model.vocab_size=50304", "data.sequence_length=256", "train.global_batch_size=4",
               f"train.micro_batch_size={4 // max(1, len(launcher[2:]) * 2)}", "parallel.zero=1" if launcher else "parallel.zero=0",
               f"run.dir={folder}", f"run.name={name}", f"train.steps={steps}", "eval.interval=0", "eval.batches=1", "eval.samples=0",
               f"checkpoint.interval={middle}", f"checkpoint.asynchronous={str(asynchronous).lower()}", "checkpoint.keep=1"]
    subprocess.run([str(word) for word in command], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (pathlib.Path(folder) / name / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "step_seconds" in line], [line for line in lines if "checkpoint_bytes" in line], middle


def plain_write(folder, size):
    """Seconds to write and sync a file of so many bytes, in pieces of 4 MiB."""
    piece = os.urandom(4 << 20)
    begin = time.monotonic()
    with open(pathlib.Path(folder) / "plain", "wb") as file:
        for _ in range(size // len(piece)):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    taken = time.monotonic() - begin
    os.unlink(pathlib.Path(folder) / "plain")
    return taken


def one_copy(size):
    data = bytearray(os.urandom(1 << 20) * (size >> 20))
    begin = time.monotonic()
    bytes(data)
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=36)
    parser.add_argument("--layers", type=int, default=12)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saves.", dir=PROJECT / "build") as folder:
        for name, launcher in (("1 rank", []), ("2 ranks, zero 1", TWO)):
            for asynchronous in (True, False):
                steps, saves, middle = run(folder, f"{len(launcher)}-{asynchronous}", arguments.steps, arguments.layers, launcher, asynchronous)
                save = saves[0]
                begin = next(line["time"] for line in steps if line["step"] == middle)
                end = begin + save["stall_seconds"] + save["persist_seconds"]
                beside = [line["step_seconds"] for line in steps if line["step"] > middle and line["time"] <= end]
                others = [line["step_seconds"] for line in steps if 3 < line["step"] < middle or line["time"] > end + line["step_seconds"]]
                step = statistics.median(others)
                size = save["checkpoint_bytes"]
                ranks = 2 if launcher else 1
                print(f"{name}, {'beside training' if asynchronous else 'waited for'}: {size / 2**20:.0f} MiB, step {step:.3f} s")
                still = save["copy_seconds"] or save["stall_seconds"]  # what waits for the end of the run is no part of it
                print(f"  stands still {still:.3f} s, {100 * still / (100 * step):.2f}% of 100 steps; "
                      f"one copy of a rank's part takes {one_copy(size // ranks):.3f} s")
                if beside:
                    print(f"  {len(beside)} steps beside the save: median {statistics.median(beside):.3f} s, {statistics.median(beside) / step - 1:+.1%}; "
                          f"mean {statistics.mean(beside) / statistics.mean(others) - 1:+.1%}")
                plain = plain_write(folder, size // ranks)
                print(f"  under way {save['persist_seconds']:.1f} s, of work {save['work_seconds']:.1f} s: {size / ranks / save['work_seconds'] / 1e6:.0f} MB/s a rank; "
                      f"a plain file takes {plain:.1f} s: {size / ranks / plain / 1e6:.0f} MB/s", flush=True)


main()
