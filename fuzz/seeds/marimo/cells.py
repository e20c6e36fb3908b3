# /// script
# dependencies = []
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="full")

with app.setup(hide_code=True):
    import os


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Title
    """)
    return


@app.function
def f(x):
    return x


app._unparsable_cell(
    r"""
    x = (
    """,
    name="_"
)

if __name__ == "__main__":
    app.run()
