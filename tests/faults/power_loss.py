"""Replays the file system calls of a run, as tests/faults/faulty_io.cpp recorded them, and looks at what a loss of power may
leave after each: only what was synced, or all names with the content that was synced. Once the run has noted a save in
metrics.jsonl, a checkpoint of that step or a later one must verify. Prints a row of the table of faults.

power_loss.py LMTRAIN RECORD ROOT RUN
"""

import os
import shutil
import subprocess
import sys
import tempfile


class File:
    def __init__(self):
        self.now = bytearray()
        self.synced = None  # nothing of it has reached the disk


class Folder:
    def __init__(self):
        self.now = {}
        self.synced = {}


class Disk:
    def __init__(self, root):
        self.root = root
        self.top = Folder()

    def find(self, path):
        node = self.top
        for name in [part for part in path[len(self.root):].split("/") if part]:
            node = node.now[name]
        return node

    def place(self, path):
        return self.find(os.path.dirname(path)), os.path.basename(path)

    def apply(self, call, path, arguments, data):
        if call in ("create", "mkdir"):
            folder, name = self.place(path)
            if call == "create" and isinstance(folder.now.get(name), File):
                folder.now[name].now = bytearray()
            else:
                folder.now[name] = File() if call == "create" else Folder()
        elif call in ("write", "pwrite"):
            content = self.find(path).now
            at = len(content) if arguments == "end" else int(arguments)
            if at > len(content):
                content.extend(bytes(at - len(content)))
            content[at:at + len(data)] = data
        elif call in ("ftruncate", "fallocate"):
            content = self.find(path).now
            size = int(arguments)
            if size > len(content):
                content.extend(bytes(size - len(content)))
            elif call == "ftruncate":
                del content[size:]
        elif call in ("fsync", "fdatasync"):
            node = self.find(path)
            node.synced = bytes(node.now) if isinstance(node, File) else dict(node.now)
        elif call in ("rename", "exchange"):
            folder, name = self.place(path)
            to_folder, to_name = self.place(arguments)
            moved = folder.now.pop(name)
            if call == "exchange":
                folder.now[name] = to_folder.now[to_name]
            to_folder.now[to_name] = moved
        elif call == "unlink":
            folder, name = self.place(path)
            folder.now.pop(name, None)  # mkstemp makes files unseen
        else:
            raise ValueError(call)

    def leave(self, to, with_all_names):
        """Writes what is left of the disk into an empty folder."""
        def write(node, path):
            if isinstance(node, Folder):
                os.makedirs(path, exist_ok=True)
                for name, child in (node.now if with_all_names else node.synced).items():
                    write(child, os.path.join(path, name))
            else:
                # A name whose content never came to the disk: as long as it was, and empty of sense.
                content = node.synced if node.synced is not None else bytes(len(node.now))
                with open(path, "wb") as file:
                    file.write(content)
        write(self.top, to)


def noted_step(disk, run):
    """The last step whose save the run has noted."""
    try:
        lines = bytes(disk.find(f"{disk.root}/{run}/metrics.jsonl").now).decode().splitlines()
    except KeyError:
        return None
    saved = [line for line in lines if '"checkpoint_bytes"' in line]
    return int(saved[-1].split('"step":')[1].split(",")[0].rstrip("}")) if saved else None


def newest_step(lmtrain, folder):
    """The step of the newest checkpoint that verifies; None where there is none."""
    found = sorted((name for name in os.listdir(folder) if name.startswith("step-")), reverse=True)
    for name in found:
        path = os.path.join(folder, name)
        if not os.path.exists(os.path.join(path, "manifest.json")):
            continue
        if subprocess.run([lmtrain, "checkpoint", "verify", path], capture_output=True).returncode == 0:
            return int(name[5:])
    return None


def main():
    lmtrain, record, root, run = sys.argv[1:]
    disk = Disk(root)
    tried = 0
    seen = set()
    with open(record) as lines:
        calls = [line.rstrip("\n").split("\t") for line in lines]
    for number, (call, path, arguments, data) in enumerate(calls, 1):
        disk.apply(call, path, arguments, bytes.fromhex(data))
        noted = noted_step(disk, run)
        for with_all_names in (False, True):
            left = tempfile.mkdtemp()
            disk.leave(left, with_all_names)
            checkpoints = os.path.join(left, run, "checkpoints")
            # States in which the same checkpoints are left are looked at once.
            state = (noted, with_all_names, tree_of(checkpoints))
            if state not in seen:
                seen.add(state)
                newest = newest_step(lmtrain, checkpoints) if os.path.isdir(checkpoints) else None
                if noted is not None and (newest is None or newest < noted):
                    sys.exit(f"FAILED: after call {number} ({call} {path}), with "
                             f"{'all names' if with_all_names else 'what was synced'}: the save of step {noted} "
                             f"is noted, and the newest checkpoint is {newest}")
            tried += 1
            shutil.rmtree(left)
    print(f"ROW|loss of power after each recorded call, with and without names that were not synced|1|{tried}|"
          "A: a checkpoint that the run has noted is there and verifies|as promised")


def tree_of(folder):
    found = []
    for path, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            with open(os.path.join(path, name), "rb") as file:
                found.append((os.path.relpath(path, folder), name, hash(file.read())))
    return tuple(found)


main()
