"""Imports in the database."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from issuer.db.base import DATABASE_FAILURES, database_error
from issuer.db.import_rows import (
    decoded_findings,
    encoded_findings,
    questionable_of,
    record_of,
)
from issuer.db.import_seals import ImportSeals
from issuer.db.import_tables import ImportChunkRow, ImportRow, ImportRowRow
from issuer.db.member_seals import MemberSeals
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.errors import ConflictError, IssuerRefusedError
from issuer.services.import_outcome import RowOutcome, RowResult
from issuer.services.import_ports import (
    DoubtDecision,
    DoubtPage,
    DoubtState,
    ImportChunk,
    ImportNumber,
    ImportRecord,
    QuestionableContent,
    QuestionableRow,
    RowReference,
)

__all__ = ["SqlImportLedger"]

_LOOKUP_SIZE = 500
_LETTERS = {
    (RowResult.TAKEN, True): b"T",
    (RowResult.PRESENT, True): b"P",
    (RowResult.QUESTIONABLE, True): b"Q",
    (RowResult.REFUSED, True): b"r",
    (RowResult.REFUSED, False): b"R",
}
_MEANINGS = {letter[0]: meaning for meaning, letter in _LETTERS.items()}
_EMPTY_ROW = b"."


class SqlImportLedger:
    """The imports within one session."""

    def __init__(
        self,
        session: Session,
        seals: Callable[[], ImportSeals],
        members: Callable[[], MemberSeals],
    ) -> None:
        """``seals`` and ``members`` are asked when the first content is sealed or opened, and not before."""
        self._session = session
        self._seals = seals
        self._members = members

    def unfinished(self, list_digest: bytes) -> ImportRecord | None:
        """The import of this list that has begun and not ended."""
        row = self._session.scalar(
            sa.select(ImportRow).where(
                ImportRow.list_digest == list_digest, ImportRow.finished_at.is_(None)
            )
        )
        return None if row is None else record_of(row)

    def begin(
        self, *, list_digest: bytes, account: AccountName, at: datetime, row_count: int
    ) -> ImportRecord:
        """A new one.

        Raises:
            ConflictError: somebody else begins an import of the same list.
        """
        row = ImportRow(
            list_digest=list_digest,
            account=account,
            started_at=at,
            finished_at=None,
            row_count=row_count,
            last_row=0,
            taken=0,
            already_present=0,
            refused=0,
            questionable=0,
            has_checked_faces=True,
        )
        self._session.add(row)
        try:
            self._session.flush()
        except DATABASE_FAILURES as error:
            raise database_error(error) from error
        return record_of(row)

    def get(self, number: ImportNumber) -> ImportRecord:
        """One import.

        Raises:
            IssuerRefusedError: ``import.unknown``.
        """
        row = self._session.get(ImportRow, number)
        if row is None:
            raise IssuerRefusedError(f"there is no import {number}", code="import.unknown")
        return record_of(row)

    def all(self, *, limit: int) -> tuple[ImportRecord, ...]:
        """The latest ones, the last one first."""
        rows = self._session.scalars(
            sa.select(ImportRow).order_by(ImportRow.number.desc()).limit(limit)
        )
        return tuple(record_of(row) for row in rows)

    def store(self, record: ImportRecord, chunk: ImportChunk) -> ImportRecord:
        """Note what became of the next rows; a questionable row that waits elsewhere already is replaced there.

        Raises:
            ConflictError: the import has gone on elsewhere since ``record`` was read.
        """
        results = [outcome.result for outcome in chunk.outcomes]
        changed = replace(
            record,
            last_row=chunk.outcomes[-1].row,
            summary=record.summary.with_results(results),
            has_checked_faces=record.has_checked_faces and chunk.has_checked_faces,
        )
        self._update(record, changed)
        first_row = record.last_row + 1
        letters = bytearray(_EMPTY_ROW * (changed.last_row - record.last_row))
        for outcome in chunk.outcomes:
            is_holding = outcome.row in chunk.holding
            letters[outcome.row - first_row] = _LETTERS[outcome.result, is_holding][0]
        self._session.execute(
            sa.insert(ImportChunkRow),
            [{"number": record.number, "first_row": first_row, "results": bytes(letters)}],
        )
        self._store_rows(record.number, chunk)
        return changed

    def finish(self, record: ImportRecord, *, at: datetime) -> ImportRecord:
        """The last row has ended.

        Raises:
            ConflictError: as ``store``.
        """
        changed = replace(record, finished_at=at)
        self._update(record, changed)
        return changed

    def outcomes(self, number: ImportNumber) -> Iterator[RowOutcome]:
        """What became of every row that has ended, in the order of the rows."""
        for chunk in self._chunks(number):
            last_row = chunk.first_row + len(chunk.results) - 1
            findings = dict(
                self._session.execute(
                    sa.select(ImportRowRow.row, ImportRowRow.findings).where(
                        ImportRowRow.number == number,
                        ImportRowRow.row.between(chunk.first_row, last_row),
                    )
                ).all()
            )
            for row, letter in enumerate(chunk.results, start=chunk.first_row):
                if letter != _EMPTY_ROW[0]:
                    result, _ = _MEANINGS[letter]
                    yield RowOutcome(
                        row=row,
                        result=result,
                        findings=decoded_findings(row, findings.get(row, "[]")),
                    )

    def holding(self, number: ImportNumber) -> Iterator[int]:
        """The rows whose numbers no later row may have."""
        for chunk in self._chunks(number):
            for row, letter in enumerate(chunk.results, start=chunk.first_row):
                if letter != _EMPTY_ROW[0] and _MEANINGS[letter][1]:
                    yield row

    def decided_before(
        self, contents: Mapping[int, QuestionableContent]
    ) -> Mapping[int, DoubtState]:
        """How a person decided on those rows that came in an earlier list just so; the last decision counts."""
        by_digest = {self._seals().digest(content): row for row, content in contents.items()}
        found: dict[int, DoubtState] = {}
        for part in _in_parts(list(by_digest)):
            rows = self._session.execute(
                sa.select(ImportRowRow.content_digest, ImportRowRow.state)
                .where(
                    ImportRowRow.content_digest.in_(part),
                    ImportRowRow.state.in_((DoubtState.REFUSED.value, DoubtState.ACCEPTED.value)),
                )
                .order_by(ImportRowRow.decided_at)
            )
            for digest, state in rows:
                if digest is not None and state is not None:
                    found[by_digest[digest]] = DoubtState(state)
        return found

    def doubts(
        self,
        *,
        limit: int,
        behind: RowReference | None = None,
        number: ImportNumber | None = None,
        state: DoubtState | None = DoubtState.WAITING,
        organisations: Collection[OrganisationCode] | None = None,
    ) -> DoubtPage:
        """Questionable rows by import and row; of these organisations where they are given."""
        query = (
            sa.select(ImportRowRow).order_by(ImportRowRow.number, ImportRowRow.row).limit(limit + 1)
        )
        if state is None:
            query = query.where(ImportRowRow.state.is_not(None))
        else:
            query = query.where(ImportRowRow.state == state.value)
        if number is not None:
            query = query.where(ImportRowRow.number == number)
        if organisations is not None:
            query = query.where(ImportRowRow.organisation_code.in_(organisations))
        if behind is not None:
            query = query.where(
                sa.tuple_(ImportRowRow.number, ImportRowRow.row)
                > sa.tuple_(sa.literal(int(behind.number)), sa.literal(behind.row))
            )
        rows = tuple(questionable_of(row) for row in self._session.scalars(query))
        is_last = len(rows) <= limit
        return DoubtPage(rows=rows[:limit], end=None if is_last else rows[limit - 1].reference)

    def doubt(self, reference: RowReference) -> QuestionableRow:
        """One questionable row.

        Raises:
            IssuerRefusedError: ``questionable.unknown``.
        """
        return questionable_of(self._row(reference))

    def content(self, reference: RowReference) -> QuestionableContent:
        """What it states, while nobody has decided.

        Raises:
            IssuerRefusedError: it was decided (``questionable.decided``).
        """
        row = self._row(reference)
        if row.content is None:
            raise IssuerRefusedError(
                f"row {reference} was decided already: {row.state}", code="questionable.decided"
            )
        return self._seals().open(reference, row.content)

    def decide(self, reference: RowReference, decision: DoubtDecision) -> None:
        """Note the decision and forget the content.

        Raises:
            ConflictError: somebody decided meanwhile.
        """
        changed = self._session.execute(
            sa.update(ImportRowRow)
            .where(
                ImportRowRow.number == reference.number,
                ImportRowRow.row == reference.row,
                ImportRowRow.state == DoubtState.WAITING.value,
            )
            .values(
                state=decision.state.value,
                content=None,
                likeness_digest=None,
                person_digest=None,
                decided_by=decision.by,
                decided_at=decision.at,
                reason=decision.reason,
                member_id=decision.member_id,
            )
            .returning(ImportRowRow.row)
            .execution_options(synchronize_session=False)
        ).all()
        if not changed:
            raise ConflictError(f"somebody else decided on row {reference} meanwhile")

    def _update(self, record: ImportRecord, changed: ImportRecord) -> None:
        """Only where nobody else has gone on with it: two of the same list must not both count rows."""
        summary = changed.summary
        found = self._session.execute(
            sa.update(ImportRow)
            .where(
                ImportRow.number == record.number,
                ImportRow.last_row == record.last_row,
                ImportRow.finished_at.is_(None),
            )
            .values(
                last_row=changed.last_row,
                finished_at=changed.finished_at,
                taken=summary.taken,
                already_present=summary.already_present,
                refused=summary.refused,
                questionable=summary.questionable,
                has_checked_faces=changed.has_checked_faces,
            )
            .returning(ImportRow.number)
            .execution_options(synchronize_session=False)
        ).all()
        if not found:
            raise ConflictError(
                f"import {record.number} is going on in another process", code="import.elsewhere"
            )

    def _store_rows(self, number: ImportNumber, chunk: ImportChunk) -> None:
        values: list[dict[str, object]] = []
        digests: list[bytes] = []
        for outcome in chunk.outcomes:
            content = chunk.contents.get(outcome.row)
            if not outcome.findings:
                continue
            digest = sealed = likeness = person = None
            if content is not None:
                if outcome.row in chunk.persons:
                    person = self._members().citizen_number_digest(chunk.persons[outcome.row])
                alike = chunk.likenesses.get(outcome.row)
                if alike is not None:
                    likeness = self._members().likeness_digest(alike.full_name, alike.birth_date)
                digest = self._seals().digest(content)
                sealed = self._seals().seal(RowReference(number, outcome.row), content)
                digests.append(digest)
            values.append(
                {
                    "number": number,
                    "row": outcome.row,
                    "findings": encoded_findings(outcome.findings),
                    "state": None if content is None else DoubtState.WAITING.value,
                    "organisation_code": chunk.organisations.get(outcome.row),
                    "content": sealed,
                    "content_digest": digest,
                    "likeness_digest": likeness,
                    "person_digest": person,
                }
            )
        self._replace_earlier(number, chunk)
        for part in _in_parts(digests):
            self._session.execute(
                sa.update(ImportRowRow)
                .where(
                    ImportRowRow.content_digest.in_(part),
                    ImportRowRow.state == DoubtState.WAITING.value,
                )
                .values(
                    state=DoubtState.REPLACED.value,
                    content=None,
                    likeness_digest=None,
                    person_digest=None,
                )
                .execution_options(synchronize_session=False)
            )
        if values:
            self._session.execute(sa.insert(ImportRowRow), values)

    def _replace_earlier(self, number: ImportNumber, chunk: ImportChunk) -> None:
        """What waits from other lists of the people of this chunk is not what is stated of them any more."""
        waiting = sa.select(ImportRowRow.row).where(
            ImportRowRow.state == DoubtState.WAITING.value, ImportRowRow.number != number
        )
        if not chunk.persons or self._session.scalar(waiting.limit(1)) is None:
            return
        persons = [self._members().citizen_number_digest(each) for each in chunk.persons.values()]
        for part in _in_parts(persons):
            self._session.execute(
                sa.update(ImportRowRow)
                .where(
                    ImportRowRow.person_digest.in_(part),
                    ImportRowRow.number != number,
                    ImportRowRow.state == DoubtState.WAITING.value,
                )
                .values(
                    state=DoubtState.REPLACED.value,
                    content=None,
                    likeness_digest=None,
                    person_digest=None,
                )
                .execution_options(synchronize_session=False)
            )

    def _chunks(self, number: ImportNumber) -> Iterator[ImportChunkRow]:
        behind = -1
        while True:
            chunk = self._session.scalar(
                sa.select(ImportChunkRow)
                .where(ImportChunkRow.number == number, ImportChunkRow.first_row > behind)
                .order_by(ImportChunkRow.first_row)
                .limit(1)
            )
            if chunk is None:
                return
            yield chunk
            behind = chunk.first_row

    def _row(self, reference: RowReference) -> ImportRowRow:
        row = self._session.get(
            ImportRowRow, (int(reference.number), reference.row), populate_existing=True
        )
        if row is None or row.state is None:
            raise IssuerRefusedError(
                f"row {reference} is not questionable", code="questionable.unknown"
            )
        return row


def _in_parts(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), _LOOKUP_SIZE):
        yield values[start : start + _LOOKUP_SIZE]
