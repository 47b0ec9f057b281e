#!/usr/bin/env python3
"""lmtrain's tokenizers beside the tokenizers package and tiktoken, on 80 MB of text that is found on the machine.

  bench_tokenizers.py LMTRAIN            times encoding on one core and training on all, in turn; prints a table
  bench_tokenizers.py LMTRAIN --check    compares every id, on that text and on 20 MB of random Unicode

Started by scripts/bench.sh --tokenizers and scripts/oracle.sh.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import tokenizers
from make_reference_tokenizer import random_unicode

TEXT_BYTES, RANDOM_BYTES, PART_BYTES, ROUNDS = 80_000_000, 20_000_000, 4_000_000, 3
SUFFIXES = {".py", ".md", ".txt", ".rst", ".h", ".hpp", ".cpp", ".html", ".json", ".pyi", ".csv", ".po", ".tcl", ".pl", ".pm"}
GPT2_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def found_text():
    """Files of the Python environment, of /usr/share and of /usr/lib, in the order of their names."""
    roots = [pathlib.Path(tokenizers.__file__).parent.parent, pathlib.Path("/usr/share"), pathlib.Path("/usr/lib")]
    texts, size = [], 0
    for root in roots:
        for path in sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES):
            try:
                text = path.read_bytes().decode()
            except (OSError, UnicodeDecodeError):
                continue
            if not 200 < len(text) < 400_000 or text.startswith("\ufeff"):
                continue
            texts.append(text)
            size += len(text.encode())
            if size >= TEXT_BYTES:
                return texts
    print(f"only {size:,} bytes of text were found", file=sys.stderr)
    return texts


def parts(texts):
    part, size = [], 0
    for text in texts:
        part.append(text)
        size += len(text.encode())
        if size >= PART_BYTES:
            yield "".join(part)
            part, size = [], 0
    if part:
        yield "".join(part)


class Bench:
    def __init__(self, lmtrain, folder):
        self.lmtrain, self.folder = str(pathlib.Path(lmtrain).resolve()), folder
        self.texts = found_text()
        self.bytes = sum(len(text.encode()) for text in self.texts)
        (folder / "text").mkdir()
        for i, text in enumerate(self.texts):
            (folder / "text" / f"{i:06}").write_text(text, newline="")

    def run(self, *arguments, text=b"", one_core=False):
        command = ["taskset", "-c", "0"] if one_core else []
        return subprocess.run([*command, self.lmtrain, *arguments], cwd=self.folder, input=text, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def train(self, name, *options):
        begin = time.perf_counter()
        self.run("tokenizer", "train", name, "text", *options)
        return time.perf_counter() - begin

    def train_all(self):
        self.train("bpe", "--vocab-size", "50257")
        self.train("wordpiece", "--kind", "wordpiece", "--vocab-size", "30522")

    def package(self, name):
        loaded = tokenizers.Tokenizer.from_file(str(self.folder / name / "tokenizer.json"))
        loaded.encode_special_tokens = True
        return loaded


def check(bench):
    bench.train_all()
    rng = random.Random(6)
    noise, size = [], 0
    while size < RANDOM_BYTES:
        noise.append(random_unicode(rng, 100_000))
        size += len(noise[-1].encode())
    for name in ("bpe", "wordpiece"):
        theirs = bench.package(name)
        for what, texts in (("text", bench.texts), ("random Unicode", noise)):
            size = count = 0
            for part in parts(texts):
                ours = list(map(int, bench.run("tokenizer", "encode", name, text=part.encode()).split()))
                if ours != theirs.encode(part, add_special_tokens=False).ids:
                    sys.exit(f"the ids that lmtrain gives differ from those of the package: {name}, {what}")
                size, count = size + len(part.encode()), count + len(ours)
            print(f"{name}: {size:,} bytes of {what}, {count:,} ids compared", flush=True)


def tiktoken_encoding(bench):
    import tiktoken
    model = json.loads((bench.folder / "bpe" / "tokenizer.json").read_text())["model"]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letters = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
    ranks = {}
    for token in sorted(model["vocab"], key=model["vocab"].get):
        if all(c in letters for c in token):  # not the end token
            ranks[bytes(letters[c] for c in token)] = len(ranks)
    return tiktoken.Encoding("ours", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})


def encoders(bench):
    """Name -> a function that encodes all text on one core and returns the seconds."""
    batches = [bench.texts[i:i + 64] for i in range(0, len(bench.texts), 64)]
    whole = "".join(bench.texts).encode()

    def ours(name):
        return json.loads(bench.run("tokenizer", "encode", name, "--count", text=whole, one_core=True))["seconds"]

    def timed(encode):
        begin = time.perf_counter()
        for batch in batches:
            encode(batch)
        return time.perf_counter() - begin

    bpe, wordpiece, ranks = bench.package("bpe"), bench.package("wordpiece"), tiktoken_encoding(bench)
    return {"lmtrain BPE": lambda: ours("bpe"),
            "tokenizers BPE": lambda: timed(lambda batch: bpe.encode_batch_fast(batch, add_special_tokens=False)),
            "tiktoken BPE": lambda: timed(lambda batch: [ranks.encode_ordinary(text) for text in batch]),
            "lmtrain WordPiece": lambda: ours("wordpiece"),
            "tokenizers WordPiece": lambda: timed(lambda batch: wordpiece.encode_batch_fast(batch, add_special_tokens=False))}


def package_training(bench):
    """In a process of its own, which may use all cores."""
    code = ("import tokenizers as t, pathlib, sys\n"
            "k = t.Tokenizer(t.models.BPE())\n"
            "k.pre_tokenizer = t.pre_tokenizers.ByteLevel(add_prefix_space=False)\n"
            "k.train(sorted(map(str, pathlib.Path('text').iterdir())), t.trainers.BpeTrainer(vocab_size=50257,\n"
            "    special_tokens=['<|endoftext|>'], initial_alphabet=t.pre_tokenizers.ByteLevel.alphabet(), show_progress=False))\n")
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=bench.folder, check=True,
                   env={**os.environ, "TOKENIZERS_PARALLELISM": "true"})
    return time.perf_counter() - begin


def measure(bench):
    bench.train_all()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, {0})
    chosen = encoders(bench)
    seconds = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, once in chosen.items():
            seconds[name].append(once())
            print(f"{name}: {seconds[name][-1]:.3f} s", file=sys.stderr)
    print(f"\n### Encoding {bench.bytes:,} bytes on one core, {ROUNDS} rounds in turn, median\n")
    print("| what | seconds | MB/s |\n|---|---|---|")
    for name, values in seconds.items():
        print(f"| {name} | {statistics.median(values):.2f} | {bench.bytes / 1e6 / statistics.median(values):.0f} |")
    letter = json.loads(bench.run("tokenizer", "encode", "bpe", "--count", text=b"a" * 1_000_000, one_core=True))
    print(f"| lmtrain BPE, a million times one letter | {letter['seconds']:.2f} | - |", flush=True)

    os.sched_setaffinity(0, range(os.cpu_count()))
    ours, theirs = [], []
    for _ in range(2):
        ours.append(bench.train("bpe", "--vocab-size", "50257"))
        theirs.append(package_training(bench))
    print(f"\n### Training BPE of 50,257 on the same text, {os.cpu_count()} cores, 2 rounds in turn, median\n")
    print("| what | seconds |\n|---|---|")
    print(f"| lmtrain | {statistics.median(ours):.1f} |\n| tokenizers | {statistics.median(theirs):.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lmtrain")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lmtrain-bench.") as folder:
        bench = Bench(arguments.lmtrain, pathlib.Path(folder))
        (check if arguments.check else measure)(bench)


main()
