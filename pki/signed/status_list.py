"""The status list: what every card of an authority counts as, in one signed file (SPEC.md, 7.8).

A card that it does not know is *unknown*, and never valid. One set of states, number and times has one encoding, so
that whoever applies a delta gets the very bytes that were signed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError
from pki.keys.algorithms import HashAlgorithm, PublicKey
from pki.signed.card_states import MAX_LIST_POSITIONS, CardState, CardStates
from pki.signed.decoding import SecurityObjectError, decode, expect
from pki.signed.list_period import ListPeriod
from pki.signed.signed_list import PreparedSignedList, SignedList
from pki.signed.status_coding import (
    decode_states,
    encode_states,
    join_identifiers,
    split_identifiers,
)

__all__ = [
    "ID_STATUS_LIST",
    "MAX_STATUS_LIST_BYTES",
    "StatusList",
    "prepare_status_list",
]

ID_STATUS_LIST: Final = ObjectIdentifier("1.3.6.1.4.1.32473.51.2.2")

MAX_STATUS_LIST_BYTES: Final = 4 * 1024 * 1024
"""Twelve million cards in the worst mix of states."""

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
            expect("version of the status list", content.version, _VERSION)
            period = ListPeriod.of_content(content.number, content.this_update, content.next_update)
            period.check_made_by(signer, signed.signing_time)
            return cls(
                der=der,
                number=period.number,
                this_update=period.this_update,
                next_update=period.next_update,
                states=_states(content),
                signer=signer,
                signature=signed.signature,
            )
        except PkiDataError as error:
            raise PkiDataError(
                f"a status list cannot be read: {error}", code="status-list.malformed"
            ) from error

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
    period = ListPeriod.of_request(
        number, this_update, next_update, code="status-list.request-invalid"
    )
    start, end = period.encoded()
    content = _StatusListContent(
        version=_VERSION,
        number=number,
        this_update=start,
        next_update=end,
        positions=states.positions,
        lists=join_identifiers(tuple(states.tables)),
        states=encode_states(states),
    )
    return PreparedSignedList.compose(
        content_type=ID_STATUS_LIST,
        content=asn1.encode_der(content),
        certificate=signer_certificate,
        public_key=public_key,
        signing_time=period.this_update,
    )


def _states(content: _StatusListContent) -> CardStates:
    if not 1 <= content.positions <= MAX_LIST_POSITIONS:
        raise SecurityObjectError(
            f"lists have {content.positions:x} positions, expected at most {MAX_LIST_POSITIONS}"
        )
    return decode_states(
        content.states, list_ids=split_identifiers(content.lists), positions=content.positions
    )
