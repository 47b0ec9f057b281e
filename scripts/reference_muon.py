"""Ten steps of torch.optim.Muon, with AdamW for what is no hidden matrix, on the models of make_reference.py.

Query, key and value of GPT-2 are one tensor in transformers; Muon gets them apart, as models with a projection of each
have them. torch.optim.Muon computes its Newton-Schulz steps in bf16 whatever the weights are; here they run in fp64.
"""
import contextlib

import safetensors.torch
import torch

STEPS, CLIP = 10, 1.0
ADAMW = {"lr": 1e-2, "betas": (0.9, 0.95), "eps": 1e-8}
ADAMW_DECAY = 0.1
MUON = {"gpt2": {"lr": 2e-2, "weight_decay": 0.2, "momentum": 0.9, "nesterov": True, "ns_steps": 5,
                 "adjust_lr_fn": "original"},
        "llama": {"lr": 1e-2, "weight_decay": 0.1, "momentum": 0.95, "nesterov": False, "ns_steps": 4,
                  "adjust_lr_fn": "match_rms_adamw"}}


@contextlib.contextmanager
def products_in_fp64():
    original = torch.Tensor.bfloat16
    torch.Tensor.bfloat16 = torch.Tensor.clone
    try:
        yield
    finally:
        torch.Tensor.bfloat16 = original


class Hidden:
    """A hidden matrix [outputs, inputs], part of a parameter, as a parameter of its own."""

    def __init__(self, parameter, view):
        self.parameter, self.view = parameter, view
        self.own = torch.nn.Parameter(view(parameter.data).clone())

    def take_gradient(self):
        self.own.grad = self.view(self.parameter.grad).clone()

    def give_back(self):
        self.view(self.parameter.data).copy_(self.own.data)


def hidden_matrices(name, parameter):
    if parameter.dim() != 2 or (".h." not in name and ".layers." not in name):
        return []
    if ".h." not in name:
        return [Hidden(parameter, lambda t: t)]
    # Conv1D of GPT-2 has [inputs, outputs].
    width = parameter.shape[1] // (3 if "c_attn" in name else 1)
    return [Hidden(parameter, lambda t, at=at: t[:, at:at + width].T) for at in range(0, parameter.shape[1], width)]


def muon_steps(name, model, loss_of, ids, labels, weights):
    """Leaves the weights as they were."""
    initial = [parameter.detach().clone() for parameter in model.parameters()]
    hidden, others = [], []
    for key, parameter in model.named_parameters():
        matrices = hidden_matrices(key, parameter)
        hidden += matrices
        if not matrices:
            others.append(parameter)
    settings = MUON[name]
    muon = torch.optim.Muon([matrix.own for matrix in hidden], **settings)
    adamw = torch.optim.AdamW([{"params": [p for p in others if p.dim() > 1], "weight_decay": ADAMW_DECAY},
                               {"params": [p for p in others if p.dim() == 1], "weight_decay": 0.0}], **ADAMW)
    losses = []
    for _ in range(STEPS):
        model.zero_grad()
        _, loss = loss_of(model, ids, labels, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for matrix in hidden:
            matrix.take_gradient()
        with products_in_fp64():
            muon.step()
        adamw.step()
        for matrix in hidden:
            matrix.give_back()
        losses.append(loss.item())
    numbers = [settings["lr"], settings["weight_decay"], settings["momentum"], float(settings["nesterov"]),
               settings["ns_steps"], float(settings["adjust_lr_fn"] == "match_rms_adamw")]
    updated = {f"updated.{key}": parameter.detach().clone() for key, parameter in model.named_parameters()}
    for parameter, before in zip(model.parameters(), initial):
        parameter.data.copy_(before)
    return updated | {"settings": torch.tensor(numbers), "losses": torch.tensor(losses),
                      "adamw": torch.tensor([ADAMW["lr"], *ADAMW["betas"], ADAMW["eps"], ADAMW_DECAY, CLIP])}


def write(folder, name, *arguments):
    safetensors.torch.save_file(muon_steps(name, *arguments), folder / "muon.safetensors")
