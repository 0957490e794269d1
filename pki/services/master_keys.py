"""Master keys of chips: made in the token or taken in from custodians, followed by newer ones, and destroyed.

Each wish is recorded before the keystore is touched. A key that no ``master-key.created`` names is residue of a
crash: the next attempt destroys it and makes its version anew.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pki.errors import PkiRefusedError
from pki.keys.keystore import (
    CHECK_VALUE_BYTES,
    MASTER_KEY_BYTES,
    AgreementKeystore,
    master_key_check_value,
)
from pki.services.master_key_state import MasterKeyKind, MasterKeyRecord
from pki.services.operators import check_operator_name
from pki.services.recorder import Recorder
from pki.services.state import EntryKind

__all__ = ["CUSTODIANS", "KeyComponent", "MasterKeyService"]

CUSTODIANS: Final = (2, 3)
"""So many people bring a transport key, each one component; fewer than all of them know nothing."""

_MAX_VERSIONS: Final = 16
"""GlobalPlatform, SCP03: key versions 30 to 3F."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyComponent:
    """What one custodian brings: 32 bytes, and their check value as the chip maker wrote it down."""

    custodian: str
    value: bytes = field(repr=False)
    check_value: bytes


class MasterKeyService:
    """The life of master keys in one home."""

    def __init__(self, *, keystore: AgreementKeystore, recorder: Recorder) -> None:
        self._keystore = keystore
        self._recorder = recorder
        self._state = recorder.state.master_keys

    def create(self) -> MasterKeyRecord:
        """Draw the first personalisation master key in the keystore.

        Raises:
            PkiRefusedError: ``master-key.exists``.
            KeystoreError, RecordError: it is unfinished, or not begun; call again.
        """
        if any(each.check_value for each in self._state.of_kind(MasterKeyKind.PERSONALISATION)):
            raise PkiRefusedError(
                "there is a personalisation master key already",
                code="master-key.exists",
                hint="membercard-pki master-key rotate",
            )
        return self._generate()

    def rotate(self) -> MasterKeyRecord:
        """Draw the next personalisation master key; older ones stay for the chips that carry their keys.

        Raises:
            PkiRefusedError: ``master-key.missing``, ``master-key.versions-exhausted``.
            KeystoreError, RecordError: it is unfinished, or not begun; call again.
        """
        if not any(each.check_value for each in self._state.of_kind(MasterKeyKind.PERSONALISATION)):
            raise PkiRefusedError(
                "there is no personalisation master key to follow",
                code="master-key.missing",
                hint="membercard-pki master-key create",
            )
        return self._generate()

    def import_transport(
        self, components: Sequence[KeyComponent], *, check_value: bytes
    ) -> MasterKeyRecord:
        """Take in the chip maker's master key: the exclusive-or of what two or three custodians bring.

        Nothing is recorded or kept before every check value fits.

        Raises:
            PkiRefusedError: ``master-key.custodians``, ``master-key.component-invalid``,
                ``master-key.check-value-differs``, ``master-key.exists``: this value was taken in before.
            KeystoreError, RecordError: it is unfinished, or not begun; call again.
        """
        value = _combine(components)
        _require_check_value("the key", master_key_check_value(value), check_value)
        for other in self._state.keys.values():
            if other.check_value == check_value:
                raise PkiRefusedError(
                    f"master key {other.key_id} has this check value already",
                    code="master-key.exists",
                )
        record = self._begin(
            MasterKeyKind.TRANSPORT,
            origin="imported",
            custodians=",".join(each.custodian for each in components),
        )
        self._keystore.import_master_key(key_id=record.key_id, value=value)
        return self._finish(record, expected=check_value)

    def retire(self, key_id: str, *, reason: str) -> MasterKeyRecord:
        """Destroy a master key for good: chips that hold its keys can be personalised no more.

        Calling again finishes what a crash interrupted.

        Raises:
            PkiRefusedError: ``master-key.unknown``, ``master-key.retired``, ``master-key.in-use``: it is the only
                usable one of personalisation; ``signing.request-invalid``: the reason.
            KeystoreError, RecordError: it is unfinished, or not begun; call again.
        """
        record = self._state.keys.get(key_id)
        if record is None:
            raise PkiRefusedError(
                f"there is no master key {key_id[:80]!r}, only {sorted(self._state.keys)}",
                code="master-key.unknown",
            )
        is_there = key_id in self._keystore.key_ids()
        if record.retired_at is not None and not is_there:
            raise PkiRefusedError(
                f"master key {key_id} was retired at {record.retired_at:%Y-%m-%d %H:%M:%S}Z",
                code="master-key.retired",
            )
        if (
            record.kind is MasterKeyKind.PERSONALISATION
            and self._state.current(record.kind) is record
        ):
            raise PkiRefusedError(
                f"master key {key_id} is the one that chips get now",
                code="master-key.in-use",
                hint="membercard-pki master-key rotate",
            )
        if not (1 <= len(reason) <= 200 and reason.isprintable()):
            raise PkiRefusedError(
                f"reason has {len(reason)} characters, expected 1 to 200 printable ones",
                code="signing.request-invalid",
            )
        if record.retired_at is None:
            self._recorder.record(
                EntryKind.MASTER_KEY_RETIREMENT_INTENDED, key=key_id, reason=reason
            )
        if is_there:
            self._keystore.destroy(key_id)
        self._recorder.record(EntryKind.MASTER_KEY_RETIRED, key=key_id)
        return record

    def _generate(self) -> MasterKeyRecord:
        record = self._begin(MasterKeyKind.PERSONALISATION, origin="generated", custodians=None)
        self._keystore.create_master_key(key_id=record.key_id)
        return self._finish(record, expected=None)

    def _begin(
        self, kind: MasterKeyKind, *, origin: str, custodians: str | None
    ) -> MasterKeyRecord:
        known = self._state.of_kind(kind)
        # A version whose making broke off was never named to anybody: it is made again.
        is_unfinished = bool(known) and known[-1].check_value is None
        version = (known[-1].version if known else 0) + (not is_unfinished)
        if version > _MAX_VERSIONS:
            raise PkiRefusedError(
                f"there were {_MAX_VERSIONS} versions of the {kind.value} master key, which is all",
                code="master-key.versions-exhausted",
            )
        record = MasterKeyRecord(kind=kind, version=version)
        if record.key_id in self._keystore.key_ids():
            self._recorder.record(EntryKind.KEY_DESTRUCTION_INTENDED, key=record.key_id)
            self._keystore.destroy(record.key_id)
            self._recorder.record(EntryKind.KEY_DESTROYED, key=record.key_id)
        self._recorder.record(
            EntryKind.MASTER_KEY_INTENDED,
            key=record.key_id,
            master=kind.value,
            version=version,
            key_version=record.key_version,
            origin=origin,
            custodians=custodians,
        )
        return self._state.keys[record.key_id]

    def _finish(self, record: MasterKeyRecord, *, expected: bytes | None) -> MasterKeyRecord:
        found = self._keystore.check_value(record.key_id)
        if expected is not None:
            _require_check_value("the key in the keystore", found, expected)
        self._recorder.record(
            EntryKind.MASTER_KEY_CREATED, key=record.key_id, check_value=found.hex()
        )
        return record


def _combine(components: Sequence[KeyComponent]) -> bytes:
    if len(components) not in CUSTODIANS:
        raise PkiRefusedError(
            f"got components of {len(components)} custodians, expected 2 or 3",
            code="master-key.custodians",
        )
    if len({check_operator_name(each.custodian) for each in components}) != len(components):
        raise PkiRefusedError(
            "a custodian brings two components, expected different people",
            code="master-key.custodians",
        )
    combined = bytes(MASTER_KEY_BYTES)
    for each in components:
        what = f"the component of {each.custodian}"
        if len(each.value) != MASTER_KEY_BYTES:
            raise PkiRefusedError(
                f"{what} has {len(each.value)} bytes, expected {MASTER_KEY_BYTES}",
                code="master-key.component-invalid",
            )
        _require_check_value(what, master_key_check_value(each.value), each.check_value)
        combined = bytes(a ^ b for a, b in zip(combined, each.value, strict=True))
    if len({each.value for each in components} | {bytes(MASTER_KEY_BYTES), combined}) != (
        len(components) + 2
    ):
        raise PkiRefusedError(
            "the components are not independent: one of them, or what they make, is zero or stands twice",
            code="master-key.component-invalid",
        )
    return combined


def _require_check_value(what: str, found: bytes, expected: bytes) -> None:
    if len(expected) != CHECK_VALUE_BYTES or not hmac.compare_digest(found, expected):
        raise PkiRefusedError(
            f"check value of {what} is {found.hex().upper()}, expected {expected.hex().upper()[:40]}",
            code="master-key.check-value-differs",
            hint="a component was mistyped, or is another key's",
        )
