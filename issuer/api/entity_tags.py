"""Entity tags: what was read is named when it is changed, so that nobody overwrites what they have not seen."""

import hashlib
from typing import Annotated, Final

from fastapi import Header, Request, Response
from pydantic import BaseModel

from issuer.api.problems import ApiError

__all__ = ["MatchHeader", "entity_tag", "require_match", "tagged"]

_TAG_CHARACTERS: Final = 32

MatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The entity tag of what was read before it is changed.",
        max_length=80,
        examples=['"5d41402abc4b2a76b9719d911017c592"'],
    ),
]


def entity_tag(document: BaseModel) -> str:
    """A strong validator of what a document says (RFC 9110, 8.8.3)."""
    digest = hashlib.sha256(document.model_dump_json().encode()).hexdigest()
    return f'"{digest[:_TAG_CHARACTERS]}"'


def tagged(request: Request, document: BaseModel) -> Response:
    """The document with its entity tag; nothing but the tag where the client has it already (RFC 9110, 13.1.2)."""
    tag = entity_tag(document)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")
    if tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(document.model_dump_json(), media_type="application/json", headers=headers)


def require_match(if_match: str | None, current: BaseModel) -> None:
    """Let a change pass whose client read what is there now.

    Raises:
        ApiError: ``api.precondition-missing``, ``api.precondition-failed``.
    """
    tags = [] if if_match is None else [each.strip() for each in if_match.split(",")]
    if not any(tags) or "*" in tags:
        # The asterisk is for whoever has read nothing (RFC 9110, 13.1.1), and nobody decides on what they have not seen.
        raise ApiError(
            "If-Match names no version, expected the entity tag that was read",
            code="api.precondition-missing",
        )
    if entity_tag(current) not in tags:
        raise ApiError(
            "it is not any more what was read: somebody changed it meanwhile",
            code="api.precondition-failed",
            hint="read it again, then decide",
        )
