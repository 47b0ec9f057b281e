#!/usr/bin/env python3
"""lmtrain's instruction tuning against TRL and transformers: check_instructions.py LMTRAIN

Chats of several turns, prompts with completions, and both as messages, written by the chat templates of known models:
the token ids, and which of them are learned, are those of TRL's SFTTrainer. Then ten steps of training in fp64 against
transformers on TRL's ids and labels, packed and padded: the losses are within 1e-9.
"""
import json
import pathlib
import random

from check_support import LINES, WORDS, run_checks

import datasets
import make_reference
import tokenizers
import torch
import transformers
import trl

TOLERANCE, POSITIONS, STEPS = 1e-9, 160, 10
TEMPLATES = pathlib.Path(trl.__file__).parent / "chat_templates"
# The templates that mark the answers, and of those without marks the ones in whose place TRL takes a template that
# marks the same: from the header of an answer to the end of its turn.
MARKED = ["qwen3_training", "qwen2_5_training", "llama3_training", "gemma_training", "phi3_training", "cohere_training"]
UNMARKED = ["llama3", "gemma", "phi3"]
SPECIAL = ["<|endoftext|>", "<bos>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>",
           "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
           "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>",
           "<|SYSTEM_TOKEN|>"]
CONFIG = """
task: instruction_tuning
run: {{name: {name}, dir: runs}}
model: {{init_from: {model}}}
data: {{sources: [{{path: {file}}}], validation_fraction: 0, sequence_length: {positions}, cache: cache{data}}}
train: {{steps: {steps}, global_batch_size: {samples}, micro_batch_size: {micro}, precision: fp64, clip_grad_norm: 0}}
optimizer: {{lr: 0.01, betas: [0.9, 0.999], eps: 1.0e-8, weight_decay: 0}}
schedule: {{kind: constant_then_decay, warmup_steps: 0, decay_fraction: 0}}
eval: {{interval: 0, samples: 0}}
checkpoint: {{interval: 0}}
"""
# Letters of several bytes, with a mark of their own, and what a tokenizer merges over a boundary.
ODD = ["née", "née", "你好", "🎉 ok", "a\n\nb", "  spaced  ", "<think>", "x" * 9]


def text(draws, least=1):
    return " ".join(draws.choice(WORDS + ODD) for _ in range(draws.randint(least, 7)))


def chats(seed, with_system):
    draws = random.Random(seed)
    lines = []
    for i in range(10):
        messages = [{"role": "system", "content": text(draws)}] if with_system and i % 3 == 0 else []
        for _ in range(draws.randint(1, 3)):
            messages += [{"role": "user", "content": text(draws)}, {"role": "assistant", "content": text(draws)}]
        if i % 4 == 3:
            messages.append({"role": "user", "content": text(draws)})
        lines.append({"messages": messages})
    return lines


def save_model(checks, name, template, normalizer=None):
    """A small Llama with random weights, and a byte-level tokenizer with the special tokens of the templates."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.normalizer = normalizer
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.train_from_iterator(LINES * 200, tokenizers.trainers.BpeTrainer(
        vocab_size=360, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|endoftext|>", bos_token="<bos>", pad_token="<|endoftext|>",
        model_max_length=POSITIONS)
    if template:
        tokenizer.chat_template = (TEMPLATES / f"{template}.jinja").read_text()
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=POSITIONS, bos_token_id=1, eos_token_id=0, pad_token_id=0)
    torch.manual_seed(7)
    model = transformers.LlamaForCausalLM(config).double()
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.1
    model.save_pretrained(checks.folder / name)
    tokenizer.save_pretrained(checks.folder / name)
    return model, tokenizer


def of_trl(checks, lines, model, tokenizer, assistant_only):
    trainer = trl.SFTTrainer(
        model=model, processing_class=tokenizer, train_dataset=datasets.Dataset.from_list(lines),
        args=trl.SFTConfig(output_dir=str(checks.folder / "trl"), assistant_only_loss=assistant_only, use_cpu=True,
                           max_length=POSITIONS, packing=False, report_to="none", bf16=False, save_strategy="no"))
    samples = [(one["input_ids"], one["labels"]) for one in trainer.train_dataset]
    return [(ids, [int(label != -100) for label in labels]) for ids, labels in samples]


def write_config(checks, name, model, lines, data="", samples=1, micro=1):
    checks.write(f"{name}.jsonl", lines)
    (checks.folder / f"{name}.yaml").write_text(CONFIG.format(
        name=name, model=model, file=f"{name}.jsonl", positions=POSITIONS, data=data, steps=STEPS, samples=samples,
        micro=micro))


def compare_masks(checks, name, template, lines, assistant_only, normalizer=None):
    model, tokenizer = save_model(checks, name, template, normalizer)
    theirs = of_trl(checks, lines, model, tokenizer, assistant_only)
    write_config(checks, name, name, lines)
    shown = checks.run("prepare", f"{name}.yaml", "--show", len(lines), "--json")
    ours = [(one["ids"], one["labels"]) for one in map(json.loads, shown.splitlines())]
    assert len(ours) == len(theirs), f"{name}: {len(ours)} samples, TRL has {len(theirs)}"
    for i, (mine, other) in enumerate(zip(ours, theirs)):
        assert mine[0] == other[0], f"{name}: other ids in sample {i}: {mine[0]}, {other[0]}"
        learned = [tokenizer.decode([token for token, mark in zip(*one) if mark]) for one in (mine, other)]
        assert mine[1] == other[1], f"{name}: other tokens are learned in sample {i}: {learned[0]!r}, {learned[1]!r}"
    count = sum(sum(marks) for _, marks in ours)
    print(f"{name}: {len(ours)} samples, {count} learned tokens of {sum(len(ids) for ids, _ in ours)} as TRL has them",
          flush=True)


def num_packs(lengths):
    """Best fit decreasing."""
    room = []
    for length in sorted(lengths, reverse=True):
        best = min((left for left in room if left >= length), default=None)
        if best is not None:
            room.remove(best)
        room.append((best if best is not None else POSITIONS) - length)
    return len(room)


def compare_training(checks, name, packs):
    model, tokenizer = save_model(checks, name, "llama3_training")
    lines = chats(3, with_system=True)
    samples = of_trl(checks, lines, model, tokenizer, assistant_only=True)
    count = num_packs([len(ids) for ids, _ in samples]) if packs else len(samples)
    write_config(checks, name, name, lines, f", labelled: {{pack: {'true' if packs else 'false'}}}", count,
                 count if count % 2 else count // 2)
    checks.run(f"{name}.yaml")
    width = max(len(ids) for ids, _ in samples)
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in samples])
    labels = torch.tensor([[token if mark else -100 for token, mark in zip(*one)] + [-100] * (width - len(one[0]))
                           for one in samples])
    is_real = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in samples])
    make_reference.in_fp64(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    theirs = []
    for _ in range(STEPS):
        logits = model(input_ids=ids, attention_mask=is_real).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    metrics = (checks.folder / f"runs/{name}/metrics.jsonl").read_text().splitlines()
    ours = [line["loss"] for line in map(json.loads, metrics) if "loss" in line]
    worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True))
    print(f"{name}: {count} sequences of {len(samples)} chats, losses of {STEPS} steps ({theirs[0]:.3f} to "
          f"{theirs[-1]:.3f}) differ by at most {worst:.2g}", flush=True)
    assert worst < TOLERANCE, name


def prepare(checks):
    for i, template in enumerate(MARKED + UNMARKED):
        with_system = not template.startswith("gemma")
        yield compare_masks, template, template, chats(i, with_system), True
    nfc = tokenizers.normalizers.NFC()
    yield compare_masks, "qwen3_nfc", "qwen3_training", chats(90, with_system=True), True, nfc
    draws = random.Random(4)
    plain = [{"prompt": text(draws), "completion": draws.choice(["", " "]) + text(draws)} for _ in range(20)]
    plain.append({"prompt": "it ends itself", "completion": " once<|endoftext|>"})
    yield compare_masks, "plain", None, plain, False
    messages = [{"prompt": chat["messages"][:-1], "completion": chat["messages"][-1:]} for chat in chats(5, True)
                if chat["messages"][-1]["role"] == "assistant"]
    yield compare_masks, "prompts_of_messages", "qwen2_5", messages, False
    yield compare_training, "packed", True
    yield compare_training, "padded", False


if __name__ == "__main__":
    run_checks(prepare)
