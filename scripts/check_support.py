"""What check_commands.py and check_evaluation.py share. Small models take one thread; import this before PyTorch."""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1",
               "OMP_NUM_THREADS": "1"}
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
