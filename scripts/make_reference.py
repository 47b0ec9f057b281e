#!/usr/bin/env python3
"""The reference for lmtrain's models: those of the transformers package on PyTorch, random weights, a few tokens.

  make_reference.py FOLDER            writes FOLDER/NAME/ of each model: as save_pretrained does, in fp64, and
                                      expected.safetensors: input, logits, loss, gradients, ten AdamW steps;
                                      muon.safetensors: ten steps of Muon; and FOLDER/heads/NAME of models with
                                      heads of labels
  make_reference.py --check FOLDER    computes all afresh and compares with the committed FOLDER

Everything is computed in fp64; tests run lmtrain in fp64 and fp32 against it. Models and tokens are drawn by the seed, so
that a fresh computation has the same ones.
"""
import pathlib
import sys
import tempfile

import reference_heads
import reference_muon
import safetensors.torch
import torch
import transformers

VOCAB, POSITIONS, SAMPLES, LENGTH, STEPS = 37, 12, 3, 10, 10
LR, BETAS, EPS, DECAY, CLIP = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0

LLAMA = {"vocab_size": VOCAB, "max_position_embeddings": POSITIONS, "hidden_size": 16, "num_hidden_layers": 2,
         "intermediate_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2}
# Of the four frequencies of a head, one is stretched, one left alone, two between.
LLAMA3 = {"rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}


BERT = {"vocab_size": VOCAB, "max_position_embeddings": POSITIONS, "hidden_size": 16, "num_hidden_layers": 2,
        "intermediate_size": 24, "num_attention_heads": 2, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}


def bert_models():
    yield "bert", transformers.BertForPreTraining(transformers.BertConfig(**BERT))
    yield "bert_masked", transformers.BertForMaskedLM(transformers.BertConfig(**BERT))
    yield "megatron_bert", transformers.MegatronBertForPreTraining(transformers.MegatronBertConfig(**BERT))
    yield "roberta", transformers.RobertaForMaskedLM(transformers.RobertaConfig(
        **BERT | {"max_position_embeddings": POSITIONS + 2}, type_vocab_size=1))
    yield "distilbert", transformers.DistilBertForMaskedLM(transformers.DistilBertConfig(
        vocab_size=VOCAB, max_position_embeddings=POSITIONS, dim=16, n_layers=2, hidden_dim=24, n_heads=2, dropout=0.0,
        attention_dropout=0.0))


def models():
    """Name, model, whether steps of optimizers are part of the reference."""
    yield "gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=POSITIONS, n_embd=16, n_layer=2, n_head=2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)), True
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)), True
    yield "llama3", transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **LLAMA | {"max_position_embeddings": 128}, head_dim=8, tie_word_embeddings=True, rope_parameters=LLAMA3)), False
    yield "qwen3", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **LLAMA, head_dim=8, tie_word_embeddings=False)), False
    yield "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**LLAMA, tie_word_embeddings=True)), False
    # A window of 4 tokens in samples of 10.
    yield "mistral", transformers.MistralForCausalLM(transformers.MistralConfig(**LLAMA, sliding_window=4)), False


class Rotary(torch.nn.Module):
    """Rotary angles in fp64, where those of transformers are fp32 whatever the model's type."""

    def __init__(self, theirs, parameters):
        super().__init__()
        dim = 2 * theirs.inv_freq.numel()
        exponents = torch.arange(0, dim, 2, dtype=torch.float64) / dim
        frequencies = parameters["rope_theta"] ** -exponents
        if parameters["rope_type"] == "llama3":
            old, low, high = (parameters[key] for key in
                              ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor"))
            share = (old * frequencies / (2 * torch.pi) - low) / (high - low)
            share = share.clamp(0.0, 1.0)
            frequencies = (1 - share) * frequencies / parameters["factor"] + share * frequencies
        assert (frequencies / theirs.inv_freq.double() - 1).abs().max() < 1e-6, "not the angles of transformers"
        self.frequencies = frequencies

    def forward(self, x, position_ids):
        angles = position_ids[..., None].double() * self.frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()


def in_fp64(model):
    """Lets transformers compute in fp64 what it computes in fp32 whatever the model's type."""
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = lambda x, m=module: torch.nn.functional.rms_norm(
                x, m.weight.shape, m.weight, m.variance_epsilon)
    if "rope_parameters" in model.config.to_dict():
        base = model.base_model
        if isinstance(base.rotary_emb, Rotary):
            return
        base.rotary_emb = Rotary(base.rotary_emb, model.config.rope_parameters)


def loss_of(model, ids, labels, weights):
    logits = model(ids).logits
    losses = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCAB), labels.reshape(-1), reduction="none")
    return logits, (losses * weights.reshape(-1)).sum() / weights.sum()


def adamw_losses(model, ids, labels, weights):
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}],
                                  lr=LR, betas=BETAS, eps=EPS)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        _, loss = loss_of(model, ids, labels, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


def compute_bert(folder):
    """Samples of unequal length, two segments, a few masked places; the loss is the mean over these and the mean over the
    pairs of segments."""
    for name, model in bert_models():
        torch.manual_seed(21)
        model = model.double()
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter) * 0.2
        model.train()
        model.save_pretrained(folder / name)
        lengths = torch.tensor([LENGTH, 6, 8])
        ids = torch.randint(0, VOCAB, (SAMPLES, LENGTH))
        padding_mask = (torch.arange(LENGTH) < lengths[:, None]).long()
        segments = (torch.arange(LENGTH) >= 4).long().expand(SAMPLES, LENGTH) * padding_mask
        inputs = {"attention_mask": padding_mask}
        if getattr(model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = segments
        if model.config.model_type == "roberta":  # whose padding is told by its id, here unlike the others'
            ids = torch.where(ids == model.config.pad_token_id, 2, ids)
            ids = torch.where(padding_mask == 1, ids, model.config.pad_token_id)
        places = torch.tensor([1, 5, 9, 12, 15, 27])
        labels = torch.randint(0, VOCAB, places.shape)
        sentence_labels = torch.tensor([0, 1, 1])
        outputs = model(ids, **inputs)
        logits = outputs.prediction_logits if "prediction_logits" in outputs else outputs.logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCAB)[places], labels)
        expected = {"ids": ids, "lengths": lengths, "segments": segments.contiguous(), "places": places,
                    "labels": labels, "sentence_labels": sentence_labels, "logits": logits.detach()}
        if "seq_relationship_logits" in outputs:
            loss = loss + torch.nn.functional.cross_entropy(outputs.seq_relationship_logits, sentence_labels)
            expected["sentence_logits"] = outputs.seq_relationship_logits.detach()
        loss.backward()
        expected["loss"] = loss.detach()
        expected |= {f"gradient.{key}": parameter.grad.clone() for key, parameter in model.named_parameters()}
        safetensors.torch.save_file(expected, folder / name / "expected.safetensors")


def compute(folder):
    torch.set_default_dtype(torch.float64)
    compute_bert(folder)
    reference_heads.compute(folder / "heads", VOCAB, POSITIONS, in_fp64)
    for name, model, with_steps in models():
        torch.manual_seed(20)
        model = model.double()
        for parameter in model.parameters():  # no zeros and ones: every weight must matter
            parameter.data = torch.randn_like(parameter) * 0.2
        model.train()
        in_fp64(model)
        tokens = torch.randint(0, VOCAB, (SAMPLES, LENGTH + 1))
        ids, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        weights = torch.ones(SAMPLES, LENGTH)
        weights[0, 7:] = 0.0  # samples hold unequal numbers of valid tokens
        model.save_pretrained(folder / name)

        logits, loss = loss_of(model, ids, labels, weights)
        loss.backward()
        expected = {"ids": ids, "labels": labels, "weights": weights, "logits": logits.detach(),
                    "loss": loss.detach()}
        expected |= {f"gradient.{key}": parameter.grad.clone() for key, parameter in model.named_parameters()}
        if with_steps:
            reference_muon.write(folder / name, name, model, loss_of, ids, labels, weights)
            expected["adamw.settings"] = torch.tensor([LR, *BETAS, EPS, DECAY, CLIP])
            expected["adamw.losses"] = adamw_losses(model, ids, labels, weights)
            expected |= {f"updated.{key}": parameter.detach().clone() for key, parameter in model.named_parameters()}
        safetensors.torch.save_file(expected, folder / name / "expected.safetensors")


def difference(fresh, stored):
    assert fresh.keys() == stored.keys(), f"other tensors: {fresh.keys() ^ stored.keys()}"
    return max(float((fresh[key].double() - stored[key].double()).abs().max()) for key in fresh)


def main():
    if sys.argv[1] != "--check":
        compute(pathlib.Path(sys.argv[1]))
        return
    stored = pathlib.Path(sys.argv[2])
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        compute(pathlib.Path(folder))
        for path in sorted(pathlib.Path(folder).rglob("*.safetensors")):
            name = path.relative_to(folder)
            found = difference(safetensors.torch.load_file(path), safetensors.torch.load_file(stored / name))
            print(f"{name}: largest difference from transformers now {found:.3g}")
            failed |= found >= 1e-9
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
