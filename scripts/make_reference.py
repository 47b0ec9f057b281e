#!/usr/bin/env python3
"""The reference for lmtrain's models: GPT-2 of the transformers package on PyTorch, random weights, a few tokens.

  make_reference.py FOLDER            writes FOLDER/gpt2.json: weights, input, logits, loss, gradients, ten AdamW steps
  make_reference.py --check FOLDER    computes all afresh and compares with the committed FOLDER

Everything is computed in fp64, so that the fixture is exact to the digits it stores; tests run lmtrain in fp64 and fp32
against it.
"""
import json
import pathlib
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

LAYERS, HEADS, WIDTH, POSITIONS, VOCAB = 2, 2, 16, 12, 37
SAMPLES, LENGTH, STEPS = 3, 10, 10
LR, BETAS, EPS, DECAY, CLIP = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0


def lmtrain_names(layer):
    """lmtrain's name, transformers' name, whether transformers stores the transpose."""
    ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
    return [
        (f"{ours}.attention.norm", f"{theirs}.ln_1", False),
        (f"{ours}.attention.qkv", f"{theirs}.attn.c_attn", True),
        (f"{ours}.attention.output", f"{theirs}.attn.c_proj", True),
        (f"{ours}.feed_forward.norm", f"{theirs}.ln_2", False),
        (f"{ours}.feed_forward.up", f"{theirs}.mlp.c_fc", True),
        (f"{ours}.feed_forward.down", f"{theirs}.mlp.c_proj", True),
    ]


def name_map():
    names = [
        ("embedding.token.weight", "transformer.wte.weight", False),
        ("embedding.position.weight", "transformer.wpe.weight", False),
        ("head.norm.weight", "transformer.ln_f.weight", False),
        ("head.norm.bias", "transformer.ln_f.bias", False),
    ]
    for layer in range(LAYERS):
        for ours, theirs, transposed in lmtrain_names(layer):
            names.append((f"{ours}.weight", f"{theirs}.weight", transposed))
            names.append((f"{ours}.bias", f"{theirs}.bias", False))
    return names


def flat(tensor, transposed):
    tensor = tensor.t() if transposed else tensor
    return [float(f"{x:.15g}") for x in tensor.detach().reshape(-1).tolist()]


def tensors(model, of):
    parameters = dict(model.named_parameters())
    return {ours: flat(of(parameters[theirs]), transposed) for ours, theirs, transposed in name_map()}


def loss_of(model, ids, labels, weights):
    logits = model(ids).logits
    losses = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCAB), labels.reshape(-1), reduction="none")
    return logits, (losses * weights.reshape(-1)).sum() / weights.sum()


def compute():
    torch.manual_seed(20)
    torch.set_default_dtype(torch.float64)
    config = GPT2Config(vocab_size=VOCAB, n_positions=POSITIONS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    model = GPT2LMHeadModel(config).double()
    for parameter in model.parameters():  # no zeros and ones: every weight must matter
        parameter.data = torch.randn_like(parameter) * 0.2
    model.train()
    tokens = torch.randint(0, VOCAB, (SAMPLES, LENGTH + 1))
    ids, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    weights = torch.ones(SAMPLES, LENGTH)
    weights[0, 7:] = 0.0  # samples hold unequal numbers of valid tokens

    reference = {"layers": LAYERS, "heads": HEADS, "width": WIDTH, "positions": POSITIONS, "vocab": VOCAB,
                 "samples": SAMPLES, "length": LENGTH, "lr": LR, "betas": BETAS, "eps": EPS, "decay": DECAY,
                 "clip": CLIP, "ids": ids.reshape(-1).tolist(), "labels": labels.reshape(-1).tolist(),
                 "weights": weights.reshape(-1).tolist(), "parameters": tensors(model, lambda p: p)}
    logits, loss = loss_of(model, ids, labels, weights)
    loss.backward()
    reference["logits"] = flat(logits, False)
    reference["gradients"] = tensors(model, lambda p: p.grad)

    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}],
                                  lr=LR, betas=BETAS, eps=EPS)
    reference["losses"] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        _, loss = loss_of(model, ids, labels, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        reference["losses"].append(float(loss))
    reference["updated"] = tensors(model, lambda p: p)
    return reference


def compare(fresh, stored, path=""):
    if isinstance(fresh, dict):
        assert sorted(fresh) == sorted(stored), f"{path}: other keys"
        return max((compare(fresh[key], stored[key], f"{path}/{key}") for key in fresh), default=0.0)
    fresh, stored = torch.tensor(fresh), torch.tensor(stored)
    assert fresh.shape == stored.shape, f"{path}: other shape"
    return float((fresh.double() - stored.double()).abs().max()) if fresh.numel() else 0.0


def main():
    if sys.argv[1] == "--check":
        stored = json.loads((pathlib.Path(sys.argv[2]) / "gpt2.json").read_text())
        difference = compare(json.loads(json.dumps(compute())), stored)
        print(f"gpt2.json: largest difference from transformers now {difference:.3g}")
        sys.exit(0 if difference < 1e-9 else 1)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gpt2.json").write_text(json.dumps(compute()) + "\n")


main()
