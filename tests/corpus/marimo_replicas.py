"""Edits of marimo notebooks from elsewhere: what marimo's own save would not have written, is not written.

The sources are as marimo saves them, half of them scripts and half of them the ipynb of the same notebook.
Each gets edits in its ipynb and in its percent replica. After every one, the marimo script has to be what
marimo would save for these cells, and all other cells in it have to keep their code; and their bytes, but for
what follows the edit by marimo's own rules: arguments, `return` lines, and a function or class that can no longer
(or can now) stand on its own because a function that it calls can't (or can).
"""

from pathlib import Path

from support import views
from support.daemon import Daemon


def check_all(report, home, folder, corpus, make_run, copy):
    """`make_run` makes a `Run` of a daemon and the folder with the notebooks as they were at first."""
    prepared = folder / "marimo-prepared"
    n = prepare(home, prepared, corpus)
    root = folder / "marimo-notebooks"
    copy(prepared, root, "")
    with Daemon(root, home, log=folder / "marimo-daemon.log") as daemon:
        run = make_run(daemon, prepared)
        run.check_start()
        scripts = {
            source: it["path"]
            for source, pairing in run.pairings.items()
            for it in pairing["replicas"]
            if it["format"] == "marimo"
        }
        report.check(len(scripts) == 2 * n, f"{2 * n} notebooks have a marimo script", len(scripts))
        for format in ("ipynb", "percent"):
            for op in ("change", "insert"):
                before = {source: (root / path).read_text() for source, path in scripts.items()}
                run.round(format, op)
                after = {source: (root / path).read_text() for source, path in scripts.items()}
                count(report, f"{op} in {format}", before, after)
        report.check(daemon.stop() == 0, "the daemon of the marimo notebooks exits 0 at SIGTERM")


def prepare(home, prepared, corpus):
    """Writes every marimo notebook of the corpus as marimo saves it, and as ipynb."""
    names = set()
    for file in sorted((corpus / "marimo").rglob("*.py")):
        if file.name == "__init__.py":
            continue
        source = prepared / "script" / file.name
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(views.regen(file.read_text()))
        target = prepared / "ipynb" / f"{file.stem}.ipynb"
        target.parent.mkdir(exist_ok=True)
        home.run("convert", source, "--to", "ipynb", "-o", target, check=0)
        names.add(file.name)
    return len(names)


def count(report, what, before, after):
    edited = [source for source in before if before[source] != after[source]]
    n_saved = n_kept = 0
    reframed = []
    for source in edited:
        is_saved = views.regen(after[source]) == after[source]
        n_saved += is_saved
        report.check(is_saved, f"{source}: as marimo saves it after {what}")
        old, new = (views.read_marimo(it[source]).cells for it in (before, after))
        is_kept = n_new(old, new, "block") <= 1
        n_kept += is_kept
        if not is_kept:
            reframed.append(source)
        report.check(n_new(old, new, "source") <= 1, f"{source}: the code of all other cells stays after {what}")
    by_kind = [sum(Path(it).parts[0] == kind for it in edited) for kind in ("script", "ipynb")]
    report.note(
        f"{what}: {len(edited)} marimo notebooks ({by_kind[0]} scripts, {by_kind[1]} shadows of ipynb), "
        f"{n_saved} as marimo saves them, {n_kept} with all other cells byte for byte the same"
        + (f"; the code alone in {', '.join(reframed)}" if reframed else "")
    )


def n_new(old, new, attribute):
    known = [getattr(it, attribute) for it in old]
    return sum(getattr(it, attribute) not in known for it in new)
