#!/usr/bin/env python3
"""lmtrain eval against computations of its own kind in PyTorch and against lm-evaluation-harness, on the same weights.

    check_evaluation.py LMTRAIN

The models are small and random and compute in fp32. Of two decoders each makes both sides agree on how a text begins.
The tokenizer of gpt2 puts nothing before a text: lmtrain has no start token, the harness adds none, and the first token
has no score. The tokenizer of llama puts <s> there by its template: lmtrain takes it for the start token, the harness
gets it from the exported tokenizer. An empty context is left to llama: without a start token lmtrain has no score for a
first token, where the harness puts the end token before it. The package accelerate is needed by the harness.
"""
import contextlib
import difflib
import io
import json
import math
import random

from check_support import WORDS, run_checks, text_of

import datasets
import lm_eval
import lm_eval.api.task
import numpy
import tokenizers
import torch
import transformers

TOLERANCE, POSITIONS = 1e-4, 128
WINDOWS = [(0, 0), (64, 16), (33, 32), (128, 100), (9, 5)]


def equal(one, other, what, tolerance=TOLERANCE):
    assert math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance), f"{what}: {one}, expected {other}"


def evaluate(checks, name, file, task, *words):
    """The numbers, and how each item went."""
    numbers = json.loads(checks.run("eval", name + ".checkpoint", file, "--task", task, "--items", "items", *words))
    return numbers, [json.loads(line) for line in (checks.folder / "items").read_text().splitlines()]


def make_models(checks):
    """Name -> model and tokenizer of the folder that lmtrain exports."""
    # <|endoftext|> has the id 0, and the llama's own <s> the last one.
    begins = tokenizers.Tokenizer.from_file(str(checks.folder / "bpe/tokenizer.json"))
    begins.add_special_tokens(["<s>"])
    begins.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", start := begins.token_to_id("<s>"))])
    (checks.folder / "begins").mkdir()
    begins.save(str(checks.folder / "begins/tokenizer.json"))
    size = {kind: tokenizers.Tokenizer.from_file(str(checks.folder / kind / "tokenizer.json")).get_vocab_size()
            for kind in ("bpe", "begins", "wordpiece")}
    models = {
        "gpt2": ("bpe", transformers.GPT2LMHeadModel(transformers.GPT2Config(
            vocab_size=size["bpe"], n_positions=POSITIONS, n_embd=64, n_layer=2, n_head=4, bos_token_id=0,
            eos_token_id=0))),
        "llama": ("begins", transformers.LlamaForCausalLM(transformers.LlamaConfig(
            vocab_size=size["begins"], max_position_embeddings=POSITIONS, hidden_size=64, intermediate_size=96,
            num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, bos_token_id=start, eos_token_id=0))),
        "bert": ("wordpiece", transformers.BertForMaskedLM(transformers.BertConfig(
            vocab_size=size["wordpiece"], max_position_embeddings=POSITIONS, hidden_size=64, intermediate_size=96,
            num_hidden_layers=2, num_attention_heads=4)))}
    result = {}
    for name, (kind, model) in models.items():
        torch.manual_seed(len(name))
        for parameter in model.parameters():  # norms keep their weights about 1, so that a text depends on its prompt
            parameter.data = torch.randn_like(parameter) * 0.15 + (parameter.dim() == 1 and float(parameter.data[0]))
        if name != "bert":  # some texts that are written come to a line break
            letters = tokenizers.Tokenizer.from_file(str(checks.folder / kind / "tokenizer.json"))
            model.get_output_embeddings().weight.data[letters.token_to_id("Ċ")] *= 1.5
        model.eval().save_pretrained(checks.folder / name)
        (checks.folder / name / "tokenizer.json").write_bytes((checks.folder / kind / "tokenizer.json").read_bytes())
        checks.run("import", name, name + ".checkpoint")
        checks.run("export", name + ".checkpoint", name + ".out")
        result[name] = model, transformers.AutoTokenizer.from_pretrained(checks.folder / (name + ".out"))
    assert result["gpt2"][1]("a")["input_ids"][0] != 0 and result["llama"][1]("a")["input_ids"][0] == start
    return result


@torch.no_grad()
def log_probabilities(model, ids):
    """Of each token of a text but the first, given all before it."""
    ids = torch.tensor([ids])
    return model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0].double()


def sliding_window(model, ids, window, stride):
    """Sum over the tokens and their number, as in transformers' "Perplexity of fixed-length models"."""
    total, count, previous_end = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        scores = log_probabilities(model, ids[begin:end])[-(end - previous_end):]
        total, count, previous_end = total + float(scores.sum()), count + len(scores), end
        if end == len(ids):
            break
    return total, count


def check_perplexity(checks, models):
    texts = [text_of(words, words) for words in (60, 3, 40)] + ["größer als 你好 😀\n" * 2, "x"]
    (checks.folder / "long.txt").write_text("\n".join(texts))
    checks.write("texts.jsonl", [{"text": text, "note": 1} for text in texts])
    for name in ("gpt2", "llama"):
        model, tokenizer = models[name]
        for file, parts in (("long.txt", ["\n".join(texts)]), ("texts.jsonl", texts)):
            for window, stride in WINDOWS:
                numbers, _ = evaluate(checks, name, file, "perplexity", "--window", window, "--stride", stride)
                window, stride = window or POSITIONS, stride or POSITIONS // 2
                sums = [sliding_window(model, tokenizer(part)["input_ids"], window, stride) for part in parts]
                total, count = sum(s for s, _ in sums), sum(n for _, n in sums)
                where = f"{name}, {file}, {window}/{stride}"
                num_bytes = sum(len(part.encode()) for part in parts)
                assert (numbers["window"], numbers["stride"]) == (window, stride), f"{where}: another window"
                assert numbers["tokens"] == count, f"{where}: {numbers['tokens']} tokens, expected {count}"
                assert numbers["bytes"] == num_bytes, f"{where}: {numbers['bytes']} bytes, expected {num_bytes}"
                equal(numbers["loss"], -total / count, f"{where}: loss")
                equal(numbers["perplexity"], math.exp(-total / count), f"{where}: perplexity")
                equal(numbers["bits_per_byte"], -total / math.log(2) / num_bytes, f"{where}: bits per byte")
        print(f"perplexity: {name} is equal for {len(WINDOWS)} windows, one text and {len(texts)}")


def choice_items(name):
    items = []
    for number in range(40):
        draw = random.Random(number)
        choices = [text_of(draw.randint(1, 5), 100 * number + i) for i in range(draw.randint(2, 5))]
        items.append({"context": text_of(draw.randint(1, 12), number), "choices": choices,
                      "answer": draw.randrange(len(choices))})
    for number, context in enumerate(["ends with a space ", "two spaces  ", "a line break\n", "你好，世界。", "é 😀",
                                      text_of(200, 1), text_of(150, 2) + " "]):
        items[number]["context"] = context
    items[7]["choices"][0] = "世界 größer"
    if name == "llama":
        items[8]["context"] = ""
    return items


def harness(checks, name, file):
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]
    data = {"data_files": {"test": str(checks.folder / file)}, "cache_dir": str(checks.folder / "cache")}
    task = lm_eval.api.task.ConfigurableTask(config={
        "task": "choices", "dataset_path": "json", "dataset_kwargs": data, "test_split": "test",
        "output_type": "multiple_choice", "target_delimiter": " ", "metric_list": metrics,
        "doc_to_text": lambda doc: doc["context"], "doc_to_choice": lambda doc: doc["choices"],
        "doc_to_target": lambda doc: doc["answer"]})
    with contextlib.redirect_stderr(io.StringIO()):  # it shows progress and notes of its own
        found = lm_eval.simple_evaluate(
            model="hf", model_args={"pretrained": str(checks.folder / (name + ".out")), "dtype": "float32"},
            device="cpu", tasks=[task], batch_size=8, log_samples=True)
    samples = sorted(found["samples"]["choices"], key=lambda sample: sample["doc_id"])
    return found["results"]["choices"], [[one[0] for one in sample["filtered_resps"]] for sample in samples]


def compare_choices(checks, name, items):
    checks.write("choices.jsonl", items)
    theirs, expected = harness(checks, name, "choices.jsonl")
    # An answer may be given by its text, too.
    checks.write("named.jsonl", [item | {"answer": item["choices"][item["answer"]]} if number % 3 == 0 else item
                                 for number, item in enumerate(items)])
    numbers, ours = evaluate(checks, name, "named.jsonl", "choice")
    assert numbers["items"] == len(items) == len(ours) == len(expected)
    worst = 0.0
    for number, (one, scores) in enumerate(zip(ours, expected)):
        off = max(abs(a - b) for a, b in zip(one["log_probabilities"], scores, strict=True))
        assert off < 1e-3, f"{name}, item {number} {items[number]}: {one['log_probabilities']}, expected {scores}"
        assert one["chosen"] == int(numpy.argmax(scores)), f"{name}, item {number}: another choice"
        assert one["answer"] == items[number]["answer"], f"{name}, item {number}: another answer"
        worst = max(worst, off)
    for key, metric in (("accuracy", "acc"), ("normalised_accuracy", "acc_norm")):
        equal(numbers[key], theirs[metric + ",none"], f"{name}: {key}")
        equal(numbers[key + "_stderr"], theirs[metric + "_stderr,none"], f"{name}: its standard error")
        low, high = numbers[key + "_interval"]
        assert low <= numbers[key] <= high, f"{name}: {key} is outside of its interval"
    return worst, numbers


def check_choice(checks, models):
    for name in ("gpt2", "llama"):
        worst, numbers = compare_choices(checks, name, choice_items(name))
        print(f"choice: {name} has the harness's accuracies {numbers['accuracy']:.3f} and "
              f"{numbers['normalised_accuracy']:.3f}; log-likelihoods differ by at most {worst:.2g}")


def check_other_spaces(checks, models):
    """All that Python takes for space at the end of a context belongs to the continuation."""
    contexts = [f"all that he had seen{space}" for space in ("\r\n", "\u3000", "\u00a0", "\v", "\f", "\u2028", "\x1f")]
    worst, _ = compare_choices(checks, "gpt2", [
        {"context": context, "choices": ["the house", "no other"], "answer": 1} for context in contexts])
    print(f"choice: log-likelihoods behind other kinds of space differ by at most {worst:.2g}")


def check_share(numbers, scores, what):
    items = [1.0 if first > second else 0.5 if first == second else 0.0 for first, second in scores]
    equal(numbers["preferred"], numpy.mean(items), f"{what}: share")
    assert numbers["pairs"] == len(items), f"{what}: another number of pairs"
    assert numbers["ties"] == items.count(0.5), f"{what}: another number of ties"
    low, high = numbers["interval"]
    assert low <= numbers["preferred"] <= high, f"{what}: {numbers['preferred']} is outside of {low} to {high}"
    means = numpy.random.default_rng(1).choice(items, (10000, len(items))).mean(1)
    for ours, theirs in zip((low, high), numpy.percentile(means, (2.5, 97.5))):
        assert abs(ours - theirs) <= 0.02, f"{what}: interval {low} to {high}, expected an end at {theirs}"


def compare_pairs(numbers, ours, expected, groups, what):
    for number, (one, scores) in enumerate(zip(ours, expected, strict=True)):
        for key, score in zip(("first", "second"), scores):
            equal(one[key], score, f"{what}, pair {number}, {key}")
    check_share(numbers, [(one["first"], one["second"]) for one in ours], what)
    for group in set(groups):
        assert [one["group"] for one in ours] == groups, f"{what}: other groups"
        inside = [(one["first"], one["second"]) for one in ours if one["group"] == group]
        equal(numbers["groups"][group]["preferred"], numpy.mean([a > b for a, b in inside]), f"{what}, {group}")


def check_grammar(checks, models):
    items = [{"sentence_good": text_of(4 + i % 9, i), "sentence_bad": text_of(4 + i % 7, 100 + i),
              "UID": f"kind {i % 3}", "pairID": str(i)} for i in range(64)]
    checks.write("blimp.jsonl", items)
    for name in ("gpt2", "llama"):
        model, tokenizer = models[name]
        expected = [[float(log_probabilities(model, tokenizer(item[key])["input_ids"]).sum())
                     for key in ("sentence_good", "sentence_bad")] for item in items]
        numbers, ours = evaluate(checks, name, "blimp.jsonl", "pairs")
        compare_pairs(numbers, ours, expected, [item["UID"] for item in items], f"BLiMP, {name}")
        print(f"pairs: {name} has the log-likelihoods of {len(items)} pairs of BLiMP's form; "
              f"share {numbers['preferred']:.3f}")


@torch.no_grad()
def shared_scores(model, tokenizer, sentences):
    """As the script of CrowS-Pairs finds them: [CLS] and [SEP] take part in the matching and have no score."""
    ids = [tokenizer(sentence)["input_ids"] for sentence in sentences]
    codes = difflib.SequenceMatcher(None, *ids).get_opcodes()
    equal_codes = [code for code in codes if code[0] == "equal"]
    scores = []
    for text, begin, end in ((ids[0], 1, 2), (ids[1], 3, 4)):
        places = torch.tensor([place for code in equal_codes for place in range(code[begin], code[end])][1:-1])
        rows = torch.arange(len(places))
        copies = torch.tensor(text).repeat(len(places), 1)
        copies[rows, places] = tokenizer.mask_token_id
        logits = model(copies).logits[rows, places].log_softmax(-1)
        scores.append(float(logits.gather(1, torch.tensor(text)[places, None]).sum()))
    return scores


def check_stereotypes(checks, models):
    items = []
    for number in range(64):
        draw, words = random.Random(number), text_of(6 + number % 8, number).split()
        changed = list(words)
        for _ in range(draw.randint(1, 3)):  # words are replaced, and some more come in
            place = draw.randrange(len(changed))
            changed[place:place + draw.randint(0, 1)] = draw.choices(WORDS, k=draw.randint(1, 2))
        items.append({"sent_more": " ".join(words), "sent_less": " ".join(changed), "bias_type": f"type {number % 4}",
                      "stereo_antistereo": "stereo"})
    checks.write("crows.jsonl", items)
    model, tokenizer = models["bert"]
    expected = [shared_scores(model, tokenizer, (item["sent_more"], item["sent_less"])) for item in items]
    numbers, ours = evaluate(checks, "bert", "crows.jsonl", "pairs")
    assert numbers["tokens"] == "shared"
    compare_pairs(numbers, ours, expected, [item["bias_type"] for item in items], "CrowS-Pairs, bert")
    print(f"pairs: bert has the pseudo-log-likelihoods of {len(items)} pairs of CrowS-Pairs' form; "
          f"share {numbers['preferred']:.3f}, interval {numbers['interval'][0]:.3f} to {numbers['interval'][1]:.3f}")


def check_generation(checks, models):
    for name in ("gpt2", "llama"):
        model, tokenizer = models[name]
        prompts, texts, num_stopped = [text_of(1 + i % 9, i) for i in range(24)], [], 0
        for prompt in prompts:
            ids = torch.tensor([tokenizer(prompt)["input_ids"]])
            new = model.generate(ids, do_sample=False, max_new_tokens=20, eos_token_id=0, pad_token_id=0,
                                 stop_strings=["\n"], tokenizer=tokenizer)[0, ids.shape[1]:]
            text = tokenizer.decode(new, skip_special_tokens=True)
            num_stopped += "\n" in text
            texts.append(text.split("\n")[0].strip())
        assert 0 < num_stopped < len(prompts), f"{name}: {num_stopped} of {len(prompts)} texts come to a line break"
        right = [number % 3 != 0 for number in range(len(prompts))]
        checks.write("questions.jsonl", [
            {"prompt": prompt, "answers": ["none", f" {text}\n" if is_right else text + " not"]} if number % 2 else
            {"prompt": prompt, "answer": text if is_right else "not " + text}
            for number, (prompt, text, is_right) in enumerate(zip(prompts, texts, right))])
        numbers, ours = evaluate(checks, name, "questions.jsonl", "generate", "--max-new-tokens", 20)
        for number, (one, text) in enumerate(zip(ours, texts, strict=True)):
            assert one["text"] == text, f"{name}, prompt {number}: {one['text']!r}, expected {text!r}"
            assert one["is_exact"] == right[number], f"{name}, prompt {number}: is_exact is {one['is_exact']}"
        equal(numbers["exact_match"], numpy.mean(right), f"{name}: exact match")
        print(f"generate: {name} writes transformers' {len(texts)} texts, {num_stopped} of them up to a line break")


def prepare(checks):
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    models = make_models(checks)
    for check in (check_perplexity, check_choice, check_other_spaces, check_grammar, check_stereotypes,
                  check_generation):
        yield check, models


run_checks(prepare)
