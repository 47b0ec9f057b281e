"""What tokenizers of BERT's kind make of texts: the fixtures of their tests, and the comparison of lmtrain
with the `tokenizers` package on all Unicode characters. make_reference_tokenizer.py uses it.

The profile `google` has no package to ask: google_words() says what Google's tokenization.py does."""

import json
import pathlib
import random
import tempfile
import unicodedata

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
BLOCK = 4096  # code points to a digest
GOOGLE_CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
              (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]

# Accents, Chinese (the block where the profiles differ too), Korean, kana with marks, sigmas, the letters with
# special lower cases, white space and controls, punctuation of old tables, long words, special tokens.
HARD_TEXTS = [
    "D\u00e9j\u00e0 vu: na\u00efve fa\u00e7ade, \u00c5ngstr\u00f6m \u212b \u1e9b\u0323 Vi\u1ec7t Nam o\u0308\u0323 q\u0307\u0323",
    "\u4e2d\u6587English\u6df7\u5408 \U0002b81f\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002ceb0 \uf900\ufa1f\U0002f800 \u3400\u9fff",
    "\ud55c\uad6d\uc5b4 \uac00\uac01\ud7a3 \u1100\u1161\u11a8 \u304c\u304e\u30d1 \u304b\u3099 \uff76\uff9e",
    "\u0391\u03a3 \u039f\u0394\u039f\u03a3. \u03a3 \u03a3\u03b1 \u0391\u03a3\u0391 a\u03a3\u0301 a\u03a3.b \u0391'\u03a3 \u0391\u03a3\u00ad \u0391\x01\u03a3\x01\u0391",
    "\u0130stanbul I\u0307 \u0131 \u1e9e STRASSE \u00df \u01c5 \u2126 \u212a \ua64a \u10a0 \u13a0 \uab70 \u2c2f",
    "a\u0085b a\u2028b a\u2029b a\u00a0b a\u3000b a\u200bb a\u00adb a\u000bb a\u001cb\u0000c\ufffdd\ufeffe\u180ef\ue000g\u0378h",
    "a\u00abb\u00bbc\u2026d\u3001e\u30fbf\uff01g\u2e2eh\u2e3ci\u2e52j$k+l<m=n^o`p|q~r\u20acs\u00b4t\u037eu\u1fefv\u055aw",
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101 + " " + "\u00e9" * 100 + " " + "\u00e9" * 101 + " " + "x" * 201,
    "a [MASK] b [mask] c[SEP]d [CLS] [UNK] ## ##ing a##b #",
    "unbelievable unaffable rivers quicker breadly ringings bellsbellsbells zzzq thethe",
    "\U0001d15e\U0001d16d\U0001d165 \u0f73\u0f71 \u302e\u302f\u0301 \u1d16d x\U0001d165\u0334\u093cy \u3099\u302f\u302e",
    "a\u0301\u0001\u0302b \u0344 \u0340\u0341 \u0958 \u0929 \u0dda \u0cca \ufb1d \ufb4f",
]


def component(kind, **fields):
    return {"type": kind, **fields}


def google_clean(text):
    for c in text:
        if c in "\0\ufffd" or (unicodedata.category(c) in ("Cc", "Cf") and c not in "\t\n\r"):
            continue
        if c in " \t\n\r" or unicodedata.category(c) == "Zs":
            yield " "
        elif any(a <= ord(c) <= b for a, b in GOOGLE_CJK):
            yield f" {c} "
        else:
            yield c


def is_google_punctuation(c):
    return (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c)[0] == "P"


def google_words(text, lowercase):
    words = []
    for word in "".join(google_clean(text)).split():
        if lowercase:
            letters = unicodedata.normalize("NFD", word.lower())
            word = "".join(c for c in letters if unicodedata.category(c) != "Mn")
        words += "".join(f" {c} " if is_google_punctuation(c) else c for c in word).split()
    return words


def hf_words(lowercase):
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    return lambda text: [word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]


def wordpiece(vocabulary, lowercase):
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, vocabulary[t]) for t in ("[CLS]", "[SEP]")])
    tokenizer.encode_special_tokens = True
    return tokenizer


def numbered(tokens):
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def vocabulary(texts, words, lowercase):
    """All characters of the texts but a few, and parts of words; the package's own trainer gives another
    vocabulary each time."""
    split = hf_words(lowercase)
    characters = sorted({c for text in texts for word in split(text) for c in word} - set("zq\u1100"))
    rng = random.Random(1)
    parts = []
    for word in sorted(set(words)):
        cut = rng.randint(1, len(word))
        parts += [word[:cut], "##" + word[cut - 1 :], word if rng.random() < 0.5 else word[:2]]
    return numbered(SPECIAL + characters + ["##" + c for c in characters] + parts + ["##ing", "##s"])


def fnv1a(data):
    number = 0xCBF29CE484222325
    for byte in data:
        number = (number ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return number


def digests(words):
    """What becomes of every character, a number for each block."""
    for begin in range(0, 0x110000, BLOCK):
        block = (chr(c) for c in range(begin, begin + BLOCK) if not 0xD800 <= c < 0xE000)
        texts = "\n".join("\t".join(words(f"a{c} {c}A")) for c in block)
        yield f"{fnv1a(texts.encode()):016x}"


def runs(numbers):
    """[number, how many times in a row]: most blocks have no character."""
    result = []
    for number in numbers:
        if result and result[-1][0] == number:
            result[-1][1] += 1
        else:
            result.append([number, 1])
    return result


def mark_texts(rng, count):
    """Letters with many marks, whose order matters."""
    nfd = normalizers.NFD().normalize_str
    marks = [chr(c) for c in SCALARS if unicodedata.combining(chr(c)) or unicodedata.category(chr(c)) == "Mc"
             or (nfd(chr(c)) != chr(c) and not 0xAC00 <= c < 0xD7A4)]
    for _ in range(count):
        yield "".join(rng.choice(marks if rng.random() < 0.8 else "a1. \x01\u4e2d") for _ in range(rng.randint(1, 40)))


def decoding_cases(rng, tokenizer):
    size = tokenizer.get_vocab_size()
    texts = ["it's a don't .", "a , b ? c ! d . ' e", "we 're they 've i 'm do not", "[MASK] a", "##s ##ing the ##s"]
    cases = [[tokenizer.token_to_id(t) or 1 for t in text.split()] for text in texts]
    cases += [tokenizer.encode(text, add_special_tokens=True).ids for text in texts]
    cases += [[rng.randrange(size) for _ in range(rng.randint(0, 30))] for _ in range(40)]
    return [{"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True),
             "with_special_tokens": tokenizer.decode(ids, skip_special_tokens=False)} for ids in cases]


def template_cases(tokenizer):
    for first, second in [("the river", None), ("the river", "a bridge, turns"), ("", None)]:
        plain = [tokenizer.encode(t or "", add_special_tokens=False).ids for t in (first, second)]
        whole = tokenizer.encode(first, second)
        yield {"first": plain[0], "second": plain[1], "ids": whole.ids, "type_ids": whole.type_ids}


def fixtures(hard_texts, words, random_unicode):
    rng = random.Random(7)
    texts = hard_texts + HARD_TEXTS + [random_unicode(rng, rng.randint(1, 200)) for _ in range(30)]
    texts += list(mark_texts(rng, 60)) + [" ".join(rng.choices(words, k=40)).title() for _ in range(10)]
    result = {}
    for name, lowercase in [("uncased", True), ("cased", False)]:
        tokenizer = wordpiece(vocabulary(hard_texts + HARD_TEXTS, words, lowercase), lowercase)
        result[f"bert_{name}.json"] = json.loads(tokenizer.to_str())
        result[f"encode_bert_{name}.json"] = {
            "encode": [{"text": t, "ids": tokenizer.encode(t, add_special_tokens=False).ids} for t in texts],
            "decode": decoding_cases(rng, tokenizer), "template": list(template_cases(tokenizer))}
    result["bert_words.json"] = {
        f"{profile}_{name}": {
            "digests": runs(digests(words_of)),
            "words": [{"text": t, "words": words_of(t)} for t in texts if profile == "google"]}
        for profile, name, words_of in [
            ("hf", "uncased", hf_words(True)), ("hf", "cased", hf_words(False)),
            ("google", "uncased", lambda text: google_words(text, True)),
            ("google", "cased", lambda text: google_words(text, False))]}
    return result


def differences(lmtrain, run, random_unicode):
    """Every character by itself and random texts by the program against the package; a token is there for
    each character that the normaliser leaves."""
    rng = random.Random(11)
    texts = [f"{chr(c)} a{chr(c)}B" for c in SCALARS]
    texts += [random_unicode(rng, 3000) for _ in range(100)] + list(mark_texts(rng, 20000))
    for lowercase in (True, False):
        text = "\n".join(texts)
        normal = normalizers.BertNormalizer(lowercase=lowercase).normalize_str(text)
        characters = sorted(set(normal))
        tokenizer = wordpiece(numbered(SPECIAL + characters + ["##" + c for c in characters]), lowercase)
        with tempfile.TemporaryDirectory() as name:
            file = str(pathlib.Path(name) / "tokenizer.json")
            tokenizer.save(file)
            numbers = [int(n) for n in run(lmtrain, "tokenizer", "encode", file, text=text).split()]
            expected = tokenizer.encode(text, add_special_tokens=False).ids
            if numbers != expected:
                yield f"the ids that lmtrain gives differ from those of the package, BERT, lowercase={lowercase}"
            again = run(lmtrain, "tokenizer", "decode", file, text=" ".join(map(str, expected[:200000]))).decode()
            if again != tokenizer.decode(expected[:200000], skip_special_tokens=False):
                yield f"lmtrain decodes otherwise than the package, BERT, lowercase={lowercase}"
        print(f"BERT, lowercase={lowercase}: {len(text.encode()):,} bytes, {len(numbers):,} ids compared")


def training_differences(lmtrain, run, texts, vocab_size=5000):
    """The package gives another vocabulary at each training, so only the number of tokens is compared."""
    if b"--kind" not in run(lmtrain, "tokenizer", "train", "--help"):
        print("training of WordPiece: not compared, lmtrain tokenizer train has no --kind")
        return
    theirs = wordpiece(numbered(SPECIAL), True)
    theirs.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=vocab_size, limit_alphabet=1000, special_tokens=SPECIAL, show_progress=False))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "text").mkdir()
        for i, text in enumerate(texts):
            (folder / "text" / f"{i:06}").write_text(text, newline="")
        output = str(folder / "tokenizer")
        run(lmtrain, "tokenizer", "train", output, str(folder / "text"), "--kind", "wordpiece",
            "--vocab-size", str(vocab_size))
        ours = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    counts = [sum(len(e.ids) for e in t.encode_batch_fast(texts, add_special_tokens=False)) for t in (ours, theirs)]
    print(f"training of WordPiece: {counts[0]:,} tokens, the package's vocabulary gives {counts[1]:,}")
    if ours.get_vocab_size() != theirs.get_vocab_size() or counts[0] / counts[1] > 1.01:
        yield "the vocabulary that lmtrain trains is not as good as the package's, WordPiece"
