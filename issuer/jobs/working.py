"""What both kinds of runners do with a key: work on it, and let no failure end the runner."""

import structlog

from issuer.errors import IssuerError
from issuer.services.job_ports import WorkList

__all__ = ["SWEEP_LIMIT", "work_on"]

SWEEP_LIMIT = 1000
"""How many rows of one list a look finds; the next look finds more."""

_log = structlog.get_logger(__name__)


def work_on(work_list: WorkList, *, kind: str, key: str) -> None:
    """Work on one row; a failure is told by its code or kind, because texts may hold data of people."""
    try:
        work_list.work(key)
    except IssuerError as error:
        _log.warning("job.failed", kind=kind, key=key, code=error.code)
    except Exception as error:  # noqa: BLE001 - the next row must have its turn
        _log.error("job.broke", kind=kind, key=key, error=type(error).__name__)
