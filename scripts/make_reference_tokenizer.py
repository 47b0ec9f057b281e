#!/usr/bin/env python3
"""Writes the fixtures of the tokenizer tests: what the Hugging Face `tokenizers` package makes of
texts, of random trainings and of the edges of every Unicode class. Deterministic.

    make_reference_tokenizer.py FOLDER                   write them (tests/fixtures/tokenizer)
    make_reference_tokenizer.py --check FOLDER LMTRAIN   compare them with the files there, and the
        package with the program LMTRAIN on larger texts: the project's own files, random Unicode
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import reference_added
import reference_bert
import reference_nfc

END_OF_TEXT = "<|endoftext|>"
LLAMA3_BEGIN, LLAMA3_END = "<|begin_of_text|>", "<|end_of_text|>"
SURROGATES = range(0xD800, 0xE000)

# Texts that have broken tokenizers: contractions, white space of all kinds, digits and letters of
# other scripts, combining marks, joined emoji, controls, special tokens as plain text.
HARD_TEXTS = [
    "",
    " ",
    "\n",
    "a",
    "Don't we'll they've I'm you're he'd it's 'tis DON'T 'S 'll''ve'",
    "tab\tnew\nline\r\ntwo  spaces   three\n\n\n end  \n",
    "trailing spaces   ",
    "\u00a0no\u00a0break \u2003em\u3000ideographic\u2028line\u0085next\u180evowel\u200bzero",
    "x = [i ** 2 for i in range(1_000)];  // 3.14e-10 0xFF",
    "\u4e2d\u6587\u5206\u8bcd\uff0c\u65e0\u7a7a\u683c\u3002\u65e5\u672c\u8a9e\u306e\u6587\u7ae0",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "e\u0301 \u00e9 \u0130 \u00df \ufb01 \u1e9e \u03a3\u03c3\u03c2",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f44d\U0001f3fd",
    "\u0661\u0662\u0663 \u00bd \u2168 \u00b2 \u4e00\u4e8c \U0001d7d8\U0001d7d9 \u0be7",
    "\x00\x01\x1c\x1d\x1e\x1f\x7f\x80\x9f\ufeff\ufffd\ufffe\uffff",
    "\U0010ffff\U000e0001\U00020000\ue000 \ud7ff",
    f"before {END_OF_TEXT} after{END_OF_TEXT}",
    "it'\u017f IT'S DON'T we'RE They'Ve I'LL 'D'm 'M  x'\u017fx 's\n't",
    " \n \n x \r\n\r\n  y\t\n\tz  \n", "!!!\r\n\n  ?\n!\r", "1234567 12 1\u0661\u0662\u06634 a1b22c333d4444",
    "\u2028x\u2029\u2029 y\u0085\u0085z\u000b\u000bq", "(word) -word _word $5 #a\u00a0b \u3000\u4e2d",
    "a" * 100 + " " * 100 + "ab" * 50 + "!" * 64 + "\n" * 33,
]

WORDS = (
    "the quick river turns under a stone bridge and nobody counts its waters twice while children "
    "trade marbles near the market gate where bread is warm and every morning begins again with "
    "bells that don't agree about the hour they're ringing"
).split()


def trained(documents, vocab_size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=0,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.encode_special_tokens = True
    return tokenizer


def byte_level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def split_of(pattern):
    """As in the tokenizer.json of Llama 3 and Qwen."""
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def digits(count):
    return (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + count +
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def llama3():
    return split_of(digits("{1,3}"))


def qwen():
    return split_of(digits(""))


def trained_llama3(documents, vocab_size):
    """With words in the vocabulary that no merges lead to, and a token before each text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = llama3()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=0,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(documents, trainer)
    file = json.loads(tokenizer.to_str())
    for word in ("\u0120nobody", "\u0120bridge", "123", "bread", "\u0120again\u010a"):
        file["model"]["vocab"].setdefault(word, len(file["model"]["vocab"]))
    file["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([LLAMA3_BEGIN, LLAMA3_END])
    begin = tokenizer.token_to_id(LLAMA3_BEGIN)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{LLAMA3_BEGIN} $A", pair=f"{LLAMA3_BEGIN} $A {LLAMA3_BEGIN} $B:1",
                                      special_tokens=[(LLAMA3_BEGIN, begin)])])
    tokenizer.encode_special_tokens = True
    return tokenizer


def repeated_letters(rng, alphabet, length):
    """Random text with runs of one letter, where the order of merges shows."""
    text = ""
    while len(text) < length:
        text += rng.choice(alphabet) * rng.choice([1, 1, 1, 2, 3, 4, 7, 15])
    return text


def random_unicode(rng, size):
    limits = [0x80, 0x800, 0x3000, 0x10000, 0x110000]
    code_points = [rng.randrange(rng.choice(limits)) for _ in range(size)]
    return "".join(chr(c) for c in code_points if c not in SURROGATES)


def training_cases(rng):
    alphabets = ["a", "ab", "aab ", "abc \n", "abcdefgh   '\n", "a\u00e9 \u3042\U0001f600x'\u00a0",
                 "0123 .,;a's"]
    for case in range(70):
        alphabet = alphabets[case % len(alphabets)]
        lengths = [rng.choice([0, 1, 5, 40, 120]) for _ in range(rng.randint(1, 6))]
        documents = [repeated_letters(rng, alphabet, length) for length in lengths]
        vocab_size = rng.choice([257, 262, 280, 320])
        model = json.loads(trained(documents, vocab_size).to_str())["model"]
        yield {"documents": documents, "vocab_size": vocab_size, "merges": model["merges"]}


def prose(rng):
    words = [rng.choice(WORDS) for _ in range(60)]
    return " ".join(words).capitalize() + rng.choice([".\n", "!  ", "?\n\n", " (1984)\t"])


def class_edges():
    """The first and last character of every run of one class, with its neighbours."""
    splitter = byte_level()
    signature = lambda c: tuple(
        len(splitter.pre_tokenize_str(f"{n}{chr(c)}{n}")) == 1 for n in ("!", "x", "1"))
    scalars = [c for c in range(0x110000) if c not in SURROGATES]
    signatures = [signature(c) for c in scalars]
    changes = [i for i in range(1, len(scalars)) if signatures[i] != signatures[i - 1]]
    return [scalars[i] for change in changes for i in (change - 1, change)]


def split_cases(splitter, edges):
    texts = list(HARD_TEXTS)
    for begin in range(0, len(edges), 100):
        chunk = [chr(c) for c in edges[begin : begin + 100]]
        texts.append("".join(f"x{c}1{c}!\n" for c in chunk))
    rng = random.Random(len(edges))
    texts += ["".join(rng.choices("a1!' \n\r\tSsdT\u017f\u00a0\u4e2d\u0661", k=60)) for _ in range(60)]
    for text in texts:
        spans = [span for _, span in splitter.pre_tokenize_str(text)]
        sizes = [len(text[begin:end].encode()) for begin, end in spans]
        yield {"text": text, "word_bytes": sizes}


def encoding_cases(rng, tokenizer):
    texts = list(HARD_TEXTS)
    texts += [prose(rng) for _ in range(10)]
    texts += [random_unicode(rng, rng.randint(1, 200)) for _ in range(30)]
    # Words around and beyond the size up to which words are searched without a heap.
    texts += [repeated_letters(rng, "the", n) for n in (30, 39, 40, 41, 42, 80, 300, 2000)]
    texts += ["".join(rng.choices("the", k=n)) for n in (38, 39, 40, 41, 42, 43, 60, 900)]
    return [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in texts]


def make_fixtures():
    rng = random.Random(20240229)
    corpus = [prose(rng) for _ in range(60)] + HARD_TEXTS
    corpus += [repeated_letters(rng, "the ", 200) for _ in range(20)]
    tokenizer = trained(corpus, 700)
    llama3_tokenizer = trained_llama3(corpus, 600)
    edges = class_edges()
    contents = {
        "corpus.json": corpus,
        "tokenizer.json": json.loads(tokenizer.to_str()),
        "encode.json": encoding_cases(rng, tokenizer),
        "train.json": list(training_cases(rng)),
        "split.json": list(split_cases(byte_level(), edges)),
        "split_llama3.json": list(split_cases(llama3(), edges)),
        "split_qwen.json": list(split_cases(qwen(), edges)),
        "tokenizer_llama3.json": json.loads(llama3_tokenizer.to_str()),
        "encode_llama3.json": encoding_cases(random.Random(3), llama3_tokenizer),
        **reference_bert.fixtures(HARD_TEXTS, WORDS, random_unicode),
        **reference_added.fixtures(),
        **reference_nfc.fixtures(),
        "made_by.json": {"tokenizers": tokenizers.__version__},
    }
    return {
        name: json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n"
        for name, content in contents.items()
    }


def differing_fixtures(folder):
    for name, text in make_fixtures().items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            yield f"{file} differs from what tokenizers {tokenizers.__version__} gives"


def large_texts(rng):
    root = pathlib.Path(__file__).resolve().parent.parent
    folders = ["base", "data", "docs", "energy", "models", "parallel", "scripts", "trainer"]
    files = sorted(f for folder in folders for f in (root / folder).rglob("*")
                   if f.is_file() and "__pycache__" not in f.parts)
    contents = [f.read_bytes() for f in files]
    texts = [content.decode() for content in contents if b"\0" not in content]  # no pictures
    # lmtrain refuses a file with a zero byte as one that is not text.
    texts += [random_unicode(rng, 3000).replace("\0", "") for _ in range(100)]
    return [text for text in texts if text and not text.startswith("\ufeff")]


def run(*command, text=""):
    return subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


def llama3_differences(lmtrain):
    """Encoding with the pattern of Llama 3 by the program against the package."""
    texts = large_texts(random.Random(2))
    tokenizer = trained_llama3(texts, 5000)
    with tempfile.TemporaryDirectory() as name:
        file = str(pathlib.Path(name) / "tokenizer.json")
        tokenizer.save(file)
        text = "\n".join(texts) + "".join(map(chr, (c for c in range(0x110000) if c not in SURROGATES)))
        numbers = [int(number) for number in run(lmtrain, "tokenizer", "encode", file, text=text).split()]
        if numbers != tokenizer.encode(text, add_special_tokens=False).ids:
            yield "the ids that lmtrain gives differ from those of the package, pattern of Llama 3"
        print(f"pattern of Llama 3: {len(text.encode()):,} bytes, {len(numbers):,} ids compared")


def program_differences(lmtrain):
    """Training, encoding and decoding by the program against the package."""
    texts = large_texts(random.Random(1))
    tokenizer = trained(texts, 5000)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "text").mkdir()
        for i, text in enumerate(texts):
            (folder / "text" / f"{i:06}").write_text(text, newline="")
        output, source = str(folder / "tokenizer"), str(folder / "text")
        run(lmtrain, "tokenizer", "train", output, source, "--vocab-size", "5000")
        file = folder / "tokenizer" / "tokenizer.json"
        ours = json.loads(file.read_text())["model"]
        if ours["merges"] != json.loads(tokenizer.to_str())["model"]["merges"]:
            yield "the merges that lmtrain trains differ"
        loaded = Tokenizer.from_file(str(file))
        loaded.encode_special_tokens = True
        text = "\n".join(texts)
        ids = run(lmtrain, "tokenizer", "encode", output, text=text)
        numbers = [int(number) for number in ids.split()]
        if numbers != loaded.encode(text, add_special_tokens=False).ids:
            yield "the ids that lmtrain gives differ from those of the package with the same file"
        if run(lmtrain, "tokenizer", "decode", output, text=ids.decode()) != text.encode():
            yield "lmtrain does not decode its own ids to the text"
        print(f"{len(texts)} documents, {len(text.encode()):,} bytes, {len(numbers):,} ids compared")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("lmtrain", nargs="?", help="the program, with --check")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    if arguments.check:
        differences = list(differing_fixtures(arguments.folder))
        if arguments.lmtrain:
            differences += program_differences(arguments.lmtrain)
            differences += llama3_differences(arguments.lmtrain)
            differences += reference_bert.differences(arguments.lmtrain, run, random_unicode)
            differences += reference_nfc.differences(arguments.lmtrain, run)
            differences += reference_bert.training_differences(
                arguments.lmtrain, run, large_texts(random.Random(4)))
        sys.exit("\n".join(differences) or None)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, text in make_fixtures().items():
        (arguments.folder / name).write_text(text)
        print(f"{name}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
