"""Added tokens in texts, as the `tokenizers` package finds them: fixtures of random tokens with random flags.
make_reference_tokenizer.py uses it."""

import json
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

# Prefixes and parts of each other, spaces, letters, accents, what a normaliser changes or splits.
CONTENTS = ["<t>", "<t>t", "t><", "[MASK]", "[Mask]", "mask", "caf\u00e9", "CAFE\u0301", " x", "x ", "ab c", "ab", "b",
            "\u4e2d\u6587", "\u00b2", "_", "\U0001f600", "don't", "1", "<|end|>", "<|end|><|end|>", "\n", "\u03a3"]
PIECES = CONTENTS + [" ", "  ", "\t", "\n\n", "\u00a0", "a", "A", "z", "\u0301", "\u200d", "!", "-", "cafe", "AB", "'",
                     "\u2028", "\u00bd", "\u0903"]


def byte_level():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def bert(lowercase):
    characters = "abcdefkmnstxz<>[]|_1!-'\u4e2d\u6587\u00b2\u03c3\u00e9"
    tokens = ["[UNK]", *characters, *("##" + c for c in characters), "mask", "caf"]
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def add_tokens(rng, tokenizer):
    seen = set()  # which of two equal forms the package finds is chance
    for content in rng.sample(CONTENTS, rng.randint(2, 9)):
        form = tokenizer.normalizer.normalize_str(content) if tokenizer.normalizer else content
        if form in seen:
            continue
        seen.add(form)
        flags = {key: rng.random() < 0.3 for key in ("single_word", "lstrip", "rstrip", "normalized")}
        token = AddedToken(content, special=rng.random() < 0.5, **flags)
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])


def cases(rng, tokenizer, count):
    for _ in range(count):
        text = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        ids = []
        try:
            for as_text in (True, False):
                tokenizer.encode_special_tokens = as_text
                ids.append(tokenizer.encode(text, add_special_tokens=False).ids)
        except BaseException as panic:  # where one token takes the space with which the next begins
            assert type(panic).__name__ == "PanicException"
            continue
        yield [text, *ids]


def fixtures(num_tokenizers=27, num_texts=24):
    rng = random.Random(13)
    result = []
    for i in range(num_tokenizers):
        tokenizer = [byte_level, lambda: bert(True), lambda: bert(False)][i % 3]()
        add_tokens(rng, tokenizer)
        result.append({"tokenizer": json.loads(tokenizer.to_str()), "cases": list(cases(rng, tokenizer, num_texts))})
    return {"added_tokens.json": result}
