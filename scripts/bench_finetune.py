#!/usr/bin/env python3
"""An epoch of fine-tuning: lmtrain against transformers' Trainer, in turn: bench_finetune.py LMTRAIN [--rounds N] ...

A model of BERT-base's shape with random weights learns three labels in bf16. `equal` texts all have as many tokens, so
that the batches are the same whatever their order. `natural` texts differ in length, and both sort them into batches of
about one length. Dropout and clipping are alike. The times are those of the steps, without the first two, and of the
whole epoch by the steps' median.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import tokenizers
import torch
import transformers

WORDS = [f"w{i}" for i in range(2000)]
LABELS = ["first", "second", "third"]
CONFIG = """
task: classification
run: {{name: epoch, dir: runs}}
model: {{init_from: base, dropout: 0.1, labels: {labels}}}
data: {{sources: [{{path: texts.jsonl}}], validation_fraction: 0.0, sequence_length: {length}}}
train: {{steps: {steps}, global_batch_size: {batch}, micro_batch_size: {batch}, precision: bf16, clip_grad_norm: 1.0}}
optimizer: {{lr: 5.0e-5, betas: [0.9, 0.999], weight_decay: 0}}
schedule: {{kind: linear, warmup_steps: 0, min_lr_ratio: 0}}
eval: {{interval: 0, samples: 0}}
checkpoint: {{interval: 0}}
"""


def make_base(folder, length):
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])])
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    config = transformers.BertConfig(vocab_size=30522, num_labels=len(LABELS), max_position_embeddings=max(512, length))
    torch.manual_seed(1)
    transformers.BertForSequenceClassification(config).save_pretrained(folder / "base")
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                         sep_token="[SEP]", mask_token="[MASK]").save_pretrained(folder / "base")


def write_texts(folder, kind, count, length):
    draws = random.Random(3)
    with open(folder / "texts.jsonl", "w") as file:
        for i in range(count):
            # Natural texts are as long as many short ones are: few fill the window.
            words = length - 2 if kind == "equal" else min(length - 2, 4 + int(draws.expovariate(1 / (length / 4))))
            text = " ".join(draws.choice(WORDS) for _ in range(words))
            file.write(json.dumps({"text": text, "label": LABELS[i % len(LABELS)]}) + "\n")


def time_lmtrain(program, folder, kind):
    subprocess.run(["rm", "-rf", "runs"], cwd=folder, check=True)
    run = subprocess.run([program, "epoch.yaml", f"data.labelled.group_by_length={'true' if kind == 'natural' else 'false'}"],
                         cwd=folder, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr[-3000:])
    lines = [json.loads(line) for line in (folder / "runs/epoch/metrics.jsonl").read_text().splitlines()]
    return [line["step_seconds"] for line in lines if "step_seconds" in line]


def trainer_steps(folder, kind, batch):
    """In this process: see --peer."""
    class Texts(torch.utils.data.Dataset):
        def __init__(self):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "base")
            lines = [json.loads(line) for line in open(folder / "texts.jsonl")]
            self.items = [dict(tokenizer(line["text"]), labels=LABELS.index(line["label"])) for line in lines]
            self.tokenizer = tokenizer

        def __len__(self):
            return len(self.items)

        def __getitem__(self, i):
            return self.items[i]

    class Clock(transformers.TrainerCallback):
        seconds, began = [], 0

        def on_step_begin(self, *_, **__):
            Clock.began = time.perf_counter()

        def on_step_end(self, *_, **__):
            Clock.seconds.append(time.perf_counter() - Clock.began)

    texts = Texts()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "base", dtype=torch.float32)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "theirs"), per_device_train_batch_size=batch, num_train_epochs=1, bf16=True, use_cpu=True,
        learning_rate=5e-5, report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
        optim="adamw_torch_fused",
        **({"train_sampling_strategy": "group_by_length"} if kind == "natural" else {}))
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=texts, callbacks=[Clock()],
                                   data_collator=transformers.DataCollatorWithPadding(texts.tokenizer, pad_to_multiple_of=8))
    trainer.train()
    print(json.dumps(Clock.seconds))


def time_trainer(folder, kind, batch):
    run = subprocess.run([sys.executable, __file__, "--peer", str(folder), kind, str(batch)], capture_output=True, text=True,
                         env=dict(os.environ, CUDA_VISIBLE_DEVICES=""))
    if run.returncode:
        sys.exit(run.stderr[-3000:])
    return json.loads(run.stdout.splitlines()[-1])


def main():
    if sys.argv[1:2] == ["--peer"]:
        return trainer_steps(pathlib.Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lmtrain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    a = parser.parse_args()
    program = str(pathlib.Path(a.lmtrain).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_base(folder, a.length)
        (folder / "epoch.yaml").write_text(CONFIG.format(labels=json.dumps(LABELS), length=a.length, batch=a.batch,
                                                         steps=a.texts // a.batch))
        for kind in ("equal", "natural"):
            write_texts(folder, kind, a.texts, a.length)
            ours, theirs = [], []
            for _ in range(a.rounds):
                ours.append(sum(time_lmtrain(program, folder, kind)[2:]))
                theirs.append(sum(time_trainer(folder, kind, a.batch)[2:]))
                print(f"{kind}: lmtrain {ours[-1]:.1f} s, Trainer {theirs[-1]:.1f} s", file=sys.stderr, flush=True)
            ratio = statistics.median(theirs) / statistics.median(ours)
            print(f"{kind} lengths, {a.texts // a.batch - 2} steps of {a.batch} texts of at most {a.length} tokens, bf16: "
                  f"lmtrain {statistics.median(ours):.1f} s, transformers' Trainer {statistics.median(theirs):.1f} s, "
                  f"{ratio:.2f} times", flush=True)


if __name__ == "__main__":
    main()
