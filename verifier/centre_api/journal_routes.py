"""Uploading journals: where the centre's copy ends, and the next page of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from verifier.centre_api.callers import Caller, Services
from verifier.centre_api.terminal_routes import json_body, strict_json
from verifier.services.journal_page import JournalPage

__all__ = ["journal_router"]

journal_router = APIRouter(prefix="/v1/journals", tags=["journals"])

_HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_PAGE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["begin", "begin_digest", "dropped", "release", "records"],
                    "properties": {
                        "begin": {"type": "integer", "minimum": 0},
                        "begin_digest": _HEX,
                        "dropped": {"type": "integer", "minimum": 0},
                        "release": _HEX,
                        "records": {
                            "type": "array",
                            "maxItems": 400,
                            "items": {"type": "string", "maxLength": 8192},
                        },
                    },
                }
            }
        },
    }
}

Name = Annotated[
    str,
    Path(pattern=r"^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$", examples=["terminal-5d0c61a9f0b7e2d4"]),
]


class JournalEnd(BaseModel):
    """Where the centre's copy of a journal ends."""

    sequence: int = Field(ge=0)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class TakenPage(JournalEnd):
    """The same, after a page was taken in."""

    taken: int = Field(ge=0, description="How many of its records were new.")


@journal_router.get("/{name}", summary="Where the centre's copy of a journal ends")
def journal_end(name: Name, terminal: Caller, services: Services) -> JournalEnd:
    """Of a journal of which nothing was taken yet: where it begins."""
    head = services.journals.head(terminal, name)
    return JournalEnd(sequence=head.sequence, digest=head.digest.hex())


@journal_router.post(
    "/{name}/records",
    summary="Take in the next records of a journal",
    dependencies=[Depends(strict_json)],
    openapi_extra=_PAGE,
)
def take_records(
    name: Name, text: Annotated[str, Depends(json_body)], terminal: Caller, services: Services
) -> TakenPage:
    """The same page again changes nothing. Edits and gaps are refused by name, and raise an alarm."""
    taken = services.journals.take(terminal, name, JournalPage.from_bytes(text.encode()))
    return TakenPage(
        sequence=taken.head.sequence, digest=taken.head.digest.hex(), taken=taken.count
    )
