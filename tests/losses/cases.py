"""The list of cases: what was done, what jupytext makes of it, and what nbsync has to.

S1, S2, ... are the numbers of a study of `jupytext --sync` 1.19.6. They have gaps.
"""

from dataclasses import dataclass
from typing import Callable

STUDY = [f"S{no}" for no in (*range(1, 32), *range(33, 39), 40, 51, 52)]


@dataclass
class Case:
    # A number of the study, or nothing.
    id: str
    # What `jupytext --sync` does in a number of the study. Several cases of one number have it
    # once.
    jupytext: str
    # What nbsync has to do. The function checks it.
    nbsync: str
    function: Callable
    # The daemon stops and forgets what the files agreed on at the function's `yield`.
    without_base: bool
    # Whether it is also done to files that jupytext has paired: the script beside the notebook.
    paired: bool

    @property
    def name(self):
        return self.function.__name__

    @property
    def order(self):
        return (STUDY.index(self.id) if self.id else len(STUDY), self.name)


CASES = []


def case(id="", *, nbsync, jupytext="", without_base=False, paired=True):
    """Makes a function a case. It gets a `Pair` of its own."""

    def add(function):
        CASES.append(Case(id, jupytext, nbsync, function, without_base, paired))
        return function

    return add
