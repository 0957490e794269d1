"""Puts the jobs together: which queue and runner stand behind the ports, by the database of the home."""

from typing import Protocol

from issuer.db.base import Database
from issuer.jobs.in_process import InProcessJobs
from issuer.services.job_ports import JobQueue, JobRunner, WorkLists

__all__ = ["Jobs", "jobs_of", "prepare_jobs"]


class Jobs(JobQueue, JobRunner, Protocol):
    """A queue with its runner."""


def jobs_of(database: Database, work_lists: WorkLists) -> Jobs:
    """In this process on SQLite, through pgqueuer on PostgreSQL."""
    if database.is_sqlite:
        return InProcessJobs(work_lists)
    # It comes with the extra that brings the database's driver.
    from issuer.jobs.postgres import PostgresJobs  # noqa: PLC0415

    return PostgresJobs(database.conninfo, work_lists)


def prepare_jobs(database: Database) -> None:
    """Make or upgrade what the queue keeps in the database; on SQLite there is nothing.

    Raises:
        IssuerUnavailableError: the database does not answer (``database.unavailable``).
    """
    if database.is_sqlite:
        return
    from issuer.jobs.postgres import prepare_queue  # noqa: PLC0415

    prepare_queue(database.conninfo)
