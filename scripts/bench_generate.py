#!/usr/bin/env python3
"""Times lmtrain's inference and that of transformers on the same random weights, in turn; prints medians and ratios.

    bench_generate.py LMTRAIN [--rounds N]     (started by scripts/bench.sh generate, which sees to what it needs)

GPT-2 124M: writing 128 tokens behind 32, one text and eight; reading 1,024 tokens; a process from its start to the first
token. BERT-base: labels of 64 texts of 128 tokens. transformers computes in bf16 and in fp32, and the faster one counts.
The bound of writing one text is the machine's memory bandwidth over the bytes of the weights that a token reads.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import tokenizers
import torch
import transformers

VOCABULARY = 50257
NEW, PROMPT, LONG, TEXTS, LENGTH = 128, 32, 1024, 64, 128


def save_tokenizer(folder):
    """Byte-level BPE whose merges are pairs of bytes, so that two letters are a token."""
    letters = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    letters.sort()
    vocabulary = {letter: i for i, letter in enumerate(letters)}
    merges = []
    for first in letters:
        for second in letters:
            if len(vocabulary) < VOCABULARY - 1:
                vocabulary[first + second] = len(vocabulary)
                merges.append((first, second))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.save(str(folder / "tokenizer.json"))


def save_models(folder):
    torch.manual_seed(1)
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config())
    gpt2.to(torch.bfloat16).save_pretrained(folder / "gpt2")
    save_tokenizer(folder / "gpt2")
    bert = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=2))
    bert.save_pretrained(folder / "bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(30517)]
    (folder / "bert" / "vocab.txt").write_text("\n".join(words) + "\n")


def best_of(calls):
    """Seconds of the fastest of several calls, each with a warm-up."""
    best = float("inf")
    for call in calls:
        call()
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


class Peer:
    """The same work by transformers; seconds."""

    def __init__(self, folder):
        types = (torch.bfloat16, torch.float32)
        self.gpt2 = [transformers.GPT2LMHeadModel.from_pretrained(folder / "gpt2", dtype=one).eval() for one in types]
        self.bert = [transformers.BertForSequenceClassification.from_pretrained(folder / "bert", dtype=one).eval()
                     for one in types]

    def writing(self, batch):
        ids = torch.randint(VOCABULARY - 1, (batch, PROMPT))

        def write(model, count):
            return lambda: model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count,
                                          min_new_tokens=count, do_sample=False, pad_token_id=0)
        return min(best_of([write(model, NEW)]) - best_of([write(model, 1)]) for model in self.gpt2)

    def reading(self):
        ids = torch.randint(VOCABULARY - 1, (1, LONG))
        with torch.no_grad():
            return best_of([lambda model=model: model(ids, use_cache=True, logits_to_keep=1) for model in self.gpt2])

    def labels(self):
        ids = torch.randint(5, 30000, (TEXTS, LENGTH))
        with torch.no_grad():
            return best_of([lambda model=model: [model(part) for part in ids.split(16)] for model in self.bert])


class Lmtrain:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        for name in ("gpt2", "bert"):
            self.run("import", folder / name, folder / f"{name}.checkpoint")
        with open(folder / "texts.jsonl", "w") as file:
            for i in range(TEXTS):
                words = " ".join(f"w{(i * 131 + k * 17) % 30000}" for k in range(LENGTH - 2))
                file.write(json.dumps({"text": words}) + "\n")

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], check=True, capture_output=True, text=True)
        return done.stderr

    def times(self, prompt_tokens, *options):
        log = self.run("generate", self.folder / "gpt2.checkpoint", "--prompt", "a" * (2 * prompt_tokens), "--json",
                       "--precision", "bf16", "--temperature", 0, *options)
        read = re.search(r"([\d,]+) tokens of prompts read in ([\d.]+) s", log)
        written = re.search(r"([\d,]+) further tokens written in ([\d.]+) s", log)
        assert int(read[1].replace(",", "")) % prompt_tokens == 0, log
        return float(read[2]), float(written[2])

    def writing(self, batch):
        return self.times(PROMPT, "--max-new-tokens", NEW, "--min-new-tokens", NEW, "--num-return-sequences", batch,
                          "--batch-size", batch)[1]

    def reading(self):
        return self.times(LONG, "--max-new-tokens", 1, "--num-return-sequences", 2)[0] / 2

    def labels(self):
        log = self.run("predict", self.folder / "bert.checkpoint", "--texts", self.folder / "texts.jsonl", "--precision",
                       "bf16")
        return float(re.search(r"tokens in ([\d.]+) s", log)[1])

    def first_token(self):
        begin = time.perf_counter()
        self.times(PROMPT, "--max-new-tokens", 1)
        return time.perf_counter() - begin


def bandwidth():
    """Bytes a second that reading a large array reaches."""
    array = torch.ones(1 << 27)
    return array.nbytes / best_of([array.sum] * 5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lmtrain")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory(prefix="lmtrain-bench.") as name:
        folder = pathlib.Path(name)
        save_models(folder)
        ours, peer = Lmtrain(pathlib.Path(arguments.lmtrain).resolve(), folder), Peer(folder)
        rows = {"one text": (lambda: ours.writing(1), lambda: peer.writing(1), NEW - 1, "tokens/s"),
                "eight texts": (lambda: ours.writing(8), lambda: peer.writing(8), 8 * (NEW - 1), "tokens/s"),
                "reading 1,024 tokens": (ours.reading, peer.reading, LONG, "tokens/s"),
                "labels, BERT-base": (ours.labels, peer.labels, TEXTS, "texts/s")}
        figures = {row: ([], []) for row in rows}
        starts, rates = [], []
        for _ in range(arguments.rounds):
            for row, (own, other, _, _) in rows.items():
                figures[row][0].append(own())
                figures[row][1].append(other())
            starts.append(ours.first_token())
            rates.append(bandwidth())
        print(f"{'':24}{'lmtrain':>12}{'transformers':>14}{'ratio':>8}")
        for row, (_, _, work, unit) in rows.items():
            own, other = (work / statistics.median(seconds) for seconds in figures[row])
            print(f"{row:24}{own:12.1f}{other:14.1f}{own / other:8.2f}  {unit}")
        weights = 2 * sum(tensor.numel() for tensor in peer.gpt2[0].parameters()) - 2 * 1024 * 768
        bound = statistics.median(rates) / weights
        own = (NEW - 1) / statistics.median(figures["one text"][0])
        print(f"memory {statistics.median(rates) / 1e9:.1f} GB/s, so that one text is bound by {bound:.1f} tokens/s: "
              f"{own / bound:.0%} of it")
        print(f"from the start of the program to the first token: {statistics.median(starts):.2f} s")


main()
