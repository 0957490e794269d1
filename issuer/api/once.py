"""Requests that carry a key: noted before they are carried out, answered once, and the same answer ever after."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Header, Response
from pydantic import BaseModel

from issuer.api.ports import ApiServices
from issuer.domain.rights import AccountName
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.operation_ports import KeptAnswer, RequestMark

__all__ = ["KEY_PATTERN", "KeyHeader", "Receipt", "answer_of", "carry_out_once", "mark_of"]

KEY_PATTERN: Final = r"^[A-Za-z0-9_-]{16,64}$"

KeyHeader = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Drawn by the client for each thing it asks for; the same again changes nothing.",
        pattern=KEY_PATTERN,
        examples=["0b5c8e5e-3b63-4b0e-9d55-7c6d6f0a7c11"],
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is answered to whoever asked for a change: identifiers, states and counts, never anybody's data."""

    status: int
    location: str
    document: BaseModel


def mark_of(account: AccountName, key: str, *, what: str, content: bytes) -> RequestMark:
    """The mark of a request: its key, and a digest of what it asks for.

    Args:
        account: who asks.
        key: what they drew.
        what: the route's name.
        content: everything that the request says, or a digest of it.
    """
    text = json.dumps([what, hashlib.sha256(content).hexdigest()])
    digest = hashlib.sha256(text.encode()).digest()
    return RequestMark(account=account, key=key, digest=digest)


def carry_out_once(
    services: ApiServices, mark: RequestMark, act: Callable[[], Receipt]
) -> KeptAnswer:
    """Carry a request out, unless it was already; its answer either way.

    Raises:
        IssuerRefusedError: ``idempotency.key-reused``, ``idempotency.outcome-unknown``, or what ``act`` refuses.
    """
    kept = services.idempotency.reserve(mark, at=services.now())
    if kept is not None:
        return kept
    try:
        receipt = act()
    except (IssuerDataError, IssuerRefusedError):
        # Both say that nothing was changed. After anything else nobody knows, and the key stays taken.
        services.idempotency.release(mark)
        raise
    answer = KeptAnswer(
        status=receipt.status,
        location=receipt.location,
        body=receipt.document.model_dump_json(exclude_none=True).encode(),
    )
    services.idempotency.keep(mark, answer)
    return answer


def answer_of(kept: KeptAnswer) -> Response:
    """The answer for programs."""
    headers = {} if kept.location is None else {"Location": kept.location}
    return Response(
        kept.body, status_code=kept.status, media_type="application/json", headers=headers
    )
