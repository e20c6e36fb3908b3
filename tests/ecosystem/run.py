#!/usr/bin/env python3
"""The tools that people run on notebooks, each on the copy that suits it, under the real daemon.

Papermill, nbconvert, nbstripout, pre-commit, ruff, black, uv, and marimo's check, export and run. A tool must find
in its copy what it needs, what it changes must arrive in the other copies as an edit of the right cells, and nothing
else may change.
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
import time
import traceback
import urllib.request
from pathlib import Path

import nbformat
import psutil
from websockets.sync.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from editors.servers import free_port
from support.daemon import Daemon, Failure, Home, binary, scratch
from support.report import Report

BIN = Path(sys.executable).parent

# Longer than any of these takes on a loaded machine.
PATIENCE = 300

SCENARIOS = []

SCRIPT = '''\
# %% [markdown]
# # A report

# %% tags=["parameters"]
n = 3

# %%
squares = [i * i for i in range(n)]
print("squares", squares)

# %%
print("sum", sum(squares))
'''

NEIGHBOUR = "ANSWER = 42\n"

# What only works in the folder of the source.
LOCAL = '''\
# %%
import os
import pathlib

import neighbour

# %%
text = pathlib.Path("data/x.csv").read_text()
place = os.getcwd()

# %%
pathlib.Path("ran.txt").write_text(f"{place} {neighbour.ANSWER} {text}")
'''

# One of all that marimo shows. Python's objects say where they are in memory, so none of these does.
RUNS = '''\
# %%
import base64
import json
import marimo as mo
import pathlib
import sys

# %% [markdown]
# # Runs of $x$

# %%
print("to stdout")
print("to stderr", file=sys.stderr)
print("\\x1b(B\\x1b[31mred\\x1b[0m")
1 + 1

# %%
mo.md(f"some {1} $x$ and\\n\\n$$y$$")

# %%
mo.Html("<b>one</b>\\n<i>two</i>")

# %%
class Image:
    def _repr_png_(self):
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


Image()

# %%
class Drawing:
    def _mime_(self):
        return "image/svg+xml", "<svg>\\n</svg>"


Drawing()

# %%
class Bundle:
    def _repr_mimebundle_(self, **_):
        return {"text/plain": "plain", "text/html": "<p>rich</p>", "application/json": {"b": 1, "a": [1.5, None]}}


Bundle()

# %%
class Table:
    def _repr_html_(self):
        return "<table>\\n<tr><td>1</td></tr>\\n</table>"


Table()

# %%
[1, {"a": "é"}]

# %%
mo.image(b"no image", alt="none")

# %%
broken = json.loads("<no & json>")

# %%
broken

# %%
raise ValueError("over\\nlines: <b>")

# %%
mo.stop(True, "stopped")

# %%
nothing = None
'''

# Needs a package of its own.
BOXED = '''\
# %%
import six

# %%
print("six", six.__version__)
'''

# It says what is in a file, so that one run is not like the next.
LIVE = '''\
# %%
import pathlib

# %%
print("live", pathlib.Path("live.txt").read_text())
'''

HOOKS = '''\
repos:
  - repo: local
    hooks:
      - id: format
        name: format
        entry: ruff format --isolated
        language: system
        types: [python]
'''

# What package managers keep beside notebooks.
MANAGERS = {
    "pyproject.toml": '''\
[project]
name = "analysis"
version = "0"
requires-python = ">=3.11"
dependencies = []

[tool.poetry]
package-mode = false

[tool.pixi.workspace]
channels = []
platforms = ["linux-64"]

[tool.rye]
managed = true
''',
    "requirements.txt": "attrs==26.1.0\n",
    "requirements.lock": "attrs==26.1.0\n",
    "poetry.lock": "package = []\n",
    "pixi.lock": "version: 6\npackages: []\n",
    "environment.yml": "dependencies: [python]\n",
    ".python-version": "3.11\n",
    "env/pyvenv.cfg": "version = 3.11\n",
    "env/lib/python3.11/site-packages/tutorial.py": "# %%\nx = 1\n",
    ".venv/pyvenv.cfg": "version = 3.11\n",
    ".venv/lib/tutorial.py": "# %%\nx = 1\n",
    ".pixi/envs/default/lib/tutorial.py": "# %%\nx = 1\n",
}

BLOCK = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
'''


def scenario(function):
    SCENARIOS.append(function)
    return function


class Bench:
    """A root with a daemon, and the tools."""

    def __init__(self, report, root, home, daemon):
        self.report = report
        self.root = root
        self.home = home
        self.daemon = daemon
        self.name = ""

    @property
    def folder(self):
        return self.root / self.name

    def environ(self, **more):
        environ = self.home.environ(**more)
        environ["PATH"] = f"{BIN}:{binary().parent}:{environ['PATH']}"
        environ["MARIMO_SKIP_UPDATE_CHECK"] = "1"
        environ.pop("PYTHONPATH", None)
        return environ

    def tool(self, *words, code=0, cwd=None, **environ):
        """Runs a tool to its end, and returns what it printed."""
        words = [str(word) for word in words]
        res = subprocess.run(
            words,
            cwd=cwd or self.folder,
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if code is not None:
            said = (res.stdout + res.stderr).strip()[-1500:]
            self.check(res.returncode == code, f"`{' '.join(words[:3])}` exits {code}", said)
        return res.stdout + res.stderr

    def which(self, source, format_name):
        """Returns the copy of a notebook in a format."""
        words = self.home.run("which", source, "--format", format_name, root=self.root, check=0)
        return Path(words.stdout.decode().strip())

    def add(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def copies(self, source):
        """Returns the copies of a notebook by their formats."""
        self.which(source, "ipynb")
        formats = ("ipynb", "percent", "marimo")
        return {name: self.which(source, name) for name in formats}

    def flush(self):
        """Waits until all is in sync, and returns what was propagated."""
        report = self.daemon.flush()
        held = [it for it in report["out_of_sync"] if it["source"].startswith(self.name)]
        self.check(not held, "nothing is held or in conflict", f"{held}")
        return [it for it in report["propagated"] if it["notebook"].startswith(self.name)]

    def check(self, ok, what, detail=""):
        return self.report.check(ok, f"{self.name}: {what}", detail)

    def one_edit(self, source, made_in, cells):
        """Checks that what was just done was one edit, of so many cells, in this copy."""
        steps = self.flush()
        routes = [(step["from"], step["cells"]) for step in steps]
        expected = [([str(made_in.relative_to(self.root))], cells)]
        return self.check(routes == expected, f"is one edit of {cells} in {made_in.name}", f"{steps}")

    @contextlib.contextmanager
    def marimo_editor(self, source, *options):
        """Opens a notebook in marimo's editor until the end of the block."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        options = (*options, "--headless", "--no-token", "--no-skew-protection", "--port", port)
        words = (binary(), "open", source, "--in", "marimo", "--", *options)
        with self.server(*words, url=url), connect(f"ws://127.0.0.1:{port}/ws?session_id={Page.SESSION}") as socket:
            yield Page(url, socket)

    @contextlib.contextmanager
    def server(self, *words, url):
        """Runs a server until the end of the block."""
        log = self.folder / f"{words[1]}.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [str(word) for word in words],
                cwd=self.root,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(lambda: process.poll() is not None or answers(url), f"{words[1]} answers")
            said = log.read_text("utf-8", "replace")[-1500:]
            self.check(process.poll() is None, f"`nbsync {words[1]}` starts its server", said)
            yield process
        finally:
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()
            process.wait()


class Page:
    """A page of marimo's editor, without a browser."""

    SESSION = "s_nbsync"

    def __init__(self, url, socket):
        self.url = url
        self.socket = socket
        self.cells = wait_for(self._ready, "marimo's kernel is ready")

    def _ready(self):
        found = self.message()
        return found.get("op") == "kernel-ready" and found["data"]

    def message(self):
        """Reads what marimo says, if it says something. Without readers the session stands still."""
        with contextlib.suppress(TimeoutError):
            return json.loads(self.socket.recv(timeout=0.2))
        return {}

    def ask(self, what, **body):
        headers = {"Content-Type": "application/json", "Marimo-Session-Id": self.SESSION}
        request = urllib.request.Request(f"{self.url}/api/{what}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def wait_for(condition, what):
    """Returns what a condition gives, once it gives something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise Failure(f"waited in vain until {what}")


def outputs(path):
    """Returns what the code cells of a notebook printed."""
    notebook = nbformat.read(path, 4)
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@scenario
def papermill(bench):
    """Papermill finds the parameters, and runs the notebook in another file and in place."""
    source = bench.add("report.py", SCRIPT)
    ipynb = bench.which(source, "ipynb")
    before = {path: path.read_bytes() for path in bench.copies(source).values()}
    done = bench.folder / ".done.ipynb"
    bench.tool("papermill", ipynb, done, "-p", "n", "5", "--no-progress-bar", "-k", "python3")
    cells = nbformat.read(done, 4).cells
    tags = [cell.metadata.get("tags", []) for cell in cells]
    bench.check(["parameters"] in tags and ["injected-parameters"] in tags, "parameters are found", f"{tags}")
    bench.check("squares [0, 1, 4, 9, 16]" in "".join(outputs(done)), "it ran with them", outputs(done))
    bench.flush()
    after = {path: path.read_bytes() for path in before}
    bench.check(before == after, "a run into another file changes no copy")

    # What it writes into the notebook that it ran.
    bench.tool("papermill", ipynb, ipynb, "--no-progress-bar", "-k", "python3")
    bench.flush()
    bench.check(outputs(ipynb) == ["", "squares [0, 1, 4]\n", "sum 5\n"], "outputs are there", outputs(ipynb))
    lines = source.read_text().splitlines()
    code = [line for line in lines if not line.startswith("#")]
    bench.check(code == [it for it in SCRIPT.splitlines() if not it.startswith("#")], "the script is as it was", code)
    # And an edit of the script keeps the outputs of the other cells.
    source.write_text(source.read_text().replace('print("sum"', 'print("total"'))
    bench.flush()
    bench.check(outputs(ipynb)[1] == "squares [0, 1, 4]\n", "outputs stay through an edit elsewhere", outputs(ipynb))


@scenario
def nbconvert(bench):
    """nbconvert runs a notebook in place, and makes a page and a script of it."""
    source = bench.add("report.py", SCRIPT)
    ipynb = bench.which(source, "ipynb")
    bench.tool("jupyter", "nbconvert", "--execute", "--inplace", "--to", "notebook", ipynb)
    bench.flush()
    bench.check(outputs(ipynb)[1:] == ["squares [0, 1, 4]\n", "sum 5\n"], "it ran", outputs(ipynb))
    bench.check(source.read_text() == SCRIPT, "the script is as it was")
    out = bench.folder / ".out"
    bench.tool("jupyter", "nbconvert", "--to", "html", ipynb, "--output-dir", out)
    page = (out / "report.html").read_text()
    bench.check("squares [0, 1, 4]" in page and "A report" in page, "the page has the outputs")
    bench.tool("jupyter", "nbconvert", "--to", "script", ipynb, "--output-dir", out)
    bench.check("squares = [i * i for i in range(n)]" in (out / "report.py").read_text(), "the script has the code")


@scenario
def marimo_check_and_export(bench):
    """marimo finds nothing wrong with its copy, and runs it."""
    source = bench.add("report.py", SCRIPT)
    copy_of = bench.which(source, "marimo")
    said = bench.tool("marimo", "check", "--strict", copy_of)
    bench.check("warning" not in said and "error" not in said, "`marimo check` has nothing to say", said)
    page = bench.folder / ".page.html"
    bench.tool("marimo", "export", "html", copy_of, "-o", page)
    bench.check("squares [0, 1, 4]" in page.read_text(), "the exported page has the outputs")
    bench.tool("python", copy_of)
    bench.flush()


@scenario
def paths_and_imports_in_marimo(bench):
    """`nbsync run` runs a shadow in the folder of its source."""
    source = prepare_local(bench)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    words = (binary(), "run", source, "--", "--headless", "--no-token", "--port", port)
    with bench.server(*words, url=url), connect(f"ws://127.0.0.1:{port}/ws?session_id=s_eco123") as session:
        ran = bench.folder / "ran.txt"

        def has_run():
            # Messages have to be read for the session to go on.
            with contextlib.suppress(TimeoutError):
                session.recv(timeout=1)
            return ran.exists() and ran.read_text()

        wait_for(has_run, "the notebook ran")
    check_local(bench, bench.folder)


@scenario
def runs_in_marimo(bench):
    """What a run in marimo leaves comes into the notebook, as marimo's own export writes it."""
    source = bench.add("runs.py", RUNS)
    paths = bench.copies(source)
    texts = {name: paths[name].read_bytes() for name in ("percent", "marimo")}
    # Some of its cells fail, as they should.
    bench.tool("marimo", "export", "session", paths["marimo"], code=None)
    bench.flush()
    from_session = code_cells(paths["ipynb"])
    exported = bench.folder / ".exported.ipynb"
    words = ("--include-outputs", "--sort", "top-down", "-o", exported)
    bench.tool("marimo", "export", "ipynb", paths["marimo"], *words, code=None)
    expected = code_cells(exported)
    bench.check(len(expected) == 15 and sum(map(bool, expected.values())) == 13, "marimo's export has outputs", f"{expected}")
    bench.check(list(from_session) == list(expected), "the cells are those of the export", f"{list(from_session)}")
    for cell, shown in expected.items():
        # Only when it exports an ipynb does marimo leave Markdown as it is.
        if not cell.startswith("mo.md"):
            bench.check(from_session.get(cell) == shown, f"outputs are those of the export: {cell[:30]!r}", f"{from_session.get(cell)}\n{shown}")
    # That run has left a session as well.
    bench.flush()
    found = code_cells(paths["ipynb"])
    bench.check(found == expected, "all outputs are those of the export", f"{found}\n{expected}")
    nbformat.validate(nbformat.read(paths["ipynb"], 4))
    bench.check(texts == {name: paths[name].read_bytes() for name in texts}, "no other copy changes")
    bench.tool("jupyter", "nbconvert", "--to", "html", paths["ipynb"], "--output-dir", bench.folder / ".out")
    page = next((bench.folder / ".out").iterdir()).read_text()
    bench.check("to stdout" in page and "<p>rich</p>" in page, "nbconvert shows them")


def code_cells(path):
    """Returns what each code cell of a notebook has shown, by its code."""
    cells = nbformat.read(path, 4).cells
    return {cell.source: cell.outputs for cell in cells if cell.cell_type == "code"}


@scenario
def runs_in_the_editor(bench):
    """Outputs of cells that are run in marimo's editor arrive by themselves, each time."""
    said = bench.add("live.txt", "one")
    source = bench.add("live.py", LIVE)
    ipynb = bench.which(source, "ipynb")
    with bench.marimo_editor(source) as page:

        def has_come():
            page.message()
            return said.read_text() in "".join(outputs(ipynb))

        page.ask("kernel/instantiate", objectIds=[], values=[], autoRun=True)
        wait_for(has_come, "the outputs of the first run are in the notebook")
        said.write_text("two")
        page.ask("kernel/run", cellIds=page.cells["cell_ids"][-1:], codes=page.cells["codes"][-1:])
        wait_for(has_come, "the outputs of the second run are in the notebook")
    bench.check(outputs(ipynb) == ["", "live two\n"], "the newest run is in the notebook", outputs(ipynb))
    bench.check(source.read_text() == LIVE, "the script is as it was")


@scenario
def paths_and_imports_in_jupyter(bench):
    """JupyterLab, as `nbsync open` starts it, runs a shadow in the folder of its source."""
    source = prepare_local(bench)
    cells = code_cells(bench.which(source, "ipynb"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ("--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True")
    with bench.server(binary(), "open", source, "--in", "jupyter", "--", *options, url=f"{url}/api"):
        # As its page does for the notebook that it is started on.
        body = {"path": "local.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        request = urllib.request.Request(f"{url}/api/sessions", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            kernel = json.loads(answer.read())["kernel"]["id"]
        with connect(f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels") as socket:
            for no, code in enumerate(cells):
                header = {"msg_id": str(no), "username": "", "session": "s", "msg_type": "execute_request", "version": "5.3"}
                content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
                socket.send(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}))
                said = wait_for(lambda: reply_to(socket, str(no)), f"cell {no} ran")
                bench.check(said["status"] == "ok", f"cell {no} runs", f"{said}")
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/kernels/{kernel}", method="DELETE"), timeout=PATIENCE):
            pass
    check_local(bench, bench.folder)


def reply_to(socket, request):
    """Returns what a kernel answers, once it does."""
    with contextlib.suppress(TimeoutError):
        message = json.loads(socket.recv(timeout=1))
        is_reply = message["header"]["msg_type"] == "execute_reply"
        return is_reply and message["parent_header"].get("msg_id") == request and message["content"]
    return None


@scenario
def paths_and_imports_beside_the_source(bench):
    """With `layout = "sibling"`, every copy runs where its source does, however it is started."""
    root = bench.home.folder / "beside"
    root.mkdir()
    (root / "nbsync.toml").write_text('layout = "sibling"\n')
    for path in ("neighbour.py", "data/x.csv", "local.py"):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text({"neighbour.py": NEIGHBOUR, "data/x.csv": "7", "local.py": LOCAL}[path])
    bench.home.run("sync", root=root, check=0)
    runs = {
        "ipynb": ("jupyter", "nbconvert", "--execute", "--inplace", "--to", "notebook", "local.ipynb"),
        "marimo": ("marimo", "export", "html", "local.marimo.py", "-o", ".page.html"),
        "marimo as a script": ("python", "local.marimo.py"),
        "percent": ("python", "local.py"),
    }
    for name, words in runs.items():
        (root / "ran.txt").unlink(missing_ok=True)
        bench.tool(*words, cwd=root)
        check_local(bench, root, f" ({name})")
    bench.home.run("sync", root=root, check=0)
    bench.check((root / "local.py").read_text() == LOCAL, "the source is as it was")


def prepare_local(bench):
    bench.add("neighbour.py", NEIGHBOUR)
    bench.add("data/x.csv", "7")
    source = bench.add("local.py", LOCAL)
    bench.which(source, "ipynb")
    return source


def check_local(bench, folder, how=""):
    ran = folder / "ran.txt"
    text = ran.read_text() if ran.exists() else "it did not run"
    bench.check(text == f"{folder} 42 7", f"paths and imports are those of the source{how}", text)


@scenario
def formatters(bench):
    """ruff and black change cells, in the copy that they are run on, and only those change elsewhere."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}})
    for no, text in enumerate(("import os\n\nx = 1", "y=( x+1 )\nprint( y )", "z = 'one'", "print(z)")):
        cell = nbformat.v4.new_code_cell(text, id=f"cell-{no}", execution_count=no + 1)
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"{no}\n")]
        notebook.cells.append(cell)
    source = bench.add("nb.ipynb", nbformat.writes(notebook) + "\n")
    paths = bench.copies(source)
    bench.flush()
    before = nbformat.read(source, 4)

    bench.tool("ruff", "format", "--isolated", "--config", "format.quote-style='preserve'", paths["percent"])
    bench.one_edit(source, paths["percent"], 1)
    now = nbformat.read(source, 4)
    bench.check(now.cells[1].source == "y = x + 1\nprint(y)", "ruff's format arrives", now.cells[1].source)
    bench.check("y = x + 1" in paths["marimo"].read_text(), "and in marimo's copy")
    bench.tool("marimo", "check", paths["marimo"], code=None)

    bench.tool("black", "-q", paths["marimo"])
    bench.one_edit(source, paths["marimo"], 1)
    now = nbformat.read(source, 4)
    bench.check(now.cells[2].source == 'z = "one"', "black's quotes arrive", now.cells[2].source)
    bench.check('z = "one"' in paths["percent"].read_text(), "and in the script")

    bench.tool("ruff", "check", "--isolated", "--select", "F401", "--fix", paths["percent"])
    bench.one_edit(source, paths["percent"], 1)
    now = nbformat.read(source, 4)
    bench.check(now.cells[0].source.strip() == "x = 1", "an import that ruff removes goes", now.cells[0].source)
    for then, cell in zip(before.cells, now.cells, strict=True):
        kept = then.id == cell.id and then.outputs == cell.outputs
        bench.check(kept, f"{cell.id} keeps id and outputs", f"{cell}")


@scenario
def nbstripout(bench):
    """Outputs that are stripped from the notebook are no edit of it."""
    source = bench.add("report.py", SCRIPT)
    paths = bench.copies(source)
    bench.tool("jupyter", "nbconvert", "--execute", "--inplace", "--to", "notebook", paths["ipynb"])
    bench.flush()
    texts = {name: paths[name].read_bytes() for name in ("percent", "marimo")}
    stamps = {name: os.stat(paths[name]).st_mtime_ns for name in texts}
    bench.check(any(outputs(paths["ipynb"])), "there are outputs")
    bench.tool("nbstripout", paths["ipynb"])
    bench.flush()
    bench.check(not any(outputs(paths["ipynb"])), "they are gone", outputs(paths["ipynb"]))
    bench.check(texts == {name: paths[name].read_bytes() for name in texts}, "no other copy changes")
    now = {name: os.stat(paths[name]).st_mtime_ns for name in texts}
    bench.check(stamps == now, "no other copy is written", f"{stamps} {now}")


@scenario
def pre_commit(bench):
    """A hook formats what is committed, while what is not to be committed is put away."""
    names = {"NAME": "Test", "EMAIL": "test@example.org"}
    environ = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in names.items()}
    environ |= {"GIT_CONFIG_GLOBAL": "/dev/null", "PRE_COMMIT_HOME": str(bench.home.folder / "pre-commit")}
    git = functools.partial(bench.tool, "git", **environ)
    bench.add(".pre-commit-config.yaml", HOOKS)
    report = bench.add("report.py", SCRIPT)
    draft = bench.add("draft.py", SCRIPT)
    reports, drafts = bench.copies(report), bench.copies(draft)
    git("init", "-q")
    bench.tool("pre-commit", "install", **environ)
    git("add", ".")
    git("commit", "-q", "-m", "first")
    bench.check("__marimo__" not in git("ls-files"), "no shadow is committed")

    report.write_text(SCRIPT.replace("n = 3", "n=( 4 )"))
    git("add", "report.py")
    drafts["marimo"].write_text(drafts["marimo"].read_text().replace("n = 3", "n=( 5 )"))
    bench.flush()
    said = git("commit", "-q", "-m", "edit", code=1)
    bench.check("files were modified by this hook" in said, "the hook changes the report", said)
    bench.flush()
    for name, path in reports.items():
        bench.check("n = 4" in path.read_text(), f"the format arrives in {name}", path.read_text())
    for name, path in drafts.items():
        bench.check("n=( 5 )" in path.read_text(), f"the edit that was put away is back in {name}", path.read_text())
    git("add", "report.py")
    git("commit", "-q", "-m", "edit")
    bench.flush()
    bench.check(git("status", "--short").split() == ["M", "draft.py"], "nothing else has changed", git("status"))


@scenario
def package_managers(bench):
    """The files and environments of package managers are nobody's copies, and stay as they are."""
    paths = {name: bench.add(name, text) for name, text in MANAGERS.items()}
    source = bench.add("analysis.py", SCRIPT)
    copies = bench.copies(source)
    bench.tool("uv", "lock", "--offline", "--no-cache")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in [*paths.values(), bench.folder / "uv.lock"]}
    copies["marimo"].write_text(copies["marimo"].read_text().replace("n = 3", "n = 4"))
    bench.one_edit(source, copies["marimo"], 1)
    for path, was in before.items():
        bench.check(was == (path.read_bytes(), path.stat().st_mtime_ns), f"{path.name} stays as it is")
    pairings = [it for it in bench.daemon.status() if it.startswith(bench.name)]
    bench.check(pairings == [str(source.relative_to(bench.root))], "the notebook alone is one", f"{pairings}")


@scenario
def packages(bench):
    """A PEP 723 block that is added or changed in any copy arrives in all, and uv runs them by it."""
    for author in ("percent", "ipynb", "marimo"):
        source = bench.add(f"{author}.py", SCRIPT)
        paths = bench.copies(source)
        path = paths[author]
        if author == "ipynb":
            notebook = nbformat.read(path, 4)
            notebook.cells.insert(0, nbformat.v4.new_code_cell(BLOCK.rstrip()))
            path.write_text(nbformat.writes(notebook) + "\n")
        else:
            path.write_text(BLOCK + "\n" + path.read_text())
        bench.flush()
        for name, other in paths.items():
            text = other.read_text()
            has_all = all(line in text for line in ("/// script", "requires-python", "dependencies = []"))
            bench.check(has_all, f"a block that is added in {author} is in {name}", text[:400])
        # It is where the tools look for it.
        said = bench.tool("uv", "run", "--offline", "--no-project", "--script", paths["percent"])
        bench.check("squares [0, 1, 4]" in said, f"uv runs the script (block added in {author})", said)
        first = nbformat.read(paths["ipynb"], 4).cells[0].source
        bench.check(first.startswith("# /// script"), f"it is the first cell (block added in {author})", first)

        # `marimo edit` changes it like this when it installs a package for a notebook.
        path = paths["marimo"]
        path.write_text(path.read_text().replace("dependencies = []", 'dependencies = ["attrs==26.1.0"]'))
        bench.flush()
        for name, other in paths.items():
            text = other.read_text().replace('\\"', '"')
            bench.check('"attrs==26.1.0"' in text, f"a package that marimo adds is in {name}", text[:400])


@scenario
def sandbox(bench):
    """Packages that are named in one copy are there when another one runs, and marimo adds its own."""
    source = bench.add("boxed.py", BOXED)
    paths = bench.copies(source)
    # A block that is written in Jupyter.
    notebook = nbformat.read(paths["ipynb"], 4)
    block = BLOCK.rstrip().replace("[]", '["marimo==0.25.2", "six==1.16.0"]')
    notebook.cells.insert(0, nbformat.v4.new_code_cell(block))
    paths["ipynb"].write_text(nbformat.writes(notebook) + "\n")
    bench.flush()
    run = ("uv", "run", "--no-project", "--script")
    for name in ("marimo", "percent"):
        said = bench.tool(*run, paths[name])
        bench.check("six 1.16.0" in said, f"uv runs the {name} copy with the packages of the notebook", said)
    # And changed there.
    paths["ipynb"].write_text(paths["ipynb"].read_text().replace("six==1.16.0", "six==1.17.0"))
    bench.flush()
    said = bench.tool(*run, paths["marimo"])
    bench.check("six 1.17.0" in said, "uv runs the marimo copy with the changed packages", said)

    # marimo's editor in a sandbox of these packages, and one more that somebody installs there.
    with bench.marimo_editor(source, "--sandbox") as page:
        page.ask("kernel/instantiate", objectIds=[], values=[], autoRun=True)

        def has_run():
            page.message()
            return any("six 1.17.0" in it for it in outputs(paths["ipynb"]))

        wait_for(has_run, "the sandbox has run the notebook with its packages")
        said = page.ask("packages/add", package="attrs==26.1.0")
        bench.check(said["success"], "marimo installs a package", said)

        def has_block():
            page.message()
            return all("attrs==26.1.0" in path.read_text() for path in paths.values())

        wait_for(has_block, "the package that marimo has added is in all copies")
    bench.flush()
    first = nbformat.read(paths["ipynb"], 4).cells[0].source
    bench.check(all(it in first for it in ("marimo==0.25.2", "six==1.17.0")), "the others stay", first)


def main():
    folder = scratch("ecosystem")
    root = folder / "notebooks"
    root.mkdir()
    report = Report()
    home = Home(folder / "home")
    chosen = [it for it in SCENARIOS if not sys.argv[1:] or it.__name__ in sys.argv[1:]]
    try:
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            for it in chosen:
                bench = Bench(report, root, home, daemon)
                bench.name = it.__name__
                bench.folder.mkdir()
                try:
                    it(bench)
                except Exception:
                    report.check(False, it.__name__, traceback.format_exc())
                report.note(it.__name__)
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


if __name__ == "__main__":
    main()
