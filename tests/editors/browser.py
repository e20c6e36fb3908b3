"""Debian's Chromium, headless, driven by Playwright."""

import contextlib
import shutil

from playwright.sync_api import sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Pages in the background type and save as well.
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
]

# Longer than any editor takes to open on a loaded machine with two cores, in ms.
PATIENCE = 60_000


@contextlib.contextmanager
def browser():
    """Starts the browser with a fresh profile."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise RuntimeError("no chromium; install Debian's package `chromium`")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def new_page(chromium, height):
    """Opens a page of its own context, as another window of another user would be.

    Editors leave out what nobody can see, so a page has to be as high as what is typed. Its picture
    has half as many points each way, which is less to paint.
    """
    context = chromium.new_context(viewport={"width": 1280, "height": height}, device_scale_factor=0.5)
    context.set_default_timeout(PATIENCE)
    return context.new_page()
