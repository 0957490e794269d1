"""Checking the audit trail: every edit, gap, other order and cut tail is a finding.

The trail alone tells what was changed by somebody who did not compute the chain anew behind it. What was computed
anew, and a tail that was cut together with the head, is told by an anchor: a head of earlier, kept elsewhere.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from issuer.domain.audit_chain import ChainedRecord, ChainHead, first_head

__all__ = ["MAX_FINDINGS", "AuditCheck", "AuditFault", "AuditFinding", "AuditReport"]

MAX_FINDINGS: Final = 100
"""So many are told; the others are counted."""


class AuditFault(enum.StrEnum):
    """What can be wrong with a trail; the values are stable codes."""

    GAP = "audit.gap"
    ALTERED = "audit.altered"
    HEAD_DIFFERS = "audit.head-differs"
    CUT = "audit.cut"
    ANCHOR_DIFFERS = "audit.checkpoint-differs"
    OTHER_TRAIL = "audit.other-trail"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """One fault, at or behind the record with this sequence number."""

    fault: AuditFault
    sequence: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a check found.

    Attributes:
        trail_id: which trail it was.
        records: how many were read.
        last: the sequence number of the last record; 0 without any.
        anchors: how many heads of earlier were compared.
        anchored: the highest sequence number among those; 0 without any. What came later is vouched for by the
            trail alone.
        findings: the first ``MAX_FINDINGS``.
        faults: how many there are.
    """

    trail_id: bytes
    records: int
    last: int
    anchors: int
    anchored: int
    findings: tuple[AuditFinding, ...]
    faults: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.faults == 0


class AuditCheck:
    """Takes a trail in, record by record in order of the sequence; memory does not grow with it."""

    def __init__(
        self,
        head: ChainHead,
        anchors: Iterable[ChainHead] = (),
        *,
        start: ChainHead | None = None,
    ) -> None:
        """Begin.

        Args:
            head: what the database says of the trail's end, read before the records are.
            anchors: heads of earlier that somebody else kept.
            start: the anchor behind which the records begin that are taken in; ``None`` for the trail's beginning.
        """
        self._head = head
        first = start if start is not None else first_head(head.trail_id)
        self._sequence = first.sequence
        self._digest = first.digest
        self._records = 0
        self._digest_at_head = first.digest if head.sequence == first.sequence else None
        self._findings: list[AuditFinding] = []
        self._faults = 0
        self._anchors: dict[int, list[bytes]] = {}
        self._anchor_count = 0
        for anchor in anchors:
            self._anchor_count += 1
            if anchor.trail_id != head.trail_id:
                self._find_other_trail(anchor)
                continue
            self._anchors.setdefault(anchor.sequence, []).append(anchor.digest)
        self._anchored = max(self._anchors, default=0)
        self._meet_anchors(first.sequence, first.digest)
        if first.trail_id != head.trail_id:
            self._find_other_trail(first)

    def take(self, record: ChainedRecord) -> None:
        """Take the next record in."""
        expected = self._sequence + 1
        if record.sequence != expected:
            self._find(
                AuditFault.GAP,
                expected,
                f"record {expected} should come, got {record.sequence}",
            )
        elif record.expected_digest(self._digest) != record.digest:
            self._find(
                AuditFault.ALTERED,
                record.sequence,
                f"record {record.sequence}, or what stands before it, is not what was recorded",
            )
        # The stored digest goes on, so that each fault is told once, where it is.
        self._sequence = record.sequence
        self._digest = record.digest
        self._records += 1
        if record.sequence == self._head.sequence:
            self._digest_at_head = record.digest
        if record.sequence in self._anchors:
            self._meet_anchors(record.sequence, record.digest)

    def conclude(self) -> AuditReport:
        """What was found, once all records were taken in."""
        if self._sequence < self._head.sequence:
            self._find(
                AuditFault.CUT,
                self._sequence,
                f"the trail ends with record {self._sequence}, its head says {self._head.sequence}",
            )
        elif self._digest_at_head != self._head.digest:
            self._find(
                AuditFault.HEAD_DIFFERS,
                self._head.sequence,
                f"record {self._head.sequence} is not the one that the head names",
            )
        for sequence in sorted(self._anchors):
            self._find(
                AuditFault.CUT if sequence > self._sequence else AuditFault.GAP,
                self._sequence,
                f"a checkpoint holds record {sequence}, which is not there; "
                f"the trail ends with record {self._sequence}",
            )
        return AuditReport(
            trail_id=self._head.trail_id,
            records=self._records,
            last=self._sequence,
            anchors=self._anchor_count,
            anchored=self._anchored,
            findings=tuple(self._findings),
            faults=self._faults,
        )

    def _meet_anchors(self, sequence: int, digest: bytes) -> None:
        for anchor in self._anchors.pop(sequence, ()):
            if anchor != digest:
                self._find(
                    AuditFault.ANCHOR_DIFFERS,
                    sequence,
                    f"record {sequence} or one before it is not the one of the checkpoint",
                )

    def _find_other_trail(self, anchor: ChainHead) -> None:
        self._find(
            AuditFault.OTHER_TRAIL,
            anchor.sequence,
            f"the checkpoint is of trail {anchor.trail_id.hex()}, "
            f"this one is {self._head.trail_id.hex()}",
        )

    def _find(self, fault: AuditFault, sequence: int, sentence: str) -> None:
        self._faults += 1
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(AuditFinding(fault=fault, sequence=sequence, sentence=sentence))
