"""What check_commands.py, check_explain.py and check_evaluation.py share. Small models take one thread; import this
before PyTorch."""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1",
               "OMP_NUM_THREADS": "1"}
import numpy
import tokenizers
import torch
import transformers

POSITIONS = 128
BERT = {"max_position_embeddings": POSITIONS, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 96,
        "num_attention_heads": 4}
LINES = ["the quick brown fox of the house, and then another one: jumps over 13 lazy dogs",
         "all that he had seen was this and no other house"]
WORDS = " ".join(LINES).split()


def text_of(words, seed):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


class Checks:
    """Runs lmtrain in a folder of its own, with a WordPiece and a BPE tokenizer."""

    def __init__(self, lmtrain, folder):
        self.lmtrain, self.folder = lmtrain, folder
        (folder / "text").write_text("\n".join(LINES * 200))
        self.run("tokenizer", "train", "--kind", "wordpiece", "--vocab-size", 300, "wordpiece", "text")
        self.run("tokenizer", "train", "--vocab-size", 300, "bpe", "text")

    def run(self, *arguments):
        done = subprocess.run([self.lmtrain, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"lmtrain {' '.join(map(str, arguments))}: {done.stderr}"
        return done.stdout

    def write(self, name, objects):
        (self.folder / name).write_text("".join(json.dumps(one) + "\n" for one in objects))
        return name


def differ(one, other):
    one, other = (numpy.asarray(x, dtype=numpy.float64) for x in (one, other))
    assert one.shape == other.shape, f"shapes {one.shape} and {other.shape}"
    return float(numpy.abs(one - other).max())


def lines_of(checks, *arguments):
    lines = [json.loads(line) for line in checks.run(*arguments).splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines))), f"{arguments[:2]}: lines out of order"
    return lines


def save(checks, name, model, tokenizer, scale):
    torch.manual_seed(len(name))
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter) * scale
    model.eval().save_pretrained(checks.folder / name)
    tokenizer.save_pretrained(checks.folder / name)
    checks.run("import", name, name + ".checkpoint")
    return name + ".checkpoint"


def make_tokenizers(checks):
    """lmtrain's WordPiece and BPE, and RoBERTa's: a mask that takes the space before it, and padding that is not 0."""
    roberta = tokenizers.Tokenizer(tokenizers.models.BPE())
    roberta.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    roberta.decoder = tokenizers.decoders.ByteLevel()
    mask = tokenizers.AddedToken("<mask>", lstrip=True, special=True)
    roberta.train_from_iterator(LINES * 200, tokenizers.trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<s>", "<pad>", "</s>", "<unk>", mask], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    roberta.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    kind, kept = transformers.PreTrainedTokenizerFast, {"model_max_length": POSITIONS}
    wordpiece = kind(
        tokenizer_file=str(checks.folder / "wordpiece/tokenizer.json"), cls_token="[CLS]", sep_token="[SEP]",
        pad_token="[PAD]", mask_token="[MASK]", unk_token="[UNK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"], **kept)
    bpe = kind(tokenizer_file=str(checks.folder / "bpe/tokenizer.json"), pad_token="<|endoftext|>", **kept)
    return {"bert": wordpiece, "distilbert": wordpiece, "gpt2": bpe, "llama": bpe, "roberta": kind(
        tokenizer_object=roberta, cls_token="<s>", sep_token="</s>", pad_token="<pad>", mask_token=mask, **kept)}


def run_checks(prepare):
    """prepare(checks) yields functions with their arguments. All run; the exit status is 1 if any fails."""
    num_failed = 0
    with tempfile.TemporaryDirectory() as name:
        checks = Checks(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(name))
        for function, *arguments in prepare(checks):
            try:
                function(checks, *arguments)
            except AssertionError as error:
                num_failed += 1
                print(f"FAILED {function.__name__}: {error}", flush=True)
    sys.exit(1 if num_failed else 0)
