"""Times as the texts that stand in certificates and CRLs (RFC 5280, 4.1.2.5)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = ["GENERALIZED_FORM", "Time", "read_moment"]

GENERALIZED_FORM: Final = re.compile(rb"[0-9]{14}Z")
"""YYYYMMDDHHMMSSZ, the only form that RFC 5280, 4.1.2.5.2 leaves of GeneralizedTime."""

_UTC_FORM: Final = re.compile(rb"[0-9]{12}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A UTCTime or GeneralizedTime; ``content`` is its text as it stands."""

    is_generalized: bool
    content: bytes

    @property
    def digits(self) -> bytes:
        """The digits that it begins with."""
        return self.content[: len(self.content) - len(self.content.lstrip(b"0123456789"))]

    @property
    def is_zulu(self) -> bool:
        """Whether it ends with Z."""
        return self.content.endswith(b"Z")

    @property
    def has_seconds(self) -> bool:
        """Whether it has seconds: 12 or 14 digits."""
        return len(self.digits) >= (14 if self.is_generalized else 12)

    @property
    def has_fraction(self) -> bool:
        """Whether it has a fraction of a second."""
        return self.content[len(self.digits) :][:1] in {b".", b","}

    @property
    def is_well_formed(self) -> bool:
        """Whether it has the one form that is left of its type."""
        form = GENERALIZED_FORM if self.is_generalized else _UTC_FORM
        return form.fullmatch(self.content) is not None

    @property
    def moment(self) -> datetime | None:
        """The time; None where it is not in the one form, or not in the calendar."""
        if not self.is_well_formed:
            return None
        text = self.content
        if not self.is_generalized:
            # RFC 5280, 4.1.2.5.1: years from 50 on are of the twentieth century.
            text = (b"19" if text[:2] >= b"50" else b"20") + text
        return read_moment(text)


def read_moment(text: bytes) -> datetime | None:
    """The time that YYYYMMDDHHMMSSZ spells; None where it spells none."""
    if GENERALIZED_FORM.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
