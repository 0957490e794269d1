"""The status list: what every card of an authority counts as, in one signed file (SPEC.md, 7.8).

A card that it does not know is *unknown*, and never valid. One set of states, number and times has one encoding, so
that whoever applies a delta gets the very bytes that were signed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.signed.card_states import MAX_LIST_POSITIONS, CardState, CardStates
from pki.signed.decoding import SecurityObjectError, decode
from pki.signed.signed_list import PreparedSignedList, SignedList
from pki.signed.status_coding import (
    decode_states,
    encode_states,
    join_identifiers,
    split_identifiers,
)

__all__ = [
    "ID_STATUS_LIST",
    "MAX_NUMBER",
    "MAX_STATUS_LIST_BYTES",
    "MAX_STATUS_LIST_LIFETIME",
    "StatusList",
    "check_period",
    "prepare_status_list",
]

ID_STATUS_LIST: Final = ObjectIdentifier("1.3.6.1.4.1.32473.51.2.2")

MAX_STATUS_LIST_BYTES: Final = 4 * 1024 * 1024
"""Twelve million cards in the worst mix of states."""

MAX_STATUS_LIST_LIFETIME: Final = timedelta(days=90)
MAX_NUMBER: Final = (1 << 63) - 1

_VERSION: Final = 1


@asn1.sequence
class _StatusListContent:
    version: int
    number: int
    this_update: asn1.GeneralizedTime
    next_update: asn1.GeneralizedTime
    positions: int
    lists: bytes
    states: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """A parsed status list; whether an authority certified ``signer`` is for the trust anchors to say."""

    der: bytes = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    states: CardStates
    signer: ListSignerCertificate
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo``, its signature by the certificate that it carries included.

        Raises:
            PkiDataError: ``status-list.malformed``.
        """
        # The signature comes first: what nobody signed is never unpacked.
        return cls._read(der, SignedList.from_bytes)

    @classmethod
    def read_unproven(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo`` without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``status-list.malformed``.
        """
        return cls._read(der, SignedList.read_unproven)

    @classmethod
    def _read(cls, der: bytes, read: Callable[..., SignedList]) -> Self:
        try:
            signed = read(der, content_type=ID_STATUS_LIST, maximum_bytes=MAX_STATUS_LIST_BYTES)
            signer = ListSignerCertificate.from_bytes(
                signed.signer_certificate, kind=ProfileKind.STATUS_LIST_SIGNER
            )
            content = decode(_StatusListContent, signed.content, "content of the status list")
            found = cls(
                der=der,
                number=_number(content),
                this_update=content.this_update.as_datetime(),
                next_update=content.next_update.as_datetime(),
                states=_states(content),
                signer=signer,
                signature=signed.signature,
            )
            _check_times(found, signed.signing_time)
        except PkiDataError as error:
            raise PkiDataError(
                f"a status list cannot be read: {error}", code="status-list.malformed"
            ) from error
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole file, in hex."""
        return HashAlgorithm.SHA256.digest(self.der).hex()

    def find(self, list_id: bytes, index: int) -> CardState | None:
        """What the card at a status reference counts as; ``None`` where this list does not know it."""
        return self.states.find(list_id, index)


def prepare_status_list(
    *,
    signer_certificate: bytes,
    public_key: PublicKey,
    number: int,
    this_update: datetime,
    next_update: datetime,
    states: CardStates,
) -> PreparedSignedList:
    """Everything of a status list but its signature.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``status-list.request-invalid``, ``signing.key-mismatch``.
    """
    ListSignerCertificate.from_bytes(signer_certificate, kind=ProfileKind.STATUS_LIST_SIGNER)
    start, end = check_period(number, this_update, next_update)
    content = _StatusListContent(
        version=_VERSION,
        number=number,
        this_update=asn1.GeneralizedTime(start),
        next_update=asn1.GeneralizedTime(end),
        positions=states.positions,
        lists=join_identifiers(tuple(states.tables)),
        states=encode_states(states),
    )
    return PreparedSignedList.compose(
        content_type=ID_STATUS_LIST,
        content=asn1.encode_der(content),
        certificate=signer_certificate,
        public_key=public_key,
        signing_time=start,
    )


def check_period(
    number: int, this_update: datetime, next_update: datetime
) -> tuple[datetime, datetime]:
    """Both times in whole seconds of UTC, if number and times may stand in a list.

    Raises:
        PkiRefusedError: ``status-list.request-invalid``.
    """
    start = this_update.astimezone(UTC).replace(microsecond=0)
    end = next_update.astimezone(UTC).replace(microsecond=0)
    if not timedelta(0) < end - start <= MAX_STATUS_LIST_LIFETIME or not 1 <= number <= MAX_NUMBER:
        raise PkiRefusedError(
            f"status list {number} would be current for {end - start}, expected a positive number and "
            f"at most {MAX_STATUS_LIST_LIFETIME}",
            code="status-list.request-invalid",
        )
    return start, end


def _number(content: _StatusListContent) -> int:
    if content.version != _VERSION or not 1 <= content.number <= MAX_NUMBER:
        raise SecurityObjectError(
            f"the status list has version {content.version:x}, expected {_VERSION}, "
            "or a number that is not positive or too long"
        )
    return content.number


def _states(content: _StatusListContent) -> CardStates:
    if not 1 <= content.positions <= MAX_LIST_POSITIONS:
        raise SecurityObjectError(
            f"lists have {content.positions:x} positions, expected at most {MAX_LIST_POSITIONS}"
        )
    return decode_states(
        content.states, list_ids=split_identifiers(content.lists), positions=content.positions
    )


def _check_times(found: StatusList, signing_time: datetime) -> None:
    """It was signed when it says it was made, for at most as long as allowed, with a key that might."""
    if found.this_update.microsecond or found.next_update.microsecond:
        raise SecurityObjectError("a time in the status list has a fraction of a second")
    if signing_time != found.this_update:
        raise SecurityObjectError(
            f"signing time is {signing_time}, expected {found.this_update}, when the list was made"
        )
    if not timedelta(0) < found.next_update - found.this_update <= MAX_STATUS_LIST_LIFETIME:
        raise SecurityObjectError(
            f"it is current for {found.next_update - found.this_update}, "
            f"expected at most {MAX_STATUS_LIST_LIFETIME}"
        )
    signer = found.signer
    start = max(signer.not_before, signer.key_use_not_before)
    end = min(signer.not_after, signer.key_use_not_after)
    if not start <= found.this_update <= end:
        raise SecurityObjectError(
            f"it was made at {found.this_update}, its signer's key signs from {start} to {end}"
        )
