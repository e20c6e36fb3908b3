"""People who type beside each other, each in an editor of their own that saves by itself."""

import time

from browser import PATIENCE
from pages import poll
from playwright.sync_api import TimeoutError as Hidden

# Of the rest after a line, in seconds.
SHORTEST, LONGEST = 0.3, 4.0


class Typist:
    """Types lines at random times, each a token of its own, at the end of one of its cells.

    What became of a line its editor shows. One that is not there after its last key went elsewhere, into
    a question that came up. Of the others an editor may take one back that it has not saved.
    """

    def __init__(self, nb, page, cells, rng):
        self.nb = nb
        self.page = page
        self.cells = cells
        self.rng = rng
        self.typed = []
        # What a question broke off.
        self.broken = []
        # Of those that are typed, what the editor has saved.
        self.saved = set()
        self._saves = page.watch_saves()
        self._rest()

    def _rest(self):
        self._next = time.monotonic() + self.rng.uniform(SHORTEST, LONGEST)

    def step(self):
        """Types another line if it is time for that."""
        self.nb.insist(self.page)
        self.look()
        if time.monotonic() < self._next:
            return
        token = f"{self.page.name.replace('-', '_')}_{len(self.typed) + len(self.broken)}"
        self._type(self.rng.choice(self.cells), f"\n{token} = 0")
        # A loaded machine shows it a moment later.
        is_whole = poll(lambda: self._is_shown(token), PATIENCE / 30_000)
        (self.typed if is_whole else self.broken).append(token)
        self._rest()

    def _type(self, cell, text):
        """Types at the end of a cell. A question may come up at that moment, and be in the way."""
        for _ in range(30):
            self.nb.insist(self.page)
            with self.page.patience(PATIENCE / 30):
                try:
                    return self.page.type(cell, text)
                except Hidden:
                    pass
        raise RuntimeError(f"{self.page.name} lets nobody type")

    def _is_shown(self, token):
        return self.page.shows(f"{token} = 0")

    def look(self):
        """Takes note of what the editor has saved by now."""
        texts = [self.page.path.read_text(), *self._saves]
        self._saves.clear()
        self.saved.update(it for it in self.typed if any(f"{it} = 0" in text for text in texts))

    def taken_back(self):
        """Returns what the editor neither shows nor has ever saved."""
        self.look()
        return [it for it in self.typed if it not in self.saved and not self._is_shown(it)]


def type_beside_each_other(typists, seconds):
    """Has all of them type for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for typist in typists:
            typist.step()
        time.sleep(0.02)
