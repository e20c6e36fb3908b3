"""The ways in which editors save."""

import os
from pathlib import Path


def in_place(path, data):
    """Truncates and writes, as VS Code and marimo do."""
    with open(path, "wb") as file:
        file.write(data)


def in_place_durable(path, data):
    """Truncates, writes and syncs, as VS Code and the Jupyter server do."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def rename_over(path, data):
    """Writes a new file and renames it over the old one, as jupytext and many others do."""
    path = Path(path)
    new = path.with_name(f".{path.name}.swp")
    new.write_bytes(data)
    os.replace(new, path)


def backup_and_create(path, data):
    """Renames the old file away, writes a new one and removes the old, as vim does."""
    path = Path(path)
    backup = path.with_name(path.name + "~")
    os.rename(path, backup)
    path.write_bytes(data)
    backup.unlink()


def jupyter(path, data):
    """Keeps a copy beside the file while it writes in place, as the Jupyter server does."""
    path = Path(path)
    copy = path.with_name(".~" + path.name)
    copy.write_bytes(path.read_bytes())
    in_place_durable(path, data)
    copy.unlink()


ALL = [in_place, rename_over, in_place_durable, backup_and_create, jupyter]


def save(path, text, style=in_place):
    """Saves a text, by default in place."""
    style(path, text.encode("utf-8") if isinstance(text, str) else text)
