"""The stop list: signers that may no longer be believed, told at once (SPEC.md, 9.9).

A CRL waits for the quorum of the root's key; this list is signed with an online key of its own, which the
authority has certified for nothing else. It stops signers of that authority, and only those.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Self

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pki.certificates.list_signer import ListSignerCertificate
from pki.certificates.profile import ProfileKind
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import PublicKey
from pki.signed.decoding import SecurityObjectError, decode, element, expect, whole
from pki.signed.list_period import ListPeriod
from pki.signed.signed_list import MAX_LIST_BYTES, PreparedSignedList, SignedList

__all__ = [
    "ID_STOP_LIST",
    "MAX_STOP_LIST_BYTES",
    "StopList",
    "prepare_stop_list",
]

ID_STOP_LIST: Final = ObjectIdentifier("1.3.6.1.4.1.32473.51.2.1")

MAX_STOP_LIST_BYTES: Final = MAX_LIST_BYTES

_VERSION: Final = 1
_MAX_ENTRIES: Final = 4096


@asn1.sequence
class _StoppedCertificate:
    issuer: asn1.TLV
    serial_number: int
    stopped_at: asn1.GeneralizedTime
    compromised_since: asn1.GeneralizedTime | None


@asn1.sequence
class _StopListContent:
    version: int
    number: int
    this_update: asn1.GeneralizedTime
    next_update: asn1.GeneralizedTime
    stopped: list[_StoppedCertificate]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopList:
    """A parsed stop list; ``stopped`` maps serial numbers of ``issuer``'s certificates to when they were stopped.

    ``compromised_since`` has those for which the authority states from when on the key may have been in other hands.
    The signature is that of ``signer``; whether an authority certified that one is for the trust anchors to say.
    """

    der: bytes = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    issuer: bytes = field(repr=False)
    stopped: Mapping[int, datetime] = field(repr=False)
    compromised_since: Mapping[int, datetime] = field(repr=False)
    signer: ListSignerCertificate

    @classmethod
    def from_bytes(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo``, its signature by the certificate that it carries included.

        Raises:
            PkiDataError: ``stop-list.malformed``.
        """
        return cls._read(der, SignedList.from_bytes)

    @classmethod
    def read_unproven(cls, der: bytes) -> Self:
        """Read a DER ``ContentInfo`` without verifying its signature: trust nothing of it.

        Raises:
            PkiDataError: ``stop-list.malformed``.
        """
        return cls._read(der, SignedList.read_unproven)

    @classmethod
    def _read(cls, der: bytes, read: Callable[..., SignedList]) -> Self:
        try:
            signed = read(der, content_type=ID_STOP_LIST)
            signer = ListSignerCertificate.from_bytes(
                signed.signer_certificate, kind=ProfileKind.STOP_LIST_SIGNER
            )
            content = decode(_StopListContent, signed.content, "content of the stop list")
            expect("version of the stop list", content.version, _VERSION)
            period = ListPeriod.of_content(content.number, content.this_update, content.next_update)
            period.check_made_by(signer, signed.signing_time)
            _check_entries(content, signer.certificate.issuer)
            return cls(
                der=der,
                number=period.number,
                this_update=period.this_update,
                next_update=period.next_update,
                issuer=signer.certificate.issuer,
                stopped=MappingProxyType(
                    {item.serial_number: _moment(item.stopped_at) for item in content.stopped}
                ),
                compromised_since=MappingProxyType(_compromised_since(content)),
                signer=signer,
            )
        except PkiDataError as error:
            raise PkiDataError(
                f"a stop list cannot be read: {error}", code="stop-list.malformed"
            ) from error

    def is_current(self, now: datetime) -> bool:
        """Whether it may be relied on now."""
        return self.this_update <= now <= self.next_update


def prepare_stop_list(
    *,
    signer_certificate: bytes,
    public_key: PublicKey,
    number: int,
    this_update: datetime,
    next_update: datetime,
    stopped: Mapping[int, datetime],
    compromised_since: Mapping[int, datetime] | None = None,
) -> PreparedSignedList:
    """Everything of a stop list but its signature; ``stopped`` maps serial numbers to when they were stopped.

    ``compromised_since`` maps some of them to the time from which on the key may have been in other hands.

    Raises:
        PkiDataError: ``signer.profile``.
        PkiRefusedError: ``stop-list.request-invalid``, ``signing.key-mismatch``.
    """
    signer = ListSignerCertificate.from_bytes(signer_certificate, kind=ProfileKind.STOP_LIST_SIGNER)
    period = ListPeriod.of_request(
        number, this_update, next_update, code="stop-list.request-invalid"
    )
    start, end = period.encoded()
    if len(stopped) > _MAX_ENTRIES:
        raise _refused(f"got {len(stopped)} entries, expected at most {_MAX_ENTRIES}")
    since = {} if compromised_since is None else compromised_since
    if any(serial not in stopped or moment > stopped[serial] for serial, moment in since.items()):
        raise _refused("a time of compromise is later than the stop, or of a signer not stopped")
    content = _StopListContent(
        version=_VERSION,
        number=number,
        this_update=start,
        next_update=end,
        stopped=[
            _StoppedCertificate(
                issuer=element(signer.certificate.issuer),
                serial_number=serial_number,
                stopped_at=_encode(moment),
                compromised_since=(
                    _encode(since[serial_number]) if serial_number in since else None
                ),
            )
            for serial_number, moment in sorted(stopped.items())
        ],
    )
    return PreparedSignedList.compose(
        content_type=ID_STOP_LIST,
        content=asn1.encode_der(content),
        certificate=signer_certificate,
        public_key=public_key,
        signing_time=period.this_update,
    )


def _check_entries(content: _StopListContent, issuer: bytes) -> None:
    """Ascending serial numbers of one issuer, each once: a list has one encoding."""
    if len(content.stopped) > _MAX_ENTRIES:
        raise SecurityObjectError(
            f"the stop list has {len(content.stopped)} entries, expected at most {_MAX_ENTRIES}"
        )
    last = 0
    for item in content.stopped:
        if whole(item.issuer) != issuer:
            raise SecurityObjectError(
                "the stop list names a certificate of another issuer than its signer's"
            )
        if item.serial_number <= last or item.serial_number.bit_length() > 159:
            raise SecurityObjectError(
                "serial numbers in the stop list are not positive, ascending and of at most 20 octets"
            )
        last = item.serial_number


def _compromised_since(content: _StopListContent) -> dict[int, datetime]:
    """From when on the keys may have been in other hands, for those of which it is stated."""
    found: dict[int, datetime] = {}
    for item in content.stopped:
        if item.compromised_since is None:
            continue
        since, stopped_at = _moment(item.compromised_since), _moment(item.stopped_at)
        if since > stopped_at:
            raise SecurityObjectError(
                f"a key in the stop list is compromised since {since}, expected at most {stopped_at}"
            )
        found[item.serial_number] = since
    return found


def _encode(moment: datetime) -> asn1.GeneralizedTime:
    return asn1.GeneralizedTime(moment.astimezone(UTC).replace(microsecond=0))


def _moment(time: asn1.GeneralizedTime) -> datetime:
    moment = time.as_datetime()
    if moment.microsecond:
        raise SecurityObjectError("a time in the stop list has a fraction of a second")
    return moment


def _refused(message: str) -> PkiRefusedError:
    return PkiRefusedError(message, code="stop-list.request-invalid")
