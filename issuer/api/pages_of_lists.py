"""What every list asks for and answers: a limit, a cursor, and no offset."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from issuer.api.cursors import MAX_CURSOR_CHARACTERS

__all__ = ["CursorOfPage", "ListQuery"]

CursorOfPage = Annotated[str | None, Query(min_length=1, max_length=MAX_CURSOR_CHARACTERS)]
"""Where a page of the console goes on."""


class ListQuery(BaseModel):
    """A page of a list; ``cursor`` is ``next`` of the page before."""

    model_config = ConfigDict(extra="forbid")

    cursor: str | None = Field(default=None, min_length=1, max_length=MAX_CURSOR_CHARACTERS)
    limit: int = Field(default=50, ge=1, le=200)
