#!/usr/bin/env python3
"""lmtrain's import and export against the transformers package, both ways: check_interchange.py LMTRAIN

For each family a random model of transformers is imported by lmtrain, and what lmtrain exports of it, and of a model that
lmtrain trained, is loaded by transformers: no missing and no unexpected key, tensors equal to the bit, and the
log-probabilities of a text within 1e-5.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

TEXT = "the quick brown fox of the house, and then another one: jumps over 13 lazy dogs\n"
VOCAB, TOLERANCE = 384, 1e-5
LLAMA = {"vocab_size": VOCAB, "max_position_embeddings": 128, "hidden_size": 64, "num_hidden_layers": 3,
         "intermediate_size": 160, "num_attention_heads": 8, "num_key_value_heads": 2}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
CONFIG = """
run: {{name: {name}, dir: runs}}
model: {{num_layers: 2, num_heads: 4, hidden_size: 64, max_positions: 128, {model}}}
tokenizer: {{path: tokenizer}}
data: {{sources: [{{path: text}}], validation_fraction: 0.0, sequence_length: 32}}
train: {{steps: 5, global_batch_size: 4, micro_batch_size: 4, precision: fp32}}
"""


def random_models():
    yield "gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=64, n_layer=3, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA))
    yield "llama3", transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **LLAMA, tie_word_embeddings=True, rope_parameters=LLAMA3))
    yield "qwen3", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **LLAMA, head_dim=16, tie_word_embeddings=False))


class Checks:
    def __init__(self, lmtrain, folder):
        self.lmtrain, self.folder = lmtrain, folder
        self.worst = 0.0

    def run(self, *arguments):
        return subprocess.run([self.lmtrain, *map(str, arguments)], cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout

    def load(self, name):
        model, loading = transformers.AutoModelForCausalLM.from_pretrained(
            self.folder / name, dtype="auto", output_loading_info=True)
        wrong = {key: value for key, value in loading.items() if value}
        assert not wrong, f"{name}: transformers reports {wrong}"
        return model.eval()

    def compare_scores(self, checkpoint, model, name):
        ours = json.loads(self.run("score", checkpoint, "--text", TEXT))
        ids = torch.tensor([ours["ids"]])
        with torch.no_grad():
            scores = model(ids).logits.float().log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        difference = (scores - torch.tensor(ours["log_probabilities"])).abs().max().item()
        print(f"{name}: log-probabilities of {len(ours['ids']) - 1} tokens differ by at most {difference:.2g}")
        self.worst = max(self.worst, difference)

    def compare_tokenizer(self, name):
        theirs = transformers.AutoTokenizer.from_pretrained(self.folder / name)
        ours = json.loads(self.run("score", name + ".in", "--text", TEXT))["ids"][1:]
        assert theirs(TEXT, add_special_tokens=False)["input_ids"] == ours, f"{name}: another tokenizer"
        assert theirs.eos_token == "<|endoftext|>"


def compare_tensors(one, other, name):
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys(), f"{name}: other tensors"
    for key in ours:
        assert ours[key].dtype == theirs[key].dtype and torch.equal(ours[key], theirs[key]), f"{name}: {key} differs"


def check_random_model(checks, name, model):
    torch.manual_seed(7)
    for parameter in model.parameters():  # no zeros and ones: every weight must matter
        parameter.data = torch.randn_like(parameter) * 0.1
    folder = checks.folder
    model.eval().save_pretrained(folder / name)
    (folder / name / "tokenizer.json").write_bytes((folder / "tokenizer/tokenizer.json").read_bytes())
    checks.run("import", name, name + ".checkpoint")
    checks.compare_scores(name + ".checkpoint", model, f"{name} imported")
    checks.run("export", name + ".checkpoint", name + ".out")
    compare_tensors(model, checks.load(name + ".out"), name)
    checks.run("import", name + ".out", name + ".out.in")
    checks.compare_tokenizer(name + ".out")
    for dtype in (torch.bfloat16, torch.float16):
        kind = f"{name}.{dtype}"
        model.to(dtype).save_pretrained(folder / kind)
        (folder / kind / "tokenizer.json").write_bytes((folder / "tokenizer/tokenizer.json").read_bytes())
        checks.run("import", kind, kind + ".checkpoint")
        checks.run("export", kind + ".checkpoint", kind + ".out")
        compare_tensors(model, checks.load(kind + ".out"), kind)
        model.float()


def check_trained_model(checks, name, settings):
    (checks.folder / f"{name}.yaml").write_text(CONFIG.format(name=name, model=settings))
    checks.run(f"{name}.yaml")
    checks.run("export", f"runs/{name}", f"{name}.out")
    checks.compare_scores(f"runs/{name}", checks.load(f"{name}.out"), f"{name} exported")


def main():
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        checks = Checks(pathlib.Path(sys.argv[1]).resolve(), folder)
        (folder / "text").write_text((TEXT + "all that he had seen was this and no other house\n") * 200)
        checks.run("tokenizer", "train", "--vocab-size", "300", "tokenizer", "text")
        for family, model in random_models():
            check_random_model(checks, family, model)
        check_trained_model(checks, "trained-gpt2", "kind: gpt2")
        check_trained_model(checks, "trained-llama", "kind: llama, num_kv_heads: 2, qk_norm: true")
    assert checks.worst <= TOLERANCE, f"{checks.worst} is over {TOLERANCE}"


main()
