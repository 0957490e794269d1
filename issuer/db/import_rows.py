"""Rows of the ledger of imports as what they say, and findings as they are kept."""

import json
from collections.abc import Sequence

from issuer.db.import_tables import ImportRow, ImportRowRow
from issuer.domain.list_row import Finding
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.services.import_outcome import ImportSummary
from issuer.services.import_ports import (
    DoubtDecision,
    DoubtState,
    ImportNumber,
    ImportRecord,
    QuestionableRow,
    RowReference,
)

__all__ = ["decoded_findings", "encoded_findings", "questionable_of", "record_of"]


def record_of(row: ImportRow) -> ImportRecord:
    """The import as it stands."""
    return ImportRecord(
        number=ImportNumber(row.number),
        list_digest=row.list_digest,
        account=AccountName(row.account),
        started_at=row.started_at,
        finished_at=row.finished_at,
        row_count=row.row_count,
        last_row=row.last_row,
        summary=ImportSummary(
            taken=row.taken,
            already_present=row.already_present,
            refused=row.refused,
            questionable=row.questionable,
        ),
        has_checked_faces=row.has_checked_faces,
    )


def questionable_of(row: ImportRowRow) -> QuestionableRow:
    """The row that waits, or what was decided on it."""
    decision = None
    if row.decided_by is not None and row.decided_at is not None and row.state is not None:
        decision = DoubtDecision(
            state=DoubtState(row.state),
            by=AccountName(row.decided_by),
            at=row.decided_at,
            reason=row.reason or "",
            member_id=None if row.member_id is None else MemberId(row.member_id),
        )
    return QuestionableRow(
        reference=RowReference(ImportNumber(row.number), row.row),
        organisation=OrganisationCode(row.organisation_code or ""),
        state=DoubtState(row.state or ""),
        findings=decoded_findings(row.row, row.findings),
        decision=decision,
    )


def encoded_findings(findings: Sequence[Finding]) -> str:
    """The findings of one row as a column holds them."""
    return json.dumps([[each.column, each.code, each.sentence] for each in findings])


def decoded_findings(row: int, encoded: str) -> tuple[Finding, ...]:
    """What ``encoded_findings`` made, of the row with this number."""
    return tuple(
        Finding(row=row, column=column, code=code, sentence=sentence)
        for column, code, sentence in json.loads(encoded)
    )
