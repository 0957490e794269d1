"""Copying requests and decisions out of a database and into another one, of either kind; the rest is made anew."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from pki.db.base import Database
from pki.db.tables import DecisionRow, RequestRow
from pki.errors import PkiDataError, RecordError

__all__ = ["export_requests", "import_requests"]

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_REQUEST: Final = (
    "id",
    "kind",
    "content",
    "digest",
    "requester",
    "request_key",
    "requested_at",
    "expires_at",
    "state",
    "version",
)
_DECISION: Final = ("operator", "verdict", "reason", "decision_key", "decided_at")
_MAX_BYTES: Final = 1 << 30


def export_requests(database: Database) -> bytes:
    """All requests in their order, each with its decisions: one JSON object a line.

    Raises:
        RecordError: the database does not answer, or has no tables.
    """
    with database.reading() as session:
        # Decisions first: one that is made meanwhile is left out, and none is without its request.
        decisions: dict[int, list[dict[str, Any]]] = {}
        for decision in session.scalars(sa.select(DecisionRow).order_by(DecisionRow.number)):
            decisions.setdefault(decision.request_number, []).append(_document(decision, _DECISION))
        lines = [
            json.dumps(
                _document(request, _REQUEST) | {"decisions": decisions.get(request.number, [])},
                sort_keys=True,
            )
            for request in session.scalars(sa.select(RequestRow).order_by(RequestRow.number))
        ]
    return "".join(line + "\n" for line in lines).encode()


def import_requests(database: Database, copy: bytes) -> int:
    """Store what ``export_requests`` gave, in one transaction; give back how many requests. The same again is harmless.

    Raises:
        PkiDataError: ``backup.malformed``.
        RecordError: ``backup.database-not-empty``: it holds other requests; the database fails.
    """
    if len(copy) > _MAX_BYTES:
        raise _malformed(f"it has {len(copy)} bytes, expected at most {_MAX_BYTES}")
    found = [_parse(line) for line in copy.splitlines()]
    if export_requests(database) == copy:
        return len(found)
    with database.writing() as session:
        if session.scalar(sa.select(sa.func.count()).select_from(RequestRow)):
            raise RecordError(
                "the database holds other requests already, expected an empty one",
                code="backup.database-not-empty",
            )
        for request, decisions in found:
            row = RequestRow(**request)
            session.add(row)
            session.flush()
            for decision in decisions:
                session.add(DecisionRow(request_number=row.number, **decision))
                session.flush()
    return len(found)


def _document(row: RequestRow | DecisionRow, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).strftime(_TIME_FORMAT)
        case bytes():
            return value.hex()
        case uuid.UUID():
            return str(value)
        case _:
            return value


def _parse(line: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        found = json.loads(line)
        decisions = [_values(each, _DECISION) for each in found.pop("decisions")]
        return _values(found, _REQUEST), decisions
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _malformed("a line is no request with decisions") from error


def _values(document: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    if set(document) != set(names):
        raise ValueError(sorted(document))
    return {name: _value(name, value) for name, value in document.items()}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_at"):
        return datetime.strptime(value, _TIME_FORMAT).replace(tzinfo=UTC)
    if name == "id":
        return uuid.UUID(value)
    if name == "digest":
        return bytes.fromhex(value)
    if not isinstance(value, int if name == "version" else str | None):
        raise TypeError(name)
    return value


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(
        f"the copy of the database's requests is malformed: {reason}", code="backup.malformed"
    )
