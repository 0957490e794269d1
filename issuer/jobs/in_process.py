"""Jobs in the process that asks for them: what a commune with one process and one file needs."""

import queue
import threading
import time
from collections.abc import Sequence

import structlog

from issuer.errors import IssuerError
from issuer.jobs.working import SWEEP_LIMIT, work_on
from issuer.services.job_ports import WorkLists

__all__ = ["InProcessJobs"]

_MAX_WAITING = 10_000
_log = structlog.get_logger(__name__)


class InProcessJobs:
    """A queue in memory and the runner that empties it; wake-ups come from any thread."""

    def __init__(self, work_lists: WorkLists, *, sweep_seconds: float = 60.0) -> None:
        """Bind the work lists.

        Args:
            work_lists: all kinds of work.
            sweep_seconds: how often all lists are looked through.
        """
        self._work_lists = work_lists
        self._sweep_seconds = sweep_seconds
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue(maxsize=_MAX_WAITING)

    def wake(self, kind: str, keys: Sequence[str]) -> None:
        """As ``JobQueue.wake``."""
        if kind not in self._work_lists:
            raise ValueError(f"there is no work of kind {kind!r}")
        try:
            for key in keys:
                self._waiting.put_nowait((kind, key))
        except queue.Full:
            _log.info("jobs.many", kind=kind)

    def run(self, stop: threading.Event) -> None:
        """As ``JobRunner.run``."""
        end_of_wait = threading.Thread(target=self._wake_at_the_end, args=(stop,), daemon=True)
        end_of_wait.start()
        while not stop.is_set():
            self._sweep(stop)
            self._work_until_sweep(stop)

    def _wake_at_the_end(self, stop: threading.Event) -> None:
        stop.wait()
        self._waiting.put(None)

    def _work_until_sweep(self, stop: threading.Event) -> None:
        """Take wake-ups until it is time to look through the lists again."""
        next_sweep = time.monotonic() + self._sweep_seconds
        while not stop.is_set():
            try:
                found = self._waiting.get(timeout=max(0.0, next_sweep - time.monotonic()))
            except queue.Empty:
                return
            if found is not None and not stop.is_set():
                kind, key = found
                work_on(self._work_lists[kind], kind=kind, key=key)

    def _sweep(self, stop: threading.Event) -> None:
        for kind, work_list in self._work_lists.items():
            try:
                keys = work_list.waiting(limit=SWEEP_LIMIT)
            except IssuerError as error:
                _log.warning("jobs.sweep-failed", kind=kind, code=error.code)
                continue
            for key in keys:
                if stop.is_set():
                    return
                work_on(work_list, kind=kind, key=key)
