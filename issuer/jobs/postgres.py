"""Jobs through PostgreSQL (pgqueuer): any number of processes give wake-ups, any number of workers take them.

A job is a chunk of keys of one kind. Its worker may die: the job is given out again after ``LEASE``, and the rows'
own states say what of it is left.
"""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final

import psycopg
import structlog
from pgqueuer import Job, Queries, QueueManager
from pgqueuer.db import SyncPsycopgDriver
from pgqueuer.queries import SyncQueries

from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.jobs.working import SWEEP_LIMIT, work_on
from issuer.services.job_ports import WorkLists

__all__ = ["PostgresJobs", "prepare_queue"]

CHUNK: Final = 50
"""Keys a job: 160 jobs a second singly, 4,400 keys a second in chunks (measured, docs/scale.md)."""

LEASE: Final = timedelta(seconds=30)
_RETRY_SECONDS: Final = 2.0
_log = structlog.get_logger(__name__)


def prepare_queue(conninfo: str) -> None:
    """Make the queue's tables, or bring them up to date.

    Raises:
        IssuerUnavailableError: the database does not answer (``database.unavailable``).
    """

    async def prepare() -> None:
        async with await _connect(conninfo) as connection:
            queries = Queries.from_psycopg_connection(connection)
            if await queries.schema_is_installed():
                await queries.upgrade()
            else:
                await queries.install()

    try:
        asyncio.run(prepare())
    except psycopg.Error as error:
        raise IssuerUnavailableError(
            "the database does not take the tables of the queue", code="database.unavailable"
        ) from error


class PostgresJobs:
    """The queue and its runner over one database; wake-ups come from any thread."""

    def __init__(
        self,
        conninfo: str,
        work_lists: WorkLists,
        *,
        sweep_seconds: float = 60.0,
        workers: int = 2,
        lease: timedelta = LEASE,
    ) -> None:
        """Bind the work lists; nothing is connected yet.

        Args:
            conninfo: the database as libpq takes it (a URL); its queue was prepared (``prepare_queue``).
            work_lists: all kinds of work.
            sweep_seconds: how often all lists are looked through.
            workers: how many jobs this process works on at once.
            lease: after what time a silent worker's job is given to another.
        """
        self._conninfo = conninfo
        self._work_lists = work_lists
        self._sweep_seconds = sweep_seconds
        self._workers = workers
        self._lease = lease
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None

    def wake(self, kind: str, keys: Sequence[str]) -> None:
        """As ``JobQueue.wake``."""
        if kind not in self._work_lists:
            raise ValueError(f"there is no work of kind {kind!r}")
        chunks = [list(keys[start : start + CHUNK]) for start in range(0, len(keys), CHUNK)]
        if not chunks:
            return
        with self._lock:
            try:
                self._enqueue(kind, chunks)
            except psycopg.Error as error:
                self._hang_up()
                _log.warning("jobs.wake-up-lost", kind=kind, error=type(error).__name__)

    def close(self) -> None:
        """Let the connection for wake-ups go."""
        with self._lock:
            self._hang_up()

    def run(self, stop: threading.Event) -> None:
        """As ``JobRunner.run``."""
        with ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="job") as pool:
            while not stop.is_set():
                try:
                    asyncio.run(self._serve(stop, pool))
                except (psycopg.Error, OSError) as error:
                    _log.warning("jobs.database-gone", error=type(error).__name__)
                    stop.wait(_RETRY_SECONDS)

    def _enqueue(self, kind: str, chunks: list[list[str]]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._conninfo, autocommit=True)
        SyncQueries(SyncPsycopgDriver(self._connection)).enqueue(
            [kind] * len(chunks),
            [json.dumps(chunk).encode() for chunk in chunks],
            [0] * len(chunks),
        )

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _serve(self, stop: threading.Event, pool: ThreadPoolExecutor) -> None:
        async with await _connect(self._conninfo) as connection:
            manager = QueueManager(Queries.from_psycopg_connection(connection))
            for kind in self._work_lists:
                self._register(manager, kind, pool)
            ending = asyncio.create_task(self._end(manager, stop))
            sweeping = asyncio.create_task(self._sweep_again_and_again(manager, pool))
            try:
                await manager.run(
                    batch_size=1,
                    max_concurrent_tasks=max(2, self._workers),
                    heartbeat_timeout=self._lease,
                    shutdown_on_listener_failure=True,
                )
            finally:
                sweeping.cancel()
                ending.cancel()
                await asyncio.gather(sweeping, ending, return_exceptions=True)

    def _register(self, manager: QueueManager, kind: str, pool: ThreadPoolExecutor) -> None:
        work_list = self._work_lists[kind]

        def work_on_all(keys: list[str]) -> None:
            for key in keys:
                work_on(work_list, kind=kind, key=key)

        async def handle(job: Job) -> None:
            keys = [str(key) for key in json.loads(job.payload or b"[]")]
            await asyncio.get_running_loop().run_in_executor(pool, work_on_all, keys)

        manager.entrypoint(kind)(handle)

    async def _end(self, manager: QueueManager, stop: threading.Event) -> None:
        while not stop.is_set():  # noqa: ASYNC110 - the stop comes from threads and signal handlers
            await asyncio.sleep(0.1)
        manager.shutdown.set()

    async def _sweep_again_and_again(self, manager: QueueManager, pool: ThreadPoolExecutor) -> None:
        """Work on what no wake-up spoke of; a row that somebody works on is that one's."""
        loop = asyncio.get_running_loop()
        while not manager.shutdown.is_set():
            for kind, work_list in self._work_lists.items():
                try:
                    look = partial(work_list.waiting, limit=SWEEP_LIMIT)
                    keys = await loop.run_in_executor(pool, look)
                except IssuerError as error:
                    _log.warning("jobs.sweep-failed", kind=kind, code=error.code)
                    continue
                for key in keys:
                    if manager.shutdown.is_set():
                        return
                    work = partial(work_on, work_list, kind=kind, key=key)
                    await loop.run_in_executor(pool, work)
            await asyncio.sleep(self._sweep_seconds)


async def _connect(conninfo: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
