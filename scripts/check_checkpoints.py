"""Reads a checkpoint with the script of docs/checkpoints.md, by an HDF5 of its own, and compares the weights with those that
lmtrain exports."""
import contextlib
import io
import pathlib
import re
import sys
import tempfile

import h5py
import numpy
import safetensors.numpy
from check_support import Checks

DOCS = pathlib.Path(__file__).parent.parent / "docs" / "checkpoints.md"

CONFIG = """
run: {name: test, dir: runs}
model: {kind: gpt2, num_layers: 2, num_heads: 2, hidden_size: 32, max_positions: 32}
tokenizer: {path: bpe}
data: {sources: [{path: text}], validation_fraction: 0, sequence_length: 32}
train: {steps: 3, global_batch_size: 4, micro_batch_size: 4, precision: fp32}
eval: {samples: 0}
checkpoint: {file_mib: 1}
energy: {region: DEU}
"""


def script_of_the_docs():
    return re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)[1]


def main(lmtrain):
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(pathlib.Path(lmtrain).resolve(), pathlib.Path(folder))
        (checks.folder / "config.yaml").write_text(CONFIG)
        checks.run("config.yaml")
        checkpoint = checks.folder / "runs" / "test" / "checkpoints" / "step-00000003"
        checks.run("export", checkpoint, "exported")
        names, printed = {"__name__": "script"}, io.StringIO()
        sys.argv = ["script", str(checkpoint)]
        with contextlib.redirect_stdout(printed):
            exec(script_of_the_docs(), names)
        tensors = names["tensors"]
        groups = {group for group, _ in tensors}
        assert groups == {"weights", "exp_avg", "exp_avg_sq"}, groups
        assert len(printed.getvalue().splitlines()) == len(tensors)
        weights = {name: values for (group, name), values in tensors.items() if group == "weights"}
        exported = safetensors.numpy.load_file(checks.folder / "exported" / "model.safetensors")
        # The names and the order of dims differ between the two, and what the tensors hold does not.
        ours = sorted(numpy.sort(values, axis=None).tobytes() for values in weights.values())
        theirs = sorted(numpy.sort(values, axis=None).tobytes() for values in exported.values())
        missing = [one for one in ours if one not in theirs]
        assert not missing, f"{len(missing)} of {len(ours)} tensors are not among the exported ones"
        print(f"h5py {h5py.__version__} with HDF5 {h5py.version.hdf5_version} reads {len(tensors)} tensors as they "
              f"were stored, {len(weights)} weights as exported")


main(sys.argv[1])
