"""Files that are not whole, or not what they should be: they must not travel."""

from support import views
from support.editors import save

from .cases import case


@case(
    "S6",
    jupytext="takes it: cells and outputs are removed from the notebook",
    nbsync="the notebook is held; nothing is written, and the rest of the save is taken",
)
def torn_script(pair):
    # The beginning of a save: it ends within a word, and most cells are missing.
    text = pair.first["percent"]
    torn = text[: text.index("print(a)") + len("pri")]
    pair.holds("percent", torn)
    pair.equal(pair.read("percent"), torn, "the torn file is left to its editor")
    save(pair.percent, text.replace("c = 3", "c = 30"))
    pair.arrives("c = 30")


@case(
    "S7",
    jupytext="takes it: the notebook is empty, and its ids and outputs are gone for good",
    nbsync="the notebook is held; nothing is written, and the next whole save is taken",
)
def empty_script(pair):
    pair.holds("percent", "", "empty")
    save(pair.percent, pair.first["percent"].replace("a = 1", "a = 10"))
    pair.arrives("a = 10")


@case("S7", nbsync="the same for a marimo script")
def empty_marimo(pair):
    pair.holds("marimo", "", "empty")
    save(pair.marimo, pair.first["marimo"])
    pair.flush()
    pair.untouched()


@case("S7", nbsync="the same for a header without cells")
def header_only(pair):
    head = views.view("percent", ".py", pair.first["percent"]).head
    pair.holds("percent", head)
    save(pair.percent, pair.first["percent"])
    pair.flush()
    pair.untouched()


@case(
    "S8",
    jupytext="an exception; nothing is lost, and nothing is synced until it is mended by hand",
    nbsync="the notebook is held; the next whole save is taken",
)
def torn_notebook(pair):
    text = pair.first["ipynb"]
    pair.holds("ipynb", text[: len(text) // 2])
    save(pair.ipynb, text.replace("c = 3", "c = 30"))
    pair.arrives("c = 30")


@case(
    "S9",
    jupytext="an exception; nothing is lost, and nothing is synced until it is mended by hand",
    nbsync="the notebook is held; edits of the other copies meanwhile arrive afterwards",
)
def empty_notebook(pair):
    pair.holds("ipynb", "", "empty")
    pair.edit("percent", "a = 1", "a = 10")
    pair.held()
    pair.equal(pair.read("ipynb"), "", "the empty notebook is left to its editor")
    save(pair.ipynb, pair.first["ipynb"])
    pair.arrives("a = 10")


@case(
    "S10",
    jupytext="the markers become code of the notebook",
    nbsync="the notebook is held until they are gone",
)
def conflict_markers(pair):
    text = pair.first["percent"]
    ours = "<<<<<<< HEAD\na = 10\n=======\na = 11\n>>>>>>> theirs"
    pair.holds("percent", text.replace("a = 1", ours), "conflict")
    save(pair.percent, text.replace("a = 1", "a = 11"))
    pair.arrives("a = 11")


@case(
    "S11",
    jupytext="passes; right, since it does not read code",
    nbsync="passes; all other cells stay what they are, in marimo's copy too",
)
def syntax_error(pair):
    pair.edit("percent", "b = 2", "b = (2")
    pair.flush()
    pair.everywhere("b = (2")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.edit("marimo", "b = (2", "b = (20)")
    pair.arrives("a = 1", "b = (20)", "c = 30")


@case(
    "S12",
    jupytext="the cells below are swallowed; once the quote is closed they come back without ids "
    "and outputs, and one output is on the wrong cell",
    nbsync="the notebook is held until the quote is closed; ids and outputs stay where they are",
)
def open_quotes(pair):
    # All that follows is in the string now; half of the notebook seems to be gone.
    pair.edit("percent", "print(a)", "print(a)\ntext = '''")
    pair.held()
    pair.untouched("ipynb", "marimo")
    pair.edit("percent", "text = '''", "text = '''closed'''")
    pair.arrives("'''closed'''")


@case("S12", nbsync="an open quote in marimo's copy takes no cell from the others")
def open_quotes_in_marimo(pair):
    pair.edit("marimo", "print(a)", "print(a)\n    text = '''")
    pair.daemon.flush()
    pair.cells_kept("b", "c", "text")
    pair.edit("marimo", "text = '''", "text = '''closed'''")
    pair.arrives("'''closed'''")


@case(
    "S14",
    jupytext="an exception; nothing is lost, and nothing is synced until it is mended by hand",
    nbsync="the notebook is held with the reason; edits meanwhile arrive once it is mended",
)
def broken_header(pair):
    pair.edit("percent", "#     name: python3", "#     name: [python3")
    pair.held()
    pair.untouched("ipynb", "marimo")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.held()
    pair.edit("percent", "#     name: [python3", "#     name: python3")
    pair.arrives("c = 30")


@case(
    "S26",
    jupytext="an exception; nothing is written",
    nbsync="the notebook is held with the reason; the bytes are left alone",
)
def latin_1(pair):
    data = pair.first["percent"].replace("*text*", "*t\xeaxt*").encode("latin-1")
    pair.holds("percent", data, "UTF-8")
    pair.equal(pair.percent.read_bytes(), data, "bytes")
    save(pair.percent, pair.first["percent"].replace("*text*", "*t\xeaxt*"))
    pair.arrives("*t\xeaxt*")


# --- beyond the study ------------------------------------------------------------------------------


@case(nbsync="a syntax error in marimo's copy takes no cell from the others")
def broken_marimo_then_mended(pair):
    pair.edit("marimo", "b = 2", "b = (2")
    pair.flush()
    pair.everywhere("a = 1", "c = 3")
    pair.edit("marimo", "b = (2", "b = (20)")
    pair.arrives("b = (20)")
