"""The chip maker's delivery list, and every other list of serials."""

import csv
import io
from dataclasses import dataclass

from issuer.domain.chip import Serial, parse_serial
from issuer.errors import IssuerDataError

__all__ = ["MAX_DELIVERY_BYTES", "MAX_DELIVERY_ROWS", "Receipt", "read_delivery"]

MAX_DELIVERY_BYTES = 16 * 1024 * 1024
MAX_DELIVERY_ROWS = 200_000

_SERIAL_COLUMN = "serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """How many chips a delivery list names, and how many of them were new."""

    listed: int
    new: int


def read_delivery(content: bytes) -> tuple[Serial, ...]:
    """The serials of a delivery list: CSV in UTF-8 whose header has a column ``serial``.

    Raises:
        IssuerDataError: no such list (``delivery.malformed``), a serial that is none
            (``chip.serial-malformed``), or one that stands twice (``delivery.repeated``).
    """
    if len(content) > MAX_DELIVERY_BYTES:
        raise IssuerDataError(
            f"the delivery list has {len(content)} bytes, expected at most {MAX_DELIVERY_BYTES}",
            code="delivery.malformed",
        )
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        if _SERIAL_COLUMN not in (rows.fieldnames or ()):
            raise IssuerDataError(
                f"the delivery list has no column {_SERIAL_COLUMN!r}", code="delivery.malformed"
            )
        found = _serials(rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise IssuerDataError(
            "the delivery list is not CSV in UTF-8", code="delivery.malformed"
        ) from error
    if not found:
        raise IssuerDataError("the delivery list names no chip", code="delivery.malformed")
    return tuple(found)


def _serials(rows: "csv.DictReader[str]") -> dict[Serial, None]:
    found: dict[Serial, None] = {}
    for row in rows:
        if len(found) == MAX_DELIVERY_ROWS:
            raise IssuerDataError(
                f"the delivery list has more than {MAX_DELIVERY_ROWS} rows",
                code="delivery.malformed",
            )
        # csv gives None for a column that a short row does not reach.
        serial = parse_serial((row[_SERIAL_COLUMN] or "").strip())
        if serial in found:
            raise IssuerDataError(
                f"serial {serial.hex().upper()} stands twice, in line {rows.line_num} again",
                code="delivery.repeated",
            )
        found[serial] = None
    return found
