#!/usr/bin/env python3
"""Times lmtrain's inference and that of transformers on the same random weights, in turn; prints medians and ratios.

    bench_generate.py LMTRAIN [--rounds N] [--llama-cpp]     (scripts/bench.sh generate sees to what it needs)

GPT-2 124M: writing 128 tokens behind 32, one text and eight; reading 1,024 tokens; a process from its start to the first
token. BERT-base: labels of 64 texts of 128 tokens. transformers computes in bf16 and in fp32, and the faster one counts.
The bound of writing one text is the machine's memory bandwidth over the bytes of the weights that a token reads.
With --llama-cpp the same weights are also written and read by llama.cpp, in bf16 and in 8 bits.
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


def compare(ours, others, rounds):
    """others: name -> peer. Prints a row for each kind of work that ours and at least one of them do."""
    rows = {"one text": (lambda one: one.writing(1), NEW - 1, "tokens/s"),
            "eight texts": (lambda one: one.writing(8), 8 * (NEW - 1), "tokens/s"),
            "reading 1,024 tokens": (lambda one: one.reading(), LONG, "tokens/s"),
            "labels, BERT-base": (lambda one: one.labels(), TEXTS, "texts/s")}
    seconds = {row: {name: [] for name in ("lmtrain", *others)} for row in rows}
    for _ in range(rounds):
        for row, (time_of, _, _) in rows.items():
            for name, one in {"lmtrain": ours, **others}.items():
                if row != "labels, BERT-base" or hasattr(one, "labels"):
                    seconds[row][name].append(time_of(one))
    print(f"{'':24}{'lmtrain':>12}" + "".join(f"{name:>18}{'ratio':>8}" for name in others))
    for row, (_, work, unit) in rows.items():
        rates = {name: work / statistics.median(times) for name, times in seconds[row].items() if times}
        print(f"{row:24}{rates['lmtrain']:12.1f}" + "".join(
            f"{rates[name]:18.1f}{rates['lmtrain'] / rates[name]:8.2f}" if name in rates else f"{'-':>18}{'':8}"
            for name in others) + f"  {unit}")
    return statistics.median(seconds["one text"]["lmtrain"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lmtrain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--llama-cpp", action="store_true")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory(prefix="lmtrain-bench.") as name:
        folder = pathlib.Path(name)
        save_models(folder)
        ours, peer = Lmtrain(pathlib.Path(arguments.lmtrain).resolve(), folder), Peer(folder)
        others = {"transformers": peer}
        if arguments.llama_cpp:
            import bench_llama_cpp
            others |= bench_llama_cpp.peers(folder, peer.gpt2[1], PROMPT, NEW, LONG)
        one_text = compare(ours, others, arguments.rounds)
        rate = statistics.median(bandwidth() for _ in range(arguments.rounds))
        weights = 2 * sum(tensor.numel() for tensor in peer.gpt2[0].parameters()) - 2 * 1024 * 768
        bound, own = rate / weights, (NEW - 1) / one_text
        print(f"memory {rate / 1e9:.1f} GB/s, so that one text is bound by {bound:.1f} tokens/s: {own / bound:.0%} of it")
        start = statistics.median(ours.first_token() for _ in range(2 * arguments.rounds))
        print(f"from the start of the program to the first token: {start:.2f} s")


main()
