#!/usr/bin/env python3
"""Compares what lmtrain generates with transformers' generate, id by id, on the same weights in fp64.

    check_generation.py LMTRAIN     (part of scripts/oracle.sh)
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

VOCAB = 300
TEXT = "the king went up to the old house and saw that the door was open, and all that he had seen was gone\n"
PROMPTS = ["the king", "all that he had seen was gone and the", "and"]
SMALL = {"vocab_size": VOCAB, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": 0,
         "eos_token_id": 0, "pad_token_id": 0, "tie_word_embeddings": False}
# What transformers calls an option, and its value.
GREEDY = [
    {},
    {"repetition_penalty": 1.7},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3, "repetition_penalty": 0.8},
    {"min_new_tokens": 20},
    {"max_length": 30},
]
BEAMS = [
    {"num_beams": 4},
    {"num_beams": 5, "num_return_sequences": 5},
    {"num_beams": 3, "length_penalty": 2.5},
    {"num_beams": 3, "length_penalty": -1.0, "early_stopping": True},
    {"num_beams": 4, "early_stopping": "never", "length_penalty": 0.5},
    {"num_beams": 4, "no_repeat_ngram_size": 2},
    {"num_beams": 4, "repetition_penalty": 1.5, "num_return_sequences": 2},
]


def models():
    yield "gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=64, n_layer=3, n_head=4, bos_token_id=0, eos_token_id=0))
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL))
    yield "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SMALL))
    # A window shorter than the texts.
    yield "mistral", transformers.MistralForCausalLM(transformers.MistralConfig(**SMALL, sliding_window=8))


def flags(options):
    words = []
    for key, value in options.items():
        words += ["--" + key.replace("_", "-"), str(value).lower()]
    return words


class Checks:
    def __init__(self, lmtrain, folder):
        self.lmtrain, self.folder, self.count = lmtrain, folder, 0

    def run(self, *arguments):
        return subprocess.run([self.lmtrain, *map(str, arguments)], cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout

    def compare(self, name, model, tokenizer, ends, options):
        words = ["--temperature", "0", "--no-start-token", "--json"]
        for prompt in PROMPTS:
            words += ["--prompt", prompt]
        for end in ends:
            words += ["--stop-token", str(end)]
        given = {"max_new_tokens": 40} | options
        if "max_length" in options:
            del given["max_new_tokens"]
        ours = [json.loads(line) for line in
                self.run("generate", name + ".checkpoint", *words, *flags(given)).splitlines()]
        for number, prompt in enumerate(PROMPTS):
            ids = torch.tensor([tokenizer(prompt)["input_ids"]])
            expected = model.generate(ids, do_sample=False, pad_token_id=0, eos_token_id=[0, *ends], **given)
            lines = [line for line in ours if line["index"] == number]
            assert len(lines) == len(expected), f"{name} {options}: {len(lines)} texts, expected {len(expected)}"
            for line, row in zip(lines, expected):
                theirs = row[ids.shape[1]:].tolist()
                for place, token in enumerate(theirs):
                    if token in (0, *ends):  # lmtrain leaves the end token out
                        theirs = theirs[:place]
                        break
                assert line["ids"] == theirs, f"{name} {options} '{prompt}': {line['ids']}, expected {theirs}"
                self.count += 1


def main():
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        checks = Checks(pathlib.Path(sys.argv[1]).resolve(), folder)
        (folder / "text").write_text(TEXT * 200)
        checks.run("tokenizer", "train", "--vocab-size", VOCAB, "tokenizer", "text")
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer/tokenizer.json"))
        for family, model in models():
            torch.manual_seed(len(family))
            model = model.double().eval()
            for parameter in model.parameters():
                parameter.data = torch.randn_like(parameter) * 0.25
            model.generation_config = transformers.GenerationConfig()
            model.save_pretrained(folder / family)
            (folder / family / "tokenizer.json").write_bytes((folder / "tokenizer/tokenizer.json").read_bytes())
            checks.run("import", family, family + ".checkpoint")
            # Tokens that the model comes to, so that texts end; and none beside the model's own.
            free = model.generate(torch.tensor([tokenizer(PROMPTS[0])["input_ids"]]), do_sample=False,
                                  max_new_tokens=30, pad_token_id=0)[0].tolist()
            for ends in ([], [free[-12]]):
                for options in [*GREEDY, *BEAMS]:
                    checks.compare(family, model, tokenizer, ends, options)
            print(f"{family}: greedy search, penalties and beams write what transformers writes")
        print(f"{checks.count} texts are equal, token by token")


main()
