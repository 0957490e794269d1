"""What goes over the signer's socket about status lists (docs/signer-protocol.md): the states of all cards, the signed list."""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pki.errors import PkiDataError
from pki.signed.card_states import (
    LIST_ID_BYTES,
    LIST_POSITIONS,
    MAX_LIST_POSITIONS,
    MAX_LISTS,
    CardStates,
)
from pki.signed.list_period import MAX_LIST_LIFETIME
from pki.signed.status_coding import (
    decode_states,
    encode_states,
    join_identifiers,
    split_identifiers,
)
from pki.signer_service.frames import ProtocolError, dump, load_answer, read_number, read_octets

__all__ = [
    "MEMBERS",
    "OPERATION",
    "IssueStatusRequest",
    "read_issue_status",
    "read_issued_status",
    "write_issued_status",
]

OPERATION: Final = "issue-status"
_MAX_POSITIONS: Final = MAX_LISTS * LIST_POSITIONS
"""Of all lists together: what a few bytes say must not fill the memory."""

MEMBERS: Final = frozenset({"version", "operation", "positions", "lists", "states", "days"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueStatusRequest:
    """Have the next status list signed: the states of all cards, and how many days it is current at most."""

    states: CardStates = field(repr=False)
    days: int

    def to_bytes(self) -> bytes:
        """The content of the frame."""
        return dump(
            {
                "operation": OPERATION,
                "positions": self.states.positions,
                "lists": join_identifiers(tuple(self.states.tables)).hex(),
                "states": _to_text(encode_states(self.states)),
                "days": self.days,
            }
        )


def read_issue_status(found: Mapping[str, Any]) -> IssueStatusRequest:
    """Read the members of a request, of which there are just ``MEMBERS``.

    Raises:
        ProtocolError: ``protocol.malformed``.
    """
    positions = read_number(found["positions"], "positions", 1, MAX_LIST_POSITIONS)
    days = read_number(found["days"], "days", 1, MAX_LIST_LIFETIME.days)
    lists = read_octets(found["lists"], "lists", None)
    if not lists or len(lists) % LIST_ID_BYTES:
        raise ProtocolError(f"lists have {len(lists)} bytes, expected {LIST_ID_BYTES} for each")
    if positions * (len(lists) // LIST_ID_BYTES) > _MAX_POSITIONS:
        raise ProtocolError(f"lists have more than {_MAX_POSITIONS} positions together")
    try:
        states = decode_states(
            _from_text(found["states"], "states"),
            list_ids=split_identifiers(lists),
            positions=positions,
        )
    except PkiDataError as error:
        raise ProtocolError(f"states cannot be read: {error}") from error
    return IssueStatusRequest(states=states, days=days)


def write_issued_status(der: bytes) -> bytes:
    """The content of the answer to an issue-status request: the whole list."""
    return dump({"list": _to_text(der)})


def read_issued_status(content: bytes) -> bytes:
    """The status list in an answer, which is still to be read and believed.

    Raises:
        ProtocolError: ``protocol.malformed``, ``protocol.version``.
        PkiError: the signer answered with this error.
    """
    return _from_text(load_answer(content, {"list"})["list"], "list")


def _to_text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _from_text(found: object, what: str) -> bytes:
    if not isinstance(found, str):
        raise ProtocolError(f"{what} is no text")
    try:
        return a2b_base64(found, strict_mode=True)
    except (Base64Error, ValueError) as error:
        raise ProtocolError(f"{what} is not base64") from error
