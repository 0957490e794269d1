"""When a signed list of ours counts: its number, and the time for which it is current (SPEC.md, 7.8, 7.11 and 9.9).

Stop list, status list and trust bundle differ in what they hold. How they are numbered, how long they may be current
and when their signer's key may have made them is one rule, and it stands here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography.hazmat import asn1

from pki.certificates.list_signer import ListSignerCertificate
from pki.errors import PkiRefusedError
from pki.signed.decoding import SecurityObjectError

__all__ = ["MAX_LIST_LIFETIME", "MAX_LIST_NUMBER", "ListPeriod"]

MAX_LIST_LIFETIME: Final = timedelta(days=90)
"""As long as a CRL: whoever has the one has the others."""

MAX_LIST_NUMBER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPeriod:
    """Number and times of one list, in whole seconds of UTC and within the limits."""

    number: int
    this_update: datetime
    next_update: datetime

    def __post_init__(self) -> None:
        """Refuse what no list may state.

        Raises:
            SecurityObjectError: a number or a time is not one that lists have.
        """
        if not 1 <= self.number <= MAX_LIST_NUMBER:
            raise SecurityObjectError(
                f"its number is {self.number:x}, expected a positive one of at most 63 bits"
            )
        if self.this_update.microsecond or self.next_update.microsecond:
            raise SecurityObjectError("one of its times has a fraction of a second")
        if not timedelta(0) < self.next_update - self.this_update <= MAX_LIST_LIFETIME:
            raise SecurityObjectError(
                f"it is current for {self.next_update - self.this_update}, "
                f"expected at most {MAX_LIST_LIFETIME}"
            )

    @classmethod
    def of_content(
        cls, number: int, this_update: asn1.GeneralizedTime, next_update: asn1.GeneralizedTime
    ) -> Self:
        """What a list that was read states.

        Raises:
            SecurityObjectError: no list may state it.
        """
        return cls(
            number=number,
            this_update=this_update.as_datetime(),
            next_update=next_update.as_datetime(),
        )

    @classmethod
    def of_request(
        cls, number: int, this_update: datetime, next_update: datetime, *, code: str
    ) -> Self:
        """What a list that is to be signed will state; times are cut to whole seconds.

        Raises:
            PkiRefusedError: with ``code``: no list may state it.
        """
        try:
            return cls(
                number=number,
                this_update=this_update.astimezone(UTC).replace(microsecond=0),
                next_update=next_update.astimezone(UTC).replace(microsecond=0),
            )
        except SecurityObjectError as error:
            raise PkiRefusedError(f"list {number} cannot be signed: {error}", code=code) from error

    def encoded(self) -> tuple[asn1.GeneralizedTime, asn1.GeneralizedTime]:
        """Both times as they stand in a list."""
        return asn1.GeneralizedTime(self.this_update), asn1.GeneralizedTime(self.next_update)

    def check_made_by(self, signer: ListSignerCertificate, signing_time: datetime) -> None:
        """It was signed when it says it was made, with a key that might sign then.

        Raises:
            SecurityObjectError: it was not.
        """
        if signing_time != self.this_update:
            raise SecurityObjectError(
                f"signing time is {signing_time}, expected {self.this_update}, when the list was made"
            )
        start = max(signer.not_before, signer.key_use_not_before)
        end = min(signer.not_after, signer.key_use_not_after)
        if not start <= self.this_update <= end:
            raise SecurityObjectError(
                f"it was made at {self.this_update}, its signer's key signs from {start} to {end}"
            )
