#!/usr/bin/env python3
"""lmtrain's import and export against the transformers package, both ways: check_interchange.py LMTRAIN

For each family and head a random model of transformers is imported by lmtrain, and what lmtrain exports of it, and of a
model that lmtrain trained, is loaded by transformers: no missing and no unexpected key, tensors equal to the bit, and the
log-probabilities of a text, or the logits of a head of labels, within 1e-5.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import reference_heads
import safetensors.torch
import tokenizers
import torch
import transformers

TEXT = "the quick brown fox of the house, and then another one: jumps over 13 lazy dogs\n"
VOCAB, TOLERANCE = 384, 1e-5
LLAMA = {"vocab_size": VOCAB, "max_position_embeddings": 128, "hidden_size": 64, "num_hidden_layers": 3,
         "intermediate_size": 160, "num_attention_heads": 8, "num_key_value_heads": 2}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
BERT = {"vocab_size": VOCAB, "max_position_embeddings": 128, "hidden_size": 64, "num_hidden_layers": 3,
        "intermediate_size": 160, "num_attention_heads": 4, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}
CONFIG = """
run: {{name: {name}, dir: runs}}
model: {{num_layers: 2, num_heads: 4, hidden_size: 64, max_positions: 128, {model}}}
tokenizer: {{path: {tokenizer}}}
data: {{sources: [{{path: text}}], validation_fraction: 0.0, sequence_length: 32{data}}}
train: {{steps: 5, global_batch_size: 4, micro_batch_size: 4, precision: fp32}}
"""


def random_models():
    yield "gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=128, n_embd=64, n_layer=3, n_head=4,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA))
    yield "llama3", transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **LLAMA, tie_word_embeddings=True, rope_parameters=LLAMA3))
    yield "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**LLAMA))
    # A window shorter than the text.
    yield "mistral", transformers.MistralForCausalLM(transformers.MistralConfig(**LLAMA, sliding_window=8))
    yield "qwen3", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **LLAMA, head_dim=16, tie_word_embeddings=False))


def bert_models():
    config = transformers.BertConfig(**BERT)
    megatron = transformers.MegatronBertConfig(**BERT)
    yield "bert", transformers.BertForPreTraining(config)
    yield "bert-masked", transformers.BertForMaskedLM(config)
    yield "bert-bare", transformers.BertModel(config)
    yield "bert-without-pooler-bare", transformers.BertModel(config, add_pooling_layer=False)
    yield "megatron-bert", transformers.MegatronBertForPreTraining(megatron)
    yield "megatron-bert-masked", transformers.MegatronBertForMaskedLM(megatron)
    yield "megatron-bert-bare", transformers.MegatronBertModel(megatron)
    roberta = transformers.RobertaConfig(**BERT | {"max_position_embeddings": 130}, type_vocab_size=1)
    yield "roberta", transformers.RobertaForMaskedLM(roberta)
    yield "roberta-bare", transformers.RobertaModel(roberta)
    yield "roberta-without-pooler-bare", transformers.RobertaModel(roberta, add_pooling_layer=False)
    distilbert = transformers.DistilBertConfig(
        vocab_size=VOCAB, max_position_embeddings=128, dim=64, n_layers=3, n_heads=4, hidden_dim=160, dropout=0.0,
        attention_dropout=0.0)
    yield "distilbert", transformers.DistilBertForMaskedLM(distilbert)
    yield "distilbert-bare", transformers.DistilBertModel(distilbert)


def is_encoder(model):
    return "bert" in model.config.model_type


def has_segments(model):
    return getattr(model.config, "type_vocab_size", 0) > 1


def tokenizer_of(model):
    return "tokenizer-bert" if is_encoder(model) else "tokenizer"


def load_tokenizer(folder, model):
    """AutoTokenizer, but for qwen2: there it takes Qwen's own way of splitting whatever the files say."""
    is_qwen2 = model.config.model_type == "qwen2"
    kind = transformers.PreTrainedTokenizerFast if is_qwen2 else transformers.AutoTokenizer
    return kind.from_pretrained(folder)


class Checks:
    def __init__(self, lmtrain, folder):
        self.lmtrain, self.folder = lmtrain, folder
        self.worst = 0.0

    def run(self, *arguments):
        return subprocess.run([self.lmtrain, *map(str, arguments)], cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout

    def load(self, name, kind):
        without = {"add_pooling_layer": False} if "without-pooler" in name else {}
        model, loading = kind.from_pretrained(
            self.folder / name, dtype="auto", output_loading_info=True, **without)
        wrong = {key: value for key, value in loading.items() if value}
        assert not wrong, f"{name}: transformers reports {wrong}"
        return model.eval()

    def scores(self, model, ids):
        if not is_encoder(model):
            ids = torch.tensor([ids])
            return model(ids).logits.float().log_softmax(-1)[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
        # Each token with its own place masked.
        tokenizer = tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer-bert/tokenizer.json"))
        special = {name: tokenizer.token_to_id(f"[{name}]") for name in ("CLS", "SEP", "MASK")}
        text = torch.tensor([special["CLS"], *ids, special["SEP"]])
        places = torch.arange(1, len(ids) + 1)
        copies = text.repeat(len(ids), 1)
        copies[torch.arange(len(ids)), places] = special["MASK"]
        outputs = model(copies)
        logits = outputs.prediction_logits if "prediction_logits" in outputs else outputs.logits
        return logits[torch.arange(len(ids)), places].float().log_softmax(-1).gather(1, text[1:-1, None])[:, 0]

    def compare_scores(self, checkpoint, model, name):
        ours = json.loads(self.run("score", checkpoint, "--text", TEXT))
        with torch.no_grad():
            scores = self.scores(model, ours["ids"])
        difference = (scores - torch.tensor(ours["log_probabilities"])).abs().max().item()
        print(f"{name}: log-probabilities of {len(scores)} tokens differ by at most {difference:.2g}")
        self.worst = max(self.worst, difference)

    def compare_sentences(self, checkpoint, model, name):
        ours = json.loads(self.run("predict", checkpoint, "--text", TEXT, "--pair", "all that he had seen"))
        ids = torch.tensor([ours["ids"]])
        separator = ours["ids"].index(ours["ids"][-1])
        segments = (torch.arange(ids.shape[1]) > separator).long()[None]
        with torch.no_grad():
            logits = model(ids, token_type_ids=segments).seq_relationship_logits[0]
        difference = (logits - torch.tensor(ours["logits"])).abs().max().item()
        print(f"{name}: logits of a pair of sentences differ by at most {difference:.2g}")
        self.worst = max(self.worst, difference)

    def compare_tokenizer(self, name, model):
        theirs = load_tokenizer(self.folder / name, model)
        ours = subprocess.run([self.lmtrain, "tokenizer", "encode", name], cwd=self.folder, check=True, text=True,
                              capture_output=True, input=TEXT).stdout
        assert theirs(TEXT, add_special_tokens=False)["input_ids"] == [int(i) for i in ours.split()], \
            f"{name}: another tokenizer"
        if is_encoder(model):
            assert (theirs.cls_token, theirs.mask_token, theirs.pad_token) == ("[CLS]", "[MASK]", "[PAD]")
            pair = theirs(TEXT, "another")
            ids = pair["input_ids"]
            assert not has_segments(model) or sum(pair["token_type_ids"]) == len(ids) - ids.index(theirs.sep_token_id) - 1, f"{name}: no segments"
            assert ids.count(theirs.sep_token_id) == 2 and ids[0] == theirs.cls_token_id, f"{name}: no template"
        else:
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
    has_head = not name.endswith("-bare")

    def save(where):
        model.eval().save_pretrained(folder / where)
        (folder / where / "tokenizer.json").write_bytes(
            (folder / tokenizer_of(model) / "tokenizer.json").read_bytes())

    save(name)
    checks.run("import", name, name + ".checkpoint")
    if has_head:
        checks.compare_scores(name + ".checkpoint", model, f"{name} imported")
    if type(model).__name__.endswith("ForPreTraining"):
        checks.compare_sentences(name + ".checkpoint", model, name)
    checks.run("export", name + ".checkpoint", name + ".out")
    compare_tensors(model, checks.load(name + ".out", type(model)), name)
    checks.run("import", name + ".out", name + ".out.in")
    checks.compare_tokenizer(name + ".out", model)
    for dtype in (torch.bfloat16, torch.float16):
        kind = f"{name}.{dtype}"
        model.to(dtype)
        save(kind)
        checks.run("import", kind, kind + ".checkpoint")
        checks.run("export", kind + ".checkpoint", kind + ".out")
        compare_tensors(model, checks.load(kind + ".out", type(model)), kind)
        model.float()


def check_chat_model(checks):
    """End tokens, sampling defaults and the chat template go along, and a text ends where transformers ends it."""
    torch.manual_seed(11)
    folder, model = checks.folder, transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA))
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.2
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer" / "tokenizer.json"))
    ids = tokenizer(TEXT)["input_ids"][:12]
    greedy = {"do_sample": False, "max_new_tokens": 60, "pad_token_id": 0}
    free = model.eval().generate(torch.tensor([ids]), **greedy, eos_token_id=None)[0, 12:].tolist()
    ends = [free[25], free[40]]  # which the model comes to
    model.generation_config = transformers.GenerationConfig(eos_token_id=ends, pad_token_id=0, do_sample=False)
    model.config.eos_token_id = ends
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    model.save_pretrained(folder / "chat")
    tokenizer.save_pretrained(folder / "chat")
    checks.run("import", "chat", "chat.checkpoint")
    checks.run("export", "chat.checkpoint", "chat.out")
    generation = transformers.GenerationConfig.from_pretrained(folder / "chat.out")
    assert generation.eos_token_id == ends and generation.do_sample is False, "chat: another generation_config"
    assert transformers.AutoConfig.from_pretrained(folder / "chat.out").eos_token_id == ends, "chat: other end tokens"
    theirs = transformers.AutoTokenizer.from_pretrained(folder / "chat.out")
    messages = [{"role": "user", "content": "hello"}]
    assert theirs.apply_chat_template(messages, tokenize=False) == "<user>hello", "chat: another template"
    prompt = tokenizer.decode(ids)
    assert tokenizer(prompt)["input_ids"] == ids
    ours = checks.run("generate", "chat.checkpoint", "--prompt", prompt, "--no-start-token", "--max-tokens", "60")
    expected = model.generate(torch.tensor([ids]), max_new_tokens=60)[0].tolist()
    assert expected[-1] in ends and len(expected) < 72
    assert ours == tokenizer.decode(expected[:-1]) + "\n", f"chat: {ours!r}, expected {tokenizer.decode(expected)!r}"
    print("chat: end tokens, template and sampling go along; a text ends where transformers ends it")


def head_logits(model, ids, type_ids, length):
    """Of one text in a batch that is padded to the length."""
    padding = [0] * (length - len(ids))
    inputs = {"input_ids": torch.tensor([ids + padding]),
              "attention_mask": torch.tensor([[1] * len(ids) + padding])}
    if has_segments(model):
        inputs["token_type_ids"] = torch.tensor([type_ids + padding])
    outputs = model(**inputs)
    if "start_logits" in outputs:
        return torch.stack((outputs.start_logits, outputs.end_logits), -1)[0, :len(ids)]
    return outputs.logits[0] if outputs.logits.dim() == 2 else outputs.logits[0, :len(ids)]


def check_heads(checks):
    for name, _, model in reference_heads.models(VOCAB, 128):
        torch.manual_seed(8)
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter) * 0.3
        model.eval().save_pretrained(checks.folder / name)
        (checks.folder / name / "tokenizer.json").write_bytes(
            (checks.folder / tokenizer_of(model) / "tokenizer.json").read_bytes())
        checks.run("import", name, name + ".checkpoint")
        checks.run("export", name + ".checkpoint", name + ".out")
        exported = checks.load(name + ".out", type(model))
        compare_tensors(model, exported, name)
        assert exported.config.id2label == model.config.id2label, f"{name}: other labels"
        theirs = load_tokenizer(checks.folder / (name + ".out"), model)
        worst = 0.0
        for pair in ("all that he had seen", TEXT):
            ours = json.loads(checks.run("predict", name + ".checkpoint", "--text", "this and no other house", "--pair", pair))
            encoded = theirs("this and no other house", pair)
            assert encoded["input_ids"] == ours["ids"], f"{name}: other tokens"
            types = encoded["token_type_ids"] if has_segments(model) else None
            for padding in (0, 7):
                with torch.no_grad():
                    logits = head_logits(model, ours["ids"], types, len(ours["ids"]) + padding)
                worst = max(worst, (logits - torch.tensor(ours["logits"])).abs().max().item())
        print(f"{name}: logits differ by at most {worst:.2g}, padded or not")
        checks.worst = max(checks.worst, worst)


def check_old_bert(checks):
    """Google's files as they lie on the hub: gamma and beta, counted positions, the tied decoder written out, and a class
    that names one head of two."""
    model = transformers.BertForPreTraining(transformers.BertConfig(**BERT)).eval()
    folder = checks.folder / "bert-old"
    model.save_pretrained(folder)
    tensors = {}
    for name, tensor in safetensors.torch.load_file(folder / "model.safetensors").items():
        if "LayerNorm" in name:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors[name] = tensor
    tensors["bert.embeddings.position_ids"] = torch.arange(128)[None]
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    safetensors.torch.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    vocabulary = json.loads((checks.folder / "tokenizer-bert/tokenizer.json").read_text())["model"]["vocab"]
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in sorted(vocabulary, key=vocabulary.get)))
    checks.run("import", "bert-old", "bert-old.checkpoint")
    checks.compare_scores("bert-old.checkpoint", model, "bert with gamma and beta imported")
    checks.run("export", "bert-old.checkpoint", "bert-old.out")
    compare_tensors(model, checks.load("bert-old.out", transformers.BertForPreTraining), "bert-old")


def check_trained_model(checks, name, kind, settings, tokenizer="tokenizer", data=""):
    (checks.folder / f"{name}.yaml").write_text(
        CONFIG.format(name=name, model=settings, tokenizer=tokenizer, data=data))
    checks.run(f"{name}.yaml")
    checks.run("export", f"runs/{name}", f"{name}.out")
    checks.compare_scores(f"runs/{name}", checks.load(f"{name}.out", kind), f"{name} exported")


def main():
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        checks = Checks(pathlib.Path(sys.argv[1]).resolve(), folder)
        (folder / "text").write_text((TEXT + "all that he had seen was this and no other house\n") * 200)
        checks.run("tokenizer", "train", "--vocab-size", "300", "tokenizer", "text")
        checks.run("tokenizer", "train", "--kind", "wordpiece", "--vocab-size", "300", "tokenizer-bert", "text")
        for family, model in [*random_models(), *bert_models()]:
            check_random_model(checks, family, model)
        check_heads(checks)
        check_old_bert(checks)
        check_chat_model(checks)
        check_trained_model(checks, "trained-gpt2", transformers.GPT2LMHeadModel, "kind: gpt2")
        check_trained_model(checks, "trained-llama", transformers.Qwen3ForCausalLM,
                            "kind: llama, num_kv_heads: 2, qk_norm: true")
        check_trained_model(checks, "trained-qwen2", transformers.Qwen2ForCausalLM, "kind: qwen2, num_kv_heads: 2")
        check_trained_model(checks, "trained-mistral", transformers.MistralForCausalLM,
                            "kind: mistral, num_kv_heads: 2, sliding_window: 8")
        check_trained_model(checks, "trained-distilbert", transformers.DistilBertForMaskedLM,
                            'kind: distilbert, norm_eps: 1.0e-12', "tokenizer-bert")
        check_trained_model(checks, "trained-bert", transformers.BertForPreTraining, "kind: bert, head: pretraining",
                            "tokenizer-bert", ", pairs: next_sentence")
    assert checks.worst <= TOLERANCE, f"{checks.worst} is over {TOLERANCE}"


main()
