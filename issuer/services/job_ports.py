"""Ports of the work that goes on behind a request: imports, compilations, anything that takes longer than an answer.

A row's state is the work list. A wake-up only says that there is something in it: it is given after the commit, may
be lost or come twice, and whoever runs the work looks through all lists from time to time for what was missed.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

__all__ = ["JobQueue", "JobRunner", "WorkList", "WorkLists"]


class WorkList(Protocol):
    """One kind of work, kept as states of rows."""

    def waiting(self, *, limit: int) -> Sequence[str]:
        """Keys of rows that wait to be worked on, or whose worker has died, the oldest first."""

    def work(self, key: str) -> None:
        """Do what the row asks for; it claims the row first, and does nothing where another has it or it is done.

        Raises:
            IssuerError: it could not be done now. Whether it is tried again is said by the row's state alone.
        """


WorkLists = Mapping[str, WorkList]
"""The work lists by the name of their kind: lower-case words with hyphens."""


class JobQueue(Protocol):
    """Where wake-ups are given."""

    def wake(self, kind: str, keys: Sequence[str]) -> None:
        """Say, after the commit, that these rows wait. Never fails: a lost wake-up costs time and nothing else."""


class JobRunner(Protocol):
    """Who does the work."""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what is under way is finished first.

        Errors of the work and of the database are logged by their code and do not end it.
        """
