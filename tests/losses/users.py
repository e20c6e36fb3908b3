"""What users of several tools ask for."""

import os

from support import edits, inotify
from support.editors import ALL

from .cases import case


@case(nbsync="an edited cell keeps id and outputs")
def edit_of_a_cell(pair):
    pair.edit("percent", "b = 2", "b = 20")
    pair.arrives("b = 20")


@case(
    nbsync="a PEP 723 block above all cells is in all copies; an edit elsewhere leaves it there",
    paired=False,
)
def pep_723(pair):
    block = '# /// script\n# dependencies = ["numpy"]\n# ///'
    text = f"{block}\n\n# %%\nimport numpy as np\n\n# %%\nnp.arange(3)\n"
    deps = pair.other("deps.py", text)
    deps.flush()
    for format in deps.paths:
        deps.check("# dependencies = [" in deps.read(format), f"the {format} copy has the block")
    deps.edit("ipynb", "np.arange(3)", "np.arange(30)")
    deps.flush()
    deps.edit("marimo", "np.arange(30)", "np.arange(31)")
    deps.flush()
    deps.equal(deps.read("percent"), text.replace("(3)", "(31)"), "the script")
    deps.edit("marimo", '["numpy"]', '["numpy", "scipy"]')
    deps.flush()
    deps.check('["numpy", "scipy"]' in deps.read("percent"), "an edit of the block arrives")


PERCENT = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %%
# /// script
# dependencies = ["numpy"]
# ///

# %% [markdown]
# # Why not?

# %% tags=["parameters"]
n = 3

# %%
# %time sum(range(n))
"""

MARIMO = '''\
# /// script
# dependencies = ["marimo", "numpy"]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")

with app.setup:
    import numpy as np


@app.cell(hide_code=True)
def title(mo):
    mo.md(r"""
    # Why?
    """)
    return


@app.cell(hide_code=True)
def numbers():
    n = 3
    return (n,)


@app.function
def double(x):
    return 2 * x


@app.cell
def _(n):
    double(np.arange(n))
    return


@app.cell
def _():
    import marimo as mo

    return (mo,)


if __name__ == "__main__":
    app.run()
'''


@case(nbsync="percent -> ipynb -> percent gives the same bytes, with a PEP 723 block", paired=False)
def percent_there_and_back(pair):
    there_and_back(pair, "percent", PERCENT, ["ipynb"])


@case(
    nbsync="marimo -> ipynb or percent -> marimo gives the same bytes: names, options, setup, ...",
    paired=False,
)
def marimo_there_and_back(pair):
    there_and_back(pair, "marimo", MARIMO, ["ipynb", "percent"])


def there_and_back(pair, format, text, others):
    def convert(data, to):
        return pair.daemon.home.run("convert", "-", "--to", to, stdin=data, check=0).stdout

    for other in others:
        back = convert(convert(text.encode(), other), format).decode()
        detail = edits.first_line(text, back)
        pair.check(back == text, f"{format} -> {other} -> {format}", detail)


@case(nbsync="an update arrives as a rename within the folder, which marimo's watcher sees")
def update_is_a_rename_in_the_folder(pair):
    with inotify.Inotify(pair.marimo.parent, mask=inotify.MOVED_FROM | inotify.MOVED_TO) as watcher:
        pair.edit("percent", "a = 1", "a = 10")
        pair.flush()
        moved = [path.name for path, *_ in watcher.read()]
    # The exchange moves the old text out and the new one in; the last event is of the name.
    name = pair.marimo.name
    pair.check(f".{name}.nbsync-" in moved[1] and moved[3] == name, "the exchange is seen", moved)


@case(nbsync="files of which only the time changed make nobody write")
def time_only(pair):
    with inotify.Inotify(*inotify.folders(pair.folder), mask=inotify.SAVES) as watcher:
        for path in pair.paths.values():
            os.utime(path)
        pair.flush()
        pair.equal(watcher.read(), [], "saves")
    pair.untouched()


@case(nbsync="whatever way an editor saves in, its edit arrives")
def ways_to_save(pair):
    for no, style in enumerate(ALL):
        pair.edit("percent", f"a = {1 + no}\n", f"a = {2 + no}\n", style)
        pair.flush()
        pair.everywhere(f"a = {2 + no}")
    pair.cells_kept()
