"""The content of questionable rows, sealed to the row it belongs to."""

import base64
import json
from datetime import date, datetime
from typing import Any, Final

from issuer.db.sealing import Sealer
from issuer.domain.list_row import Cell
from issuer.domain.member import PortraitDigest
from issuer.errors import IssuerUnavailableError
from issuer.services.import_ports import QuestionableContent, RowReference

__all__ = ["ImportSeals"]

_CONTENT: Final = "import_rows.content"
_CONTENT_DIGEST: Final = "import_rows.content_digest"


class ImportSeals:
    """Seals and opens contents, and tells whether the same content came before."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def seal(self, reference: RowReference, content: QuestionableContent) -> bytes:
        """The ciphertext, which opens for this row only."""
        document = {
            "cells": _plain(content),
            "portrait": base64.b64encode(content.portrait).decode(),
            "source": content.source.hex(),
        }
        return self._sealer.seal(
            json.dumps(document).encode(), purpose=_CONTENT, row=str(reference).encode()
        )

    def open(self, reference: RowReference, sealed: bytes) -> QuestionableContent:
        """What was sealed.

        Raises:
            IssuerUnavailableError: it was altered or sealed under another key (``register.seal-broken``).
        """
        try:
            plain = self._sealer.open(sealed, purpose=_CONTENT, row=str(reference).encode())
        except IssuerUnavailableError as error:
            raise IssuerUnavailableError(
                f"the content of row {reference} cannot be opened with this keystore",
                code="register.seal-broken",
            ) from error
        document = json.loads(plain)
        return QuestionableContent(
            cells={column: _cell(value) for column, value in document["cells"].items()},
            portrait=base64.b64decode(document["portrait"]),
            source=PortraitDigest(bytes.fromhex(document["source"])),
        )

    def digest(self, content: QuestionableContent) -> bytes:
        """Alike for the same cells with the same picture, in whatever list they come."""
        text = json.dumps([_plain(content), content.source.hex()], sort_keys=True)
        return self._sealer.digest(text, purpose=_CONTENT_DIGEST)


def _plain(content: QuestionableContent) -> dict[str, Any]:
    return {
        column: {"date": cell.isoformat()} if isinstance(cell, date) else cell
        for column, cell in content.cells.items()
    }


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        text = str(value["date"])
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    if value is None or isinstance(value, (str, float, int, bool)):
        return value
    raise TypeError(f"got a cell of {type(value).__name__}")
