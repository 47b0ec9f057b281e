"""What the `tokenizers` package makes of texts by canonical composition: the fixture, and the comparison of
lmtrain with it on all characters and random sequences. make_reference_tokenizer.py uses it."""

import pathlib
import random
import tempfile
import unicodedata

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from reference_bert import SCALARS, digests, runs

HANGUL = [*range(0x1100, 0x1200), 0xAC00, 0xAC01, 0xAC1C, 0xD788, 0xD7A3]


def texts(rng, count):
    """Sequences of characters that decompose, of their parts, of marks and of Hangul."""
    nfd = normalizers.NFD().normalize_str
    composed = [c for c in SCALARS if nfd(chr(c)) != chr(c) and not 0xAC00 <= c < 0xD7A4]
    parts = sorted({ord(x) for c in composed for x in nfd(chr(c))})
    marks = [c for c in SCALARS if unicodedata.combining(chr(c))]
    pools = [composed, parts, marks, HANGUL, range(0x20, 0x250), SCALARS]
    for _ in range(count):
        yield "".join(chr(rng.choice(rng.choice(pools))) for _ in range(rng.randint(1, 12)))


def fixtures():
    nfc = normalizers.NFC().normalize_str
    return {"nfc.json": {"digests": runs(digests(lambda text: [nfc(text)])),
                         "texts": [[t, nfc(t)] for t in texts(random.Random(17), 300)]}}


def differences(lmtrain, run):
    """The program against the package; a token is there for each byte, so that ids are the normal form."""
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = "\n".join([f"a{chr(c)}\u0301 \u0301{chr(c)}\u0323" for c in SCALARS] + list(texts(random.Random(19), 200000)))
    with tempfile.TemporaryDirectory() as name:
        file = str(pathlib.Path(name) / "tokenizer.json")
        tokenizer.save(file)
        numbers = [int(n) for n in run(lmtrain, "tokenizer", "encode", file, text=text).split()]
    if numbers != tokenizer.encode(text).ids:
        yield "the text that lmtrain composes differs from that of the package, NFC"
    print(f"NFC: {len(text.encode()):,} bytes, {len(numbers):,} ids compared")
