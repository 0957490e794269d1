"""Keys of chips from files that the PKI sealed to this station: no master key is needed here (SPEC.md 8.9)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from issuer.domain.chip import Serial
from issuer.domain.chip_keys import ChipKeySet, key_label
from issuer.errors import IssuerRefusedError
from issuer.personalisation.chip_keys import KeystoreThread
from pki.certificates.public_keys import key_identifier
from pki.keys.keystore import AgreementKeystore
from pki.signed.chip_keys import SealedChipKeys, StaticKeys

__all__ = ["STATION_KEY_ID", "SealedChipKeysOfStation"]

STATION_KEY_ID: Final = "station"
"""The key that the PKI seals to; it opens files, and signs the request for its certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    not_after: datetime
    current_version: int
    keys: dict[bytes, tuple[StaticKeys, ...]] = field(repr=False)


class SealedChipKeysOfStation:
    """Implements ``ChipKeys`` over opened files; safe to call from any thread."""

    def __init__(self, batches: Sequence[_Batch], *, now: Callable[[], datetime]) -> None:
        self._batches = batches
        self._now = now

    @classmethod
    def open(
        cls,
        files: Sequence[bytes],
        keystore: KeystoreThread,
        *,
        now: Callable[[], datetime],
        batch: bytes | None = None,
    ) -> "SealedChipKeysOfStation":
        """Open files with the station's key, all or none.

        Args:
            files: their contents.
            keystore: holds the station's key.
            now: the clock; it counts at the opening and whenever a key is asked for.
            batch: the only batch (16 bytes) whose files are taken; any if ``None``.

        Raises:
            ChipKeysError: ``chip-keys.malformed``, ``chip-keys.seal-broken``.
            IssuerRefusedError: ``personalisation.other-station``, ``personalisation.other-batch``,
                ``personalisation.keys-expired``, ``personalisation.keys-differ``.
            KeystoreError: there is no station key, or it failed.
        """
        opened = [_open(SealedChipKeys.from_bytes(each), keystore, batch, now()) for each in files]
        if len({each.current_version for each in opened}) != 1:
            raise IssuerRefusedError(
                f"got sealed keys for {len(opened)} different key versions, expected one or more files of one",
                code="personalisation.keys-differ",
                hint="use the files one after another",
            )
        return cls(opened, now=now)

    @property
    def personalisation_version(self) -> int:
        """See ``ChipKeys.personalisation_version``."""
        return self._batches[0].current_version

    def key_set(self, serial: Serial, key_version: int) -> ChipKeySet:
        """See ``ChipKeys.key_set``."""
        key_label(key_version)
        now = self._now()
        for batch in self._batches:
            for each in batch.keys.get(serial, ()):
                if each.key_version != key_version:
                    continue
                _check_end(batch.not_after, now)
                return ChipKeySet(key_version=key_version, enc=each.enc, mac=each.mac, dek=each.dek)
        raise IssuerRefusedError(
            f"the sealed keys are not for chip {serial.hex().upper()} with keys of version {key_version:02X}",
            code="personalisation.keys-not-given",
            hint="membercard-pki master-key wrap",
        )


def _open(
    sealed: SealedChipKeys, keystore: KeystoreThread, batch: bytes | None, now: datetime
) -> _Batch:
    terms = sealed.terms

    def unseal(held: AgreementKeystore) -> dict[bytes, tuple[StaticKeys, ...]]:
        own = held.signer(STATION_KEY_ID).public_key
        if (
            not isinstance(own, ec.EllipticCurvePublicKey)
            or key_identifier(own) != sealed.recipient
        ):
            raise IssuerRefusedError(
                "the keys are sealed to another station", code="personalisation.other-station"
            )
        return sealed.open(lambda sender: held.agree(STATION_KEY_ID, sender), curve=own.curve)

    if batch is not None and terms.batch != batch:
        raise IssuerRefusedError(
            f"the keys are of batch {terms.batch.hex()}, expected {batch.hex()}",
            code="personalisation.other-batch",
        )
    keys = keystore.call(unseal)
    _check_end(terms.not_after, now)
    return _Batch(not_after=terms.not_after, current_version=terms.current_version, keys=keys)


def _check_end(not_after: datetime, now: datetime) -> None:
    if now > not_after:
        raise IssuerRefusedError(
            f"the sealed keys could be used until {not_after:%Y-%m-%d %H:%M:%S}Z, got {now:%Y-%m-%d %H:%M:%S}Z",
            code="personalisation.keys-expired",
            hint="membercard-pki master-key wrap, with another authorisation",
        )
