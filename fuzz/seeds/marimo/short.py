import marimo
app = marimo.App()
@app.cell
def name(x): y = f"{x!r:>{10}}"; return y
@app.cell
async def _():
    # %time
    await z
