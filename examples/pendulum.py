# /// script
# requires-python = ">=3.10"
# dependencies = ["marimo"]
# ///

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Pendulum")

with app.setup:
    import math

    import marimo as mo


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # A pendulum that is let go

    For small swings the period doesn't depend on the angle: $T_0 = 2\pi\sqrt{l/g}$.
    How wrong is that for large ones? Move the sliders.
    """)
    return


@app.cell
def controls():
    length = mo.ui.slider(0.1, 2.0, step=0.1, value=1.0, label="length in m")
    angle = mo.ui.slider(5, 175, step=5, value=60, label="angle in degrees")
    mo.hstack([length, angle])
    return angle, length


@app.function
def swing(length, angle, step=0.001, g=9.81):
    """Returns the angles over one swing there and back, and its time in seconds."""
    theta, omega = math.radians(angle), 0.0
    path = [theta]
    while True:
        # Symplectic Euler: it keeps the energy, so that the time doesn't drift.
        before = omega
        omega -= g / length * math.sin(theta) * step
        theta += omega * step
        path.append(theta)
        if before > 0.0 >= omega:
            return path, step * len(path)


@app.cell
def _(angle, length):
    path, period = swing(length.value, angle.value)
    small = 2 * math.pi * math.sqrt(length.value / 9.81)
    return path, period, small


@app.cell
def _(path, period, small):
    _points = " ".join(
        f"{300 * i / len(path):.1f},{50 - 40 * theta / path[0]:.1f}"
        for i, theta in enumerate(path)
        if i % 20 == 0
    )
    mo.vstack(
        [
            mo.Html(
                f'<svg viewBox="0 0 300 100"><polyline points="{_points}" fill="none" stroke="steelblue"/></svg>'
            ),
            mo.md(f"**{period:.3f} s**, against {small:.3f} s by the formula for small angles"),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## By how much?

    The first terms of the series are enough up to about 90 degrees:

    $$T \approx T_0 \left(1 + \frac{\theta^2}{16} + \frac{11\,\theta^4}{3072}\right)$$
    """)
    return


@app.cell
def _(angle, period, small):
    _theta = math.radians(angle.value)
    series = small * (1 + _theta**2 / 16 + 11 * _theta**4 / 3072)
    print(f"series {series:.3f} s, simulated {period:.3f} s")
    return


if __name__ == "__main__":
    app.run()
