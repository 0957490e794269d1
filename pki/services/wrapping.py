"""Wrapping for a station: the keys of one batch's chips, sealed to a station's certificate, counted and recorded before.

Under an authorisation, a chip's keys are given away once. What was recorded counts as given away, even if no
answer ever left: chips whose file was lost need another authorisation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from pki.certificates import extensions as ext
from pki.certificates.profile import ProfileKind
from pki.certificates.service_certificates import (
    check_service_authority,
    check_service_certificate,
)
from pki.errors import PkiDataError, PkiRefusedError
from pki.keys.algorithms import HashAlgorithm
from pki.keys.derivation import Derivation
from pki.services.authorising import require_batch
from pki.services.master_key_state import MasterKeyKind, MasterKeyRecord
from pki.services.recorder import Recorder
from pki.services.state import EntryKind, PkiState
from pki.signed.chip_keys import (
    KEY_BYTES,
    MAX_CHIPS,
    ChipKeyTerms,
    StaticKeys,
    seal_chip_keys,
)

__all__ = ["PreparedWrapping", "WrappingRequest", "WrappingTally", "prepare_wrapping"]

_SERIAL_BYTES: Final = 10
_NAMES: Final = (b"enc", b"mac", b"dek")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappingRequest:
    """Chips (serials of 10 bytes) whose keys a station is to have under an accepted batch.

    ``station`` is its certificate, DER; ``transport`` the version of the transport master key that the chips were
    delivered with, the newest if ``None``.
    """

    batch: bytes
    station: bytes = field(repr=False)
    serials: Sequence[bytes] = field(repr=False)
    transport: int | None = None


@dataclass(slots=True, kw_only=True)
class WrappingTally:
    """What was checked but is not on record yet, by batch."""

    serials: dict[bytes, set[bytes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedWrapping:
    """Keys that may be given away: to be recorded first, then derived, then sealed."""

    records: Sequence[tuple[EntryKind, dict[str, str | int | None]]] = field(repr=False)
    derivations: Sequence[Derivation] = field(repr=False)
    terms: ChipKeyTerms
    serials: Sequence[bytes] = field(repr=False)
    station_key: ec.EllipticCurvePublicKey = field(repr=False)
    recipient: bytes
    random_bytes: Callable[[int], bytes] = field(repr=False)

    def finish(self, derived: Sequence[bytes]) -> list[bytes]:
        """The sealed file, from the keys in the order of ``derivations``."""
        pending = iter(derived)
        keys = {
            serial: [
                StaticKeys(
                    key_version=version, enc=next(pending), mac=next(pending), dek=next(pending)
                )
                for version in self.terms.key_versions
            ]
            for serial in self.serials
        }
        sealed = seal_chip_keys(
            self.terms,
            keys,
            station_key=self.station_key,
            recipient=self.recipient,
            random_bytes=self.random_bytes,
        )
        return [sealed.to_bytes()]


def prepare_wrapping(
    request: WrappingRequest,
    recorder: Recorder,
    *,
    tally: WrappingTally,
    random_bytes: Callable[[int], bytes],
) -> PreparedWrapping:
    """Judge a request whole, against the record and what is in ``tally``, to which it is added.

    Raises:
        PkiRefusedError: ``authorisation.unknown``, ``authorisation.expired``, ``authorisation.overdrawn``,
            ``operator.revoked``, ``chip-keys.request-invalid``, ``chip-keys.chip-repeated``, ``station.unknown``,
            ``station.revoked``, ``station.expired``, ``station.certificate-invalid``, ``master-key.missing``,
            ``master-key.unknown``.
    """
    state = recorder.state
    now = recorder.now()
    batch = require_batch(state.authorisations, request.batch, now=now)
    service_id, public_key, recipient, end = _judge_station(request.station, state, now)
    pending = tally.serials.setdefault(batch.batch, set())
    given = state.master_keys.wrapped(batch.batch) | pending
    _check_serials(request.serials, given)
    if len(given) + len(request.serials) > batch.chips:
        raise PkiRefusedError(
            f"keys of {len(given)} of {batch.chips} authorised chips were given away, "
            f"got {len(request.serials)} more",
            code="authorisation.overdrawn",
            hint="have another authorisation signed, with --chips",
        )
    masters = _masters(state, request.transport)
    terms = ChipKeyTerms(
        batch=batch.batch,
        station=HashAlgorithm.SHA256.digest(request.station),
        not_after=min(batch.until, end),
        chips=len(request.serials),
        key_versions=tuple(masters),
        current_version=max(
            version
            for version, each in masters.items()
            if each.kind is MasterKeyKind.PERSONALISATION
        ),
    )
    serials = sorted(request.serials)
    pending.update(serials)
    return PreparedWrapping(
        records=[
            (
                EntryKind.CHIP_KEYS_WRAPPED,
                {
                    "batch": batch.batch.hex(),
                    "service": service_id,
                    "station": terms.station.hex(),
                    "count": len(serials),
                    "chips": b"".join(serials).hex(),
                    "masters": ",".join(each.key_id for each in masters.values()),
                    "digest": HashAlgorithm.SHA256.digest(terms.to_bytes()).hex(),
                },
            )
        ],
        derivations=[
            Derivation(
                key_id=each.key_id,
                label=each.kind.label + b" " + name,
                context=serial,
                length=KEY_BYTES,
            )
            for serial in serials
            for each in masters.values()
            for name in _NAMES
        ],
        terms=terms,
        serials=serials,
        station_key=public_key,
        recipient=recipient,
        random_bytes=random_bytes,
    )


def _judge_station(
    der: bytes, state: PkiState, now: datetime
) -> tuple[str, ec.EllipticCurvePublicKey, bytes, datetime]:
    """A station's identifier, key, key identifier and the end of its certificate, as judged at this moment."""
    record = next((each for each in state.services.values() if each.certificate == der), None)
    if record is None or state.service_authority_certificate is None:
        raise PkiRefusedError(
            "the station's certificate was not issued here",
            code="station.unknown",
            hint="membercard-pki service issue --station",
        )
    if record.revoked_at is not None:
        raise PkiRefusedError(
            f"station {record.service_id} was revoked at {record.revoked_at:%Y-%m-%d %H:%M:%S}Z",
            code="station.revoked",
        )
    try:
        certificate = check_service_certificate(der, kind=ProfileKind.STATION)
        root = check_service_authority(state.service_authority_certificate)
        identifier = ext.decode_subject_key_identifier(certificate.extensions)
    except PkiDataError as error:
        raise PkiRefusedError(
            f"{record.service_id} is no station: {error}", code="station.certificate-invalid"
        ) from error
    public_key = certificate.public_key
    if (
        certificate.issuer != root.subject
        or not certificate.verify_by(root.public_key)
        or not isinstance(public_key, ec.EllipticCurvePublicKey)
        or identifier is None
    ):
        raise PkiRefusedError(
            f"the certificate of {record.service_id} does not hold, or its key is on no elliptic curve",
            code="station.certificate-invalid",
        )
    for each in (certificate, root):
        if not each.not_before <= now <= each.not_after:
            raise PkiRefusedError(
                f"the certificate of station {record.service_id} or its root is valid from "
                f"{each.not_before:%Y-%m-%d %H:%M:%S}Z to {each.not_after:%Y-%m-%d %H:%M:%S}Z, "
                f"got {now:%Y-%m-%d %H:%M:%S}Z",
                code="station.expired",
            )
    return record.service_id, public_key, identifier, certificate.not_after


def _check_serials(serials: Sequence[bytes], given: frozenset[bytes] | set[bytes]) -> None:
    if not 1 <= len(serials) <= MAX_CHIPS or any(len(each) != _SERIAL_BYTES for each in serials):
        raise PkiRefusedError(
            f"got {len(serials)} chips, expected 1 to {MAX_CHIPS} with serials of {_SERIAL_BYTES} bytes",
            code="chip-keys.request-invalid",
        )
    repeated = next((each for each in serials if each in given), None)
    if repeated is not None or len(set(serials)) != len(serials):
        which = repeated if repeated is not None else max(serials, key=list(serials).count)
        raise PkiRefusedError(
            f"the keys of chip {which.hex().upper()} were given away under this authorisation already",
            code="chip-keys.chip-repeated",
            hint="a lost file needs another authorisation",
        )


def _masters(state: PkiState, transport: int | None) -> Mapping[int, MasterKeyRecord]:
    """The master keys by key version, ascending: all usable ones of personalisation, and one of transport."""
    masters = {
        each.key_version: each
        for each in state.master_keys.of_kind(MasterKeyKind.PERSONALISATION)
        if each.is_usable
    }
    if not masters:
        raise PkiRefusedError(
            "there is no personalisation master key",
            code="master-key.missing",
            hint="membercard-pki master-key create",
        )
    chosen = state.master_keys.current(MasterKeyKind.TRANSPORT)
    if transport is not None:
        chosen = state.master_keys.keys.get(f"{MasterKeyKind.TRANSPORT.value}-{transport}")
        if chosen is None or not chosen.is_usable:
            raise PkiRefusedError(
                f"there is no usable version {transport} of the transport master key",
                code="master-key.unknown",
            )
    return masters if chosen is None else masters | {chosen.key_version: chosen}
