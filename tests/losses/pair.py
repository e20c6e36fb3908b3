"""One notebook and its replicas, with checks that all cases share."""

import shutil
import subprocess

import nbformat

from support import edits, views
from support.daemon import Failure
from support.editors import in_place, save
from support.notebooks import write_notebook


class Pair:
    def __init__(self, report, daemon, folder, name, source="nb.ipynb"):
        self.report = report
        self.daemon = daemon
        self.folder = folder
        self.name = name
        self.find(f"{folder.relative_to(daemon.root)}/{source}")
        self.first = {format: self.read(format) for format in self.paths}
        self.first_ids = self.ids()

    def find(self, source):
        """Takes the replicas of this source for those of the case."""
        self.source = source
        pairing = self.daemon.status().get(source)
        if pairing is None:
            raise Failure(f"{source} has no pairing")
        root = self.daemon.root
        self.paths = {it["format"]: root / it["path"] for it in pairing["replicas"]}
        self.ipynb, self.percent, self.marimo = (
            self.paths.get(it) for it in ("ipynb", "percent", "marimo")
        )

    def other(self, name, text):
        """Starts with another notebook: a text, or what nbformat makes of it."""
        path = self.folder / "other" / name
        if isinstance(text, nbformat.NotebookNode):
            write_notebook(path, text)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, text)
        self.daemon.flush()
        return Pair(self.report, self.daemon, path.parent, self.name, name)

    def git(self, *args):
        """Runs git in the folder of the case."""
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        command = ["git", "-C", str(self.folder), *identity, "-c", "core.autocrlf=false", *args]
        environ = self.daemon.home.environ(GIT_CONFIG_NOSYSTEM="1")
        res = subprocess.run(command, env=environ, capture_output=True, text=True)
        if res.returncode:
            raise Failure(f"git {' '.join(args)} exited {res.returncode}: {res.stderr.strip()}")
        return res.stdout

    # --- reading ---------------------------------------------------------------------------------

    def read(self, format):
        # Without Python's translation of line ends.
        return self.paths[format].read_bytes().decode()

    def view(self, format):
        path = self.paths[format]
        return views.view(format, path.suffix, path.read_text())

    def sources(self, format="ipynb"):
        return [cell.source for cell in self.view(format).cells if cell.key != edits.SYNTHETIC]

    def ids(self):
        return [cell.rest.get("id") for cell in self.view("ipynb").cells]

    def cell(self, text, format="ipynb"):
        """Returns the one cell with a text."""
        found = [it for it in self.view(format).cells if text in it.source]
        if len(found) != 1:
            raise Failure(f"{format} has {text!r} in {len(found)} cells")
        return found[0]

    def outputs(self):
        """Returns what each code cell printed, top to bottom."""
        return [
            "".join(views.joined(it["text"]) for it in cell.rest["outputs"])
            for cell in self.view("ipynb").cells
            if cell.kind == "code"
        ]

    # --- editing ---------------------------------------------------------------------------------

    def edit(self, format, old, new, style=in_place):
        """Replaces a text in a replica and saves it."""
        text = self.read(format)
        if text.count(old) != 1:
            raise Failure(f"{format} has {old!r} {text.count(old)} times")
        save(self.paths[format], text.replace(old, new), style)

    def edit_at_once(self, *edits):
        """Makes edits, of which the daemon sees none before the others."""
        with self.daemon.paused():
            for edit in edits:
                self.edit(*edit)

    def arrange(self, *blocks):
        """Saves the percent script with these cells below its header. Those of the start are named
        by what they define, `text` is the markdown."""
        view = views.view("percent", ".py", self.first["percent"])
        names = {}
        for cell in view.cells:
            first = cell.source.split(" ")[0]
            names["text" if cell.kind == "markdown" else first] = cell.block
        texts = [names.get(it, it) for it in blocks]
        save(self.percent, view.head + "\n\n".join(texts) + "\n")

    def block(self, name):
        """Returns a cell of the percent script with its marker."""
        view = views.view("percent", ".py", self.first["percent"])
        return next(it.block for it in view.cells if it.source.startswith(name))

    # --- checks ----------------------------------------------------------------------------------

    def check(self, ok, what, detail=""):
        return self.report.check(ok, f"{self.name}: {what}", detail)

    def equal(self, found, expected, what):
        return self.check(found == expected, f"{what}: {expected!r}", f"found {found!r}")

    def flush(self, *, state="synced"):
        """Waits, and checks the state of this notebook."""
        self.daemon.flush()
        pairing = self.daemon.status()[self.source]
        detail = pairing.get("reason", "")
        self.check(pairing["state"] == state, f"is {state}, found {pairing['state']}", detail)
        return pairing

    def held(self, *words):
        """Waits, and checks that the notebook is held with a reason that has these words."""
        pairing = self.flush(state="held")
        reason = pairing.get("reason") or ""
        for word in words:
            self.check(word in reason, f"the reason has {word!r}", reason)

    def holds(self, format, text, *words):
        """Saves a text in a replica that no other one may get, and waits."""
        save(self.paths[format], text)
        self.held(*words)
        self.untouched(*(it for it in self.paths if it != format))

    def arrives(self, *texts):
        """Waits, and checks that each text is in all replicas, and nothing else has changed."""
        self.flush()
        self.everywhere(*texts)
        self.cells_kept()

    def everywhere(self, *texts):
        """Each text is in one cell of each replica."""
        for format in self.paths:
            for text in texts:
                n = sum(text in source for source in self.sources(format))
                self.check(n == 1, f"{format} has {text!r} once, found {n} times")

    def nowhere(self, *texts):
        for format in self.paths:
            for text in texts:
                self.check(text not in self.read(format), f"{format} has no {text!r}")

    def cells_kept(self, *names):
        """Outputs, ids and attachments of these cells are those of the start."""
        first = views.view("ipynb", ".ipynb", self.first["ipynb"])
        before = {cell.rest["id"]: cell.rest for cell in first.cells}
        after = {cell.rest.get("id"): cell.rest for cell in self.view("ipynb").cells}
        for name in names or ("a", "b", "c", "text"):
            id = f"cell-{name}"
            ok = after.get(id) == before[id]
            self.check(ok, f"{id} keeps id, outputs and attachments", f"{after.get(id)}")

    def untouched(self, *formats):
        """These files, or all, are those of the start."""
        for format in formats or self.paths:
            now = self.read(format)
            detail = edits.first_line(self.first[format], now)
            self.check(now == self.first[format], f"{format} is untouched", detail)


def forget(home):
    """Deletes what a daemon that has stopped knew of its folders."""
    shutil.rmtree(home.state)
    home.state.mkdir()
