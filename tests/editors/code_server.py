#!/usr/bin/env python3
"""Puts VS Code for the browser into a cache folder and prints its path.

usage: tests/editors/code_server.py [--cache DIR]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.npm import NPM, default_cache, fetch, node

PACKAGE = "code-server@4.139.1"
DIGEST = "75b76d3870dbcb7a4c08627f586a03344ca017be182171020c7405bdb6f2fb33"


def install(package):
    """Installs what it needs, as its own lock files pin it.

    Its scripts would build native parts, for passwords, terminals and logs. What it watches files with
    comes built.
    """
    for folder in (package, package / "lib" / "vscode"):
        # That of VS Code locks no peers.
        node(NPM, "ci", "--omit=dev", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", cwd=folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=default_cache())
    print(fetch(PACKAGE, DIGEST, parser.parse_args().cache, install))


if __name__ == "__main__":
    main()
