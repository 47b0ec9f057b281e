"""Models with heads that are learned from labels, for make_reference.py and check_interchange.py."""
import pathlib

import safetensors.torch
import torch
import transformers

SAMPLES, LENGTH, LABELS = 3, 10, 4
# Head in lmtrain -> the end of the class's name in transformers.
# The id of padding, where it is not 0.
PADDING = {"roberta": 1}
HEADS = {"sequence": "ForSequenceClassification", "regression": "ForSequenceClassification",
         "token": "ForTokenClassification", "answer": "ForQuestionAnswering"}


def families(vocabulary, positions):
    small = {"vocab_size": vocabulary, "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 24}
    bert = small | {"max_position_embeddings": positions, "num_attention_heads": 2, "hidden_dropout_prob": 0.0,
                    "attention_probs_dropout_prob": 0.0}
    llama = small | {"max_position_embeddings": positions, "num_attention_heads": 4, "num_key_value_heads": 2}
    gpt2 = {"vocab_size": vocabulary, "n_positions": positions, "n_embd": 16, "n_layer": 1, "n_head": 2,
            "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    yield "bert", "Bert", bert
    yield "megatron_bert", "MegatronBert", bert
    yield "roberta", "Roberta", bert | {"max_position_embeddings": positions + 2, "type_vocab_size": 1}
    yield "distilbert", "DistilBert", {
        "vocab_size": vocabulary, "max_position_embeddings": positions, "dim": 16, "n_layers": 1, "hidden_dim": 24,
        "n_heads": 2, "dropout": 0.0, "attention_dropout": 0.0, "qa_dropout": 0.0, "seq_classif_dropout": 0.0}
    yield "gpt2", "GPT2", gpt2
    yield "llama", "Llama", llama
    yield "qwen3", "Qwen3", llama | {"head_dim": 8}
    yield "qwen2", "Qwen2", llama
    yield "mistral", "Mistral", llama | {"sliding_window": 4}


def models(vocabulary, positions):
    """Name and model of every family and head; labels have names, but for the single one of a regression."""
    for family, prefix, settings in families(vocabulary, positions):
        for head, suffix in HEADS.items():
            config = getattr(transformers, f"{prefix}Config")(**settings, pad_token_id=PADDING.get(family, 0))
            if head in ("sequence", "token"):
                config.id2label = {i: f"kind {i}" for i in range(LABELS)}
                config.label2id = {name: i for i, name in config.id2label.items()}
            if head == "regression":
                config.num_labels, config.problem_type = 1, "regression"
            if "ert" not in prefix:
                config.classifier_dropout = 0.0
            model = getattr(transformers, prefix + suffix)(config)
            yield f"{family}_{head}", head, model


def loss_of(head, logits, targets, is_real):
    """Those of transformers, in fp64 where some of them compute in fp32; and an answer is among real tokens alone,
    so that it does not depend on the padding."""
    cross_entropy = torch.nn.functional.cross_entropy
    if head == "regression":
        return torch.nn.functional.mse_loss(logits.squeeze(1), targets["labels"])
    if head != "answer":
        return cross_entropy(logits.reshape(-1, LABELS), targets["labels"].reshape(-1))
    logits = logits.masked_fill(~is_real[:, :, None], -torch.inf)
    return (cross_entropy(logits[:, :, 0], targets["start_positions"]) +
            cross_entropy(logits[:, :, 1], targets["end_positions"])) / 2


def targets_of(head):
    """Keyword of transformers' forward -> value; some tokens have no label."""
    if head == "sequence":
        return {"labels": torch.tensor([2, 0, 3])}
    if head == "regression":
        return {"labels": torch.tensor([0.5, -1.25, 2.0])}
    if head == "token":
        labels = torch.randint(0, LABELS, (SAMPLES, LENGTH))
        labels[1, 6:] = labels[2, 8:] = labels[0, 3] = -100
        return {"labels": labels}
    return {"start_positions": torch.tensor([3, 1, 0]), "end_positions": torch.tensor([7, 1, 5])}


# What the fixtures hold; check_interchange.py goes through all.
FIXTURES = {"bert_sequence", "bert_regression", "bert_token", "bert_answer", "gpt2_sequence", "gpt2_token",
            "gpt2_answer", "llama_sequence", "llama_token", "llama_answer", "roberta_sequence", "roberta_token",
            "distilbert_sequence", "distilbert_answer", "qwen2_sequence", "mistral_sequence"}


def compute(folder, vocabulary, positions, in_fp64):
    """Samples of unequal length; two segments in bert."""
    for name, head, model in models(vocabulary, positions):
        if name not in FIXTURES:
            continue
        torch.manual_seed(22)
        model = model.double()
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter) * 0.3
        in_fp64(model)
        model.train()
        model.save_pretrained(pathlib.Path(folder) / name)
        lengths = torch.tensor([LENGTH, 6, 8])
        is_real = torch.arange(LENGTH) < lengths[:, None]
        padding = model.config.pad_token_id
        ids = torch.where(is_real, torch.randint(padding + 1, vocabulary, (SAMPLES, LENGTH)), padding)
        segments = (torch.arange(LENGTH) >= 4).long() * is_real
        inputs = {"input_ids": ids, "attention_mask": is_real.long()}
        if getattr(model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = segments
        targets = targets_of(head)
        outputs = model(**inputs, **targets)
        logits = torch.stack((outputs.start_logits, outputs.end_logits), -1) if head == "answer" else outputs.logits
        loss = loss_of(head, logits, targets, is_real)
        assert head == "answer" or (loss - outputs.loss).abs() < 1e-6, "not the loss of transformers"
        loss.backward()
        expected = {"ids": ids, "lengths": lengths, "segments": segments, "logits": logits.detach(),
                    "loss": loss.detach()}
        if head == "answer":
            expected["labels"] = torch.stack((targets["start_positions"], targets["end_positions"]), -1)
        else:
            expected["labels"] = targets["labels"].clamp_min(-1) if head != "regression" else targets["labels"]
        expected |= {f"gradient.{key}": p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}
        safetensors.torch.save_file({key: value.contiguous() for key, value in expected.items()},
                                    pathlib.Path(folder) / name / "expected.safetensors")
