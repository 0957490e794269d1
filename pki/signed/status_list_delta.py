"""What leads from one status list to a later one, in a kilobyte a day (SPEC.md, 7.9).

A delta holds the changes and the later list's own signature, and no signature besides: whoever applies it composes the
later list and verifies that. So a delta can be altered in no way that would not be found out, and what comes out is the
very file that was signed.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from cryptography.hazmat import asn1

from pki.certificates.certificate import MAX_CERTIFICATE_BYTES, load_certificate
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.signed.card_states import CardState, CardStates, changes_between
from pki.signed.decoding import SecurityObjectError, decode
from pki.signed.list_period import ListPeriod
from pki.signed.position_coding import BitReader, BitWriter
from pki.signed.status_coding import join_identifiers, split_identifiers
from pki.signed.status_list import (
    MAX_STATUS_LIST_BYTES,
    StatusList,
    prepare_status_list,
)

__all__ = ["MAX_DELTA_BYTES", "StatusListDelta"]

MAX_DELTA_BYTES: Final = MAX_STATUS_LIST_BYTES

_VERSION: Final = 1
_MAX_SIGNATURE_BYTES: Final = 1024


@asn1.sequence
class _DeltaContent:
    version: int
    base_number: int
    number: int
    this_update: asn1.GeneralizedTime
    next_update: asn1.GeneralizedTime
    new_lists: bytes
    changes: bytes
    certificate: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusListDelta:
    """A parsed delta; nothing of it is proven before it was applied."""

    base_number: int
    number: int
    this_update: datetime
    next_update: datetime
    new_lists: tuple[bytes, ...]
    changes: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    """The later list's signer, where it is another one than the earlier list's; else empty."""

    signature: bytes = field(repr=False)

    @classmethod
    def between(cls, earlier: StatusList, later: StatusList) -> Self:
        """The delta from one list to a later one.

        Raises:
            PkiRefusedError: ``status-list.not-newer``, ``status-list.list-vanished``.
        """
        if later.number <= earlier.number:
            raise PkiRefusedError(
                f"the later list has number {later.number}, expected more than {earlier.number}",
                code="status-list.not-newer",
            )
        ordinals = {list_id: ordinal for ordinal, list_id in enumerate(later.states.tables)}
        positions = later.states.positions
        sets: dict[CardState, list[int]] = {state: [] for state in CardState}
        for change in changes_between(earlier.states, later.states):
            sets[change.later].append(ordinals[change.list_id] * positions + change.index)
        writer = BitWriter()
        for found in sets.values():
            writer.count(len(found))
        for found in sets.values():
            writer.set_of(found, len(later.states))
        return cls(
            base_number=earlier.number,
            number=later.number,
            this_update=later.this_update,
            next_update=later.next_update,
            new_lists=tuple(key for key in later.states.tables if key not in earlier.states.tables),
            changes=writer.to_bytes(),
            certificate=b"" if later.signer.der == earlier.signer.der else later.signer.der,
            signature=later.signature,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the header of a delta; what it does is found out by applying it.

        Raises:
            PkiDataError: ``status-delta.malformed``.
        """
        if len(data) > MAX_DELTA_BYTES:
            raise _malformed(f"it has {len(data)} bytes, expected at most {MAX_DELTA_BYTES}")
        try:
            content = decode(_DeltaContent, data, "a delta")
            new_lists = split_identifiers(content.new_lists)
            period = ListPeriod.of_content(content.number, content.this_update, content.next_update)
        except PkiError as error:
            raise _malformed(str(error)) from error
        if content.version != _VERSION or not 1 <= content.base_number < content.number:
            raise _malformed(
                f"it has version {content.version:x}, expected {_VERSION}, or its numbers do not ascend"
            )
        if (
            len(content.signature) > _MAX_SIGNATURE_BYTES
            or len(content.certificate) > MAX_CERTIFICATE_BYTES
        ):
            raise _malformed("its signature or certificate is too long")
        return cls(
            base_number=content.base_number,
            number=period.number,
            this_update=period.this_update,
            next_update=period.next_update,
            new_lists=new_lists,
            changes=content.changes,
            certificate=content.certificate,
            signature=content.signature,
        )

    def to_bytes(self) -> bytes:
        """The file."""
        return asn1.encode_der(
            _DeltaContent(
                version=_VERSION,
                base_number=self.base_number,
                number=self.number,
                this_update=asn1.GeneralizedTime(self.this_update),
                next_update=asn1.GeneralizedTime(self.next_update),
                new_lists=join_identifiers(self.new_lists),
                changes=self.changes,
                certificate=self.certificate,
                signature=self.signature,
            )
        )

    def apply(self, base: StatusList) -> StatusList:
        """Compose the later list, and verify its signature; its ``der`` is what was signed, byte for byte.

        Raises:
            PkiRefusedError: ``status-delta.other-base``: it does not continue this list.
            PkiDataError: ``status-delta.malformed``: it was altered, or belongs to another authority's list.
        """
        if base.number != self.base_number:
            raise PkiRefusedError(
                f"the delta continues status list {self.base_number}, got {base.number}",
                code="status-delta.other-base",
                hint="fetch the deltas in between, or the whole list",
            )
        try:
            certificate = self.certificate or base.signer.der
            if self.certificate == base.signer.der:
                raise SecurityObjectError("it carries the certificate that the base has already")
            prepared = prepare_status_list(
                signer_certificate=certificate,
                public_key=load_certificate(certificate).public_key,
                number=self.number,
                this_update=self.this_update,
                next_update=self.next_update,
                states=self._changed(base.states),
            )
            return StatusList.from_bytes(prepared.unsigned.finish(self.signature))
        except PkiError as error:
            raise _malformed(str(error)) from error

    def _changed(self, states: CardStates) -> CardStates:
        positions = states.positions
        blank = bytes([CardState.NOT_HANDED_OVER]) * positions
        if any(list_id in states.tables for list_id in self.new_lists):
            raise SecurityObjectError("it begins a list that is there already")
        tables = {**states.tables, **dict.fromkeys(self.new_lists, blank)}
        ids = sorted(tables)
        starts = [ordinal * positions for ordinal in range(len(ids))]
        universe = positions * len(ids)
        reader = BitReader(self.changes)
        counts = [reader.count() for _ in CardState]
        changed: dict[bytes, bytearray] = {}
        for state, count in zip(CardState, counts, strict=True):
            for place in reader.set_of(count, universe):
                ordinal = bisect_right(starts, place) - 1
                list_id = ids[ordinal]
                if list_id not in changed:
                    changed[list_id] = bytearray(tables[list_id])
                changed[list_id][place - starts[ordinal]] = state
        reader.finish()
        whole = {list_id: bytes(table) for list_id, table in changed.items()}
        return CardStates(positions=positions, tables={**tables, **whole})


def _malformed(reason: str) -> PkiDataError:
    return PkiDataError(
        f"a delta of a status list cannot be applied: {reason}", code="status-delta.malformed"
    )
