#!/usr/bin/env python3
"""lmtrain's training on labelled texts against transformers, in fp64: check_finetuning.py LMTRAIN

For each family and head a small random model of transformers is trained for ten steps by both, on the same texts, which
are all in each batch. The losses of the steps, and the logits of the trained model as lmtrain exports it, are within
1e-9; an answer is looked for among real tokens alone. The same with a part that is frozen, and with adapters against
peft. Then the measures of a validation are held against scikit-learn,
scipy, seqeval and the rules of SQuAD, on what lmtrain predict says of the same texts.
"""
import collections
import copy
import json
import random
import re
import string

from check_support import WORDS, run_checks

import make_reference
import peft
import reference_heads
import scipy.stats
import seqeval.metrics
import sklearn.metrics
import tokenizers
import torch
import transformers

TOLERANCE, POSITIONS, STEPS, SAMPLES = 1e-9, 64, 10, 12
TASKS = {"sequence": "classification", "regression": "regression", "token": "tagging", "answer": "question_answering"}
CONFIG = """
task: {task}
run: {{name: {name}, dir: runs}}
model: {{init_from: {model}}}
data: {{sources: [{{path: {file}}}], validation_fraction: 0.0, sequence_length: {positions}, cache: cache{data}}}
train: {{steps: {steps}, global_batch_size: {samples}, micro_batch_size: {micro}, precision: fp64, clip_grad_norm: 0}}
optimizer: {{lr: 0.01, betas: [0.9, 0.999], eps: 1.0e-8, weight_decay: 0}}
schedule: {{kind: constant_then_decay, warmup_steps: 0, decay_fraction: 0}}
eval: {{interval: 0}}
checkpoint: {{interval: 0}}
"""
LABELS = [f"kind {i}" for i in range(reference_heads.LABELS)]


def words(count, draws):
    return [draws.choice(WORDS) for _ in range(count)]


def labelled_texts(seed):
    """Lines for each head; texts of several lengths."""
    draws = random.Random(seed)
    lines = collections.defaultdict(list)
    for i in range(SAMPLES):
        text, pair = words(draws.randint(2, 9), draws), words(draws.randint(1, 7), draws)
        lines["sequence"].append({"text": " ".join(text), "pair": " ".join(pair), "label": LABELS[i % len(LABELS)]})
        lines["regression"].append({"text": " ".join(text), "pair": " ".join(pair), "label": draws.uniform(-2, 2)})
        lines["token"].append({"tokens": text, "tags": [draws.choice(LABELS) for _ in text]})
        start = draws.randrange(len(text))
        answer = " ".join(text[start:start + draws.randint(1, 2)])
        begin = len(" ".join(text[:start])) + (start > 0)
        lines["answer"].append({"question": " ".join(pair), "context": " ".join(text),
                                "answers": {"text": [answer], "answer_start": [begin]}})
    return lines


def encoded(tokenizer, first, second=None):
    one = tokenizer.encode(first, second) if second else tokenizer.encode(first)
    return one.ids, one.type_ids


def batch_of(tokenizer, lines, head, padding, byte_level):
    """ids, type ids, real tokens and targets, padded at the right."""
    samples = []
    for line in lines:
        if head == "token":
            ids, labels = [], []
            for i, word in enumerate(line["tokens"]):
                piece = tokenizer.encode((" " if i and byte_level else "") + word, add_special_tokens=False).ids
                ids += piece
                labels += [LABELS.index(line["tags"][i])] + [-100] * (len(piece) - 1)
            # [CLS] and [SEP] where the tokenizer puts them around a text.
            begin, end = [], []
            if tokenizer.post_processor is not None:
                around = tokenizer.encode("").ids
                begin, end = around[:1], around[1:]
            samples.append((begin + ids + end, None, [-100] * len(begin) + labels + [-100] * len(end)))
        elif head == "answer":
            ids, types = encoded(tokenizer, line["question"], line["context"])
            one = tokenizer.encode(line["question"], line["context"])
            begin = line["answers"]["answer_start"][0]
            end = begin + len(line["answers"]["text"][0])
            inside = [i for i, (sequence, span) in enumerate(zip(one.sequence_ids, one.offsets))
                      if sequence == 1 and span[0] < end and span[1] > begin]
            samples.append((ids, types, [inside[0], inside[-1]]))
        else:
            ids, types = encoded(tokenizer, line["text"], line["pair"])
            samples.append((ids, types, line["label"] if head == "regression" else LABELS.index(line["label"])))
    width = max(len(ids) for ids, _, _ in samples)
    pad = lambda values, filler: list(values) + [filler] * (width - len(values))
    ids = torch.tensor([pad(ids, padding) for ids, _, _ in samples])
    types = torch.tensor([pad(types or [0] * len(ids), 0) for ids, types, _ in samples])
    is_real = torch.tensor([pad([1] * len(ids), 0) for ids, _, _ in samples]).bool()
    if head == "token":
        targets = {"labels": torch.tensor([pad(target, -100) for _, _, target in samples])}
    elif head == "answer":
        targets = {"start_positions": torch.tensor([target[0] for _, _, target in samples]),
                   "end_positions": torch.tensor([target[1] for _, _, target in samples])}
    else:
        kind = torch.float64 if head == "regression" else torch.long
        targets = {"labels": torch.tensor([target for _, _, target in samples], dtype=kind)}
    return ids, types, is_real, targets


def logits_of(model, head, ids, types, is_real):
    given = {"input_ids": ids, "attention_mask": is_real.long()}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        given["token_type_ids"] = types
    out = model(**given)
    return torch.stack([out.start_logits, out.end_logits], -1) if head == "answer" else out.logits


def unit_of(name, num_layers):
    """0 for the embedding, then the blocks, then the head."""
    if block := re.search(r"\b(?:layer|layers|h)\.(\d+)\.", name):
        return int(block[1]) + 1
    return 0 if re.search("embed|wte|wpe", name) else num_layers + 1


def train(model, head, batch, num_frozen, decay):
    """Without updates of the lowest units, and at lower rates for lower ones."""
    ids, types, is_real, targets = batch
    layers = model.config.num_hidden_layers
    units = [(unit_of(name, layers), parameter) for name, parameter in model.named_parameters()]
    groups = [{"params": [parameter], "lr": 0.01 * decay ** (layers + 1 - unit)} for unit, parameter in units
              if unit >= num_frozen]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    losses = []
    for _ in range(STEPS):
        loss = reference_heads.loss_of(head, logits_of(model, head, ids, types, is_real), targets, is_real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def prepare_training(checks, name, head, model, tokenizer_name):
    """Writes the model with random weights, the texts and the config; returns the batch of all texts."""
    torch.manual_seed(len(name))
    model = model.double()
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.1
    model.save_pretrained(checks.folder / name)
    tokenizer = tokenizers.Tokenizer.from_file(str(checks.folder / tokenizer_name / "tokenizer.json"))
    tokenizer.save(str(checks.folder / name / "tokenizer.json"))
    lines = labelled_texts(len(name))[head]
    checks.write(f"{name}.jsonl", lines)
    data = ", labelled: {pair: pair}" if head in ("sequence", "regression") else ""
    micro = 4 if "bert" in name else SAMPLES
    (checks.folder / f"{name}.yaml").write_text(CONFIG.format(
        task=TASKS[head], name=name, model=name, file=f"{name}.jsonl", positions=POSITIONS, data=data, steps=STEPS,
        samples=SAMPLES, micro=micro))
    padding = tokenizer.token_to_id("[PAD]") or 0
    return batch_of(tokenizer, lines, head, padding, tokenizer_name == "bpe")


def losses_of(checks, name):
    lines = [json.loads(line) for line in (checks.folder / f"runs/{name}/metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def compare_adapters(checks, name, head, model, tokenizer_name):
    """Adapters of low rank against the peft package: training, its folder read and written, and merged weights."""
    batch = prepare_training(checks, name, head, model, tokenizer_name)
    layers = {"bert": ["query", "value", "attention.output.dense", "intermediate.dense"], "gpt2": ["c_attn", "c_fc"],
              "llam": ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]}[name[:4]]
    kind = peft.TaskType.SEQ_CLS if head == "sequence" else peft.TaskType.TOKEN_CLS
    # Each kind of bias and scaling once.
    bias = {"bert": "all", "gpt2": "lora_only", "llam": "none"}[name[:4]]
    adapted = peft.get_peft_model(copy.deepcopy(model), peft.LoraConfig(
        task_type=kind, modules_to_save=["pooler"] if name == "bert_sequence_adapted" else None, r=3, lora_alpha=6, lora_dropout=0.0, target_modules=layers, bias=bias,
        use_rslora=name.startswith("llama"), fan_in_fan_out=name.startswith("gpt2")))
    for key, parameter in adapted.named_parameters():
        if "lora_" in key:
            parameter.data = torch.randn_like(parameter).double() * 0.1
    adapted = adapted.double()
    adapted.save_pretrained(checks.folder / f"{name}.adapter")
    make_reference.in_fp64(adapted.base_model.model)
    checks.run(f"{name}.yaml", f"lora.init_from={name}.adapter", "lora.rank=3")
    ids, types, is_real, targets = batch
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=0.01, betas=(0.9, 0.999),
                                  eps=1e-8, weight_decay=0)
    theirs = []
    for _ in range(STEPS):
        loss = reference_heads.loss_of(head, logits_of(adapted.train(), head, ids, types, is_real), targets, is_real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(losses_of(checks, name), theirs, strict=True))
    checks.run("export", f"runs/{name}", f"{name}.trained", "--adapter", "--type", "float64")
    checks.run("export", f"runs/{name}", f"{name}.merged", "--type", "float64")
    base = type(model).from_pretrained(checks.folder / name, dtype=torch.float64)
    loaded = peft.PeftModel.from_pretrained(base, checks.folder / f"{name}.trained").double()
    make_reference.in_fp64(loaded.base_model.model)
    merged = type(model).from_pretrained(checks.folder / f"{name}.merged", dtype=torch.float64)
    make_reference.in_fp64(merged)
    real = is_real if head == "token" else torch.ones(SAMPLES).bool()
    with torch.no_grad():
        wanted = logits_of(adapted.eval(), head, ids, types, is_real)[real]
        apart = [(logits_of(one.eval(), head, ids, types, is_real)[real] - wanted).abs().max().item()
                 for one in (loaded, merged)]
    print(f"{name}: losses of {STEPS} steps differ by at most {worst:.2g}, logits by peft of the exported adapters by "
          f"{apart[0]:.2g}, of the merged weights by {apart[1]:.2g}", flush=True)
    assert worst < TOLERANCE and max(apart) < TOLERANCE, name


def compare_training(checks, name, head, model, tokenizer_name, num_frozen=0, decay=1.0):
    batch = prepare_training(checks, name, head, model, tokenizer_name)
    frozen = ["embedding.*"][:num_frozen] + [f"blocks.{i}.*" for i in range(num_frozen - 1)]
    checks.run(f"{name}.yaml", f"train.freeze={json.dumps(frozen)}", f"optimizer.layer_decay={decay}")
    ours = losses_of(checks, name)
    make_reference.in_fp64(model)
    # Dropout is off in these configs, and training mode changes nothing else.
    theirs = train(model.train(), head, batch, num_frozen, decay)
    worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True))
    checks.run("export", f"runs/{name}", f"{name}.exported", "--type", "float64")
    exported = type(model).from_pretrained(checks.folder / f"{name}.exported", dtype=torch.float64)
    make_reference.in_fp64(exported)
    with torch.no_grad():
        mine = logits_of(exported, head, *batch[:3])
        other = logits_of(model, head, *batch[:3])
    real = batch[2] if head in ("token", "answer") else torch.ones(SAMPLES).bool()
    difference = (mine - other)[real].abs().max().item()
    print(f"{name}: losses of {STEPS} steps differ by at most {worst:.2g}, logits by {difference:.2g}", flush=True)
    assert worst < TOLERANCE and difference < 1e-8, f"{name}: {ours} against {theirs}"


def normalised(text):
    text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def answer_f1(predicted, known):
    a, b = normalised(predicted).split(), normalised(known).split()
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return float(a == b) if not a or not b else 2 * same / (len(a) + len(b))


def measured(checks, name):
    lines = [json.loads(line) for line in (checks.folder / f"runs/{name}/metrics.jsonl").read_text().splitlines()]
    return next(line for line in reversed(lines) if line.get("task") == "validation")


def compare_measures(checks, task, head):
    """On texts whose labels are drawn, so that all kinds of mistakes are made."""
    draws = random.Random(7)
    lines = [line for seed in range(20) for line in labelled_texts(seed + 100)[head]]
    if head == "token":
        for line in lines:
            line["tags"] = [draws.choice(["O", "O", "B-A", "I-A", "B-B", "I-B"]) for _ in line["tokens"]]
    if head == "sequence":
        for line in lines:
            line["label"] = draws.choice(["no", "yes"])
    if head == "answer":
        for line in lines[::5]:
            line["answers"] = []
    name = f"measures-{head}"
    checks.write("measured.jsonl", lines)
    checks.write("few.jsonl", lines[:48])
    pair = ", labelled: {pair: pair, held_out: [measured.jsonl]}" if head in ("sequence", "regression") else \
        ", labelled: {held_out: [measured.jsonl]}"
    text = CONFIG.format(task=task, name=name, model=f"bert_{head}", file="few.jsonl", positions=POSITIONS, data=pair, steps=60,
                         samples=12, micro=4).replace("validation_fraction: 0.0, ", "")
    if head in ("sequence", "token"):
        known = ["no", "yes"] if head == "sequence" else ["O", "B-A", "I-A", "B-B", "I-B"]
        text = text.replace("model: {", f"model: {{labels: {json.dumps(known)}, ")
    (checks.folder / "measured.yaml").write_text(text)
    checks.run("measured.yaml")
    ours = measured(checks, name)
    asked = [{"text": line.get("text") or line.get("question") or " ".join(line["tokens"]),
              **({"pair": line["context"]} if head == "answer" else {"pair": line["pair"]} if "pair" in line else {})}
             for line in lines]
    checks.write("asked.jsonl", asked)
    words = ["--no-answer"] if head == "answer" else []
    said = [json.loads(line) for line in checks.run("predict", f"runs/{name}", "--texts", "asked.jsonl", *words).splitlines()]
    if head == "sequence":
        truth, found = [line["label"] for line in lines], [one["label"] for one in said]
        theirs = {"accuracy": sklearn.metrics.accuracy_score(truth, found),
                  "f1": sklearn.metrics.f1_score(truth, found, pos_label="yes"),
                  "f1_macro": sklearn.metrics.f1_score(truth, found, average="macro"),
                  "f1_micro": sklearn.metrics.f1_score(truth, found, average="micro"),
                  "matthews": sklearn.metrics.matthews_corrcoef(truth, found)}
    elif head == "regression":
        truth, found = [line["label"] for line in lines], [one["value"] for one in said]
        theirs = {"pearson": scipy.stats.pearsonr(truth, found).statistic,
                  "spearman": scipy.stats.spearmanr(truth, found).statistic,
                  "mean_squared_error": sklearn.metrics.mean_squared_error(truth, found)}
    elif head == "token":
        found = [[word["label"] for word in one["words"]] for one in said]
        spans = [seqeval.metrics.sequence_labeling.get_entities(tags) for tags in found]
        assert spans == [[(span["label"], span["first"], span["last"]) for span in one["spans"]] for one in said], "spans"
        truth = [line["tags"] for line in lines]
        theirs = {"span_f1": seqeval.metrics.f1_score(truth, found), "accuracy": seqeval.metrics.accuracy_score(truth, found),
                  "span_precision": seqeval.metrics.precision_score(truth, found),
                  "span_recall": seqeval.metrics.recall_score(truth, found)}
    else:
        exact, f1 = [], []
        for line, one in zip(lines, said, strict=True):
            known = line["answers"]["text"] if line["answers"] else [""]
            found = one["answer"]
            assert found == line["context"][one["begin"]:one["end"]], "an answer stands elsewhere than is said"
            exact.append(max(normalised(found) == normalised(answer) for answer in known))
            f1.append(max(answer_f1(found, answer) for answer in known))
        theirs = {"exact_match": sum(exact) / len(exact), "answer_f1": sum(f1) / len(f1)}
    for key, value in theirs.items():
        assert abs(ours[key] - value) < 1e-9, f"{task}: {key} is {ours[key]}, expected {value}"
    print(f"{task}: {', '.join(f'{key} {value:.4f}' for key, value in theirs.items())} as expected", flush=True)


def prepare(checks):
    sizes = {name: tokenizers.Tokenizer.from_file(str(checks.folder / name / "tokenizer.json")).get_vocab_size()
             for name in ("wordpiece", "bpe")}
    torch.set_num_threads(2)
    for tokenizer_name, wanted in (("wordpiece", ("bert_", "distilbert_")), ("bpe", ("gpt2_", "llama_"))):
        for name, head, model in reference_heads.models(sizes[tokenizer_name], POSITIONS):
            if name.startswith(wanted):
                yield compare_training, name, head, model, tokenizer_name
                if head == "sequence":  # the embedding stays, the block learns more slowly than the head
                    yield compare_training, f"{name}_in_part", head, model, tokenizer_name, 1, 0.7
                if head in ("sequence", "token") and not name.startswith("distil"):
                    yield compare_adapters, f"{name}_adapted", head, model, tokenizer_name
    for head, task in TASKS.items():
        yield compare_measures, task, head


if __name__ == "__main__":
    run_checks(prepare)
