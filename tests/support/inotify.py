"""Sees what others do to files, by inotify, without any package in between."""

import ctypes
import os
import select
import struct
import time
from pathlib import Path

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
WRITES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
# What makes a new content complete: an editor's close, or a rename over the file.
SAVES = CLOSE_WRITE | MOVED_TO

_NONBLOCK = 0o4000
_CLOEXEC = 0o2000000
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    def __init__(self, *folders, mask=WRITES):
        self.fd = _libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders = {}
        self._mask = mask
        for folder in folders:
            self.watch(folder)

    def watch(self, folder):
        watch = _libc.inotify_add_watch(self.fd, os.fsencode(folder), self._mask)
        if watch < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch {folder}")
        self._folders[watch] = Path(folder)

    def read(self, timeout=0.0):
        """Returns the events that came within the time as (path, mask, time of reading)."""
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return []
        now = time.perf_counter_ns()
        data = os.read(self.fd, 1 << 20)
        res, pos = [], 0
        while pos < len(data):
            watch, mask, _, length = _HEAD.unpack_from(data, pos)
            pos += _HEAD.size
            name = data[pos : pos + length].rstrip(b"\0")
            pos += length
            folder = self._folders.get(watch)
            if folder is not None:
                res.append((folder / os.fsdecode(name) if name else folder, mask, now))
        return res

    def collect(self, seconds):
        """Returns all events of the next seconds."""
        deadline = time.monotonic() + seconds
        res = []
        while (left := deadline - time.monotonic()) > 0:
            res += self.read(left)
        return res

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def folders(top):
    """Returns a folder and all folders below it."""
    return [Path(folder) for folder, _, _ in os.walk(top)]
