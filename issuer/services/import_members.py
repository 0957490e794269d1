"""Use case: take members from a list into the register.

Rows are judged one by one and stored in chunks, each in one transaction together with the note of what became of
its rows; while the database stores a chunk, the rows of the next one are judged (ADR 0065). Every row ends taken, already present, refused or questionable. An import that broke off at any moment goes
on behind the last chunk that was stored when the same list is brought again; what it tells in the end is what an
import tells that ran through, wherever the chunks were cut.
"""

import hashlib
import itertools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.date_order import MONTH_FIRST, has_month_first
from issuer.domain.list_row import Finding, ListRow
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.member_list import JudgedRow, MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import Actor, Right
from issuer.domain.row_judge import RowJudge
from issuer.errors import ConflictError, IssuerDataError, IssuerRefusedError
from issuer.services.compare_rows import (
    Candidate,
    Comparison,
    RowsOfList,
    compare,
    reachable,
    with_likenesses,
)
from issuer.services.conclude_rows import SettledRows, conclude, refused
from issuer.services.import_outcome import ImportSummary, RowOutcome, RowResult
from issuer.services.import_ports import ImportRecord
from issuer.services.interpreter_pace import paced_for_many_rows
from issuer.services.register_ports import (
    PortraitNormaliser,
    PortraitSource,
    PortraitStore,
    Register,
    RegisterTransaction,
)

__all__ = ["ImportProgress", "MemberImport", "MemberListSource"]

_ATTEMPTS = 3
"""How often a chunk is tried where somebody else takes one of its numbers between look and write."""

_FIRST_CHUNK_ROWS = 50
_CHUNK_SECONDS = 2.0
"""Chunks grow while they take less than half of this, and shrink where they take more: a kill loses little, progress
is told often, and commits cost little."""

_PICTURE_BYTES = 32 * 1024 * 1024
"""What the pictures of a chunk take in memory before it ends early."""


class MemberListSource(Protocol):
    """A list that has been judged as a whole."""

    @property
    def digest(self) -> bytes:
        """SHA-256 over the list and how it is read."""

    @property
    def row_count(self) -> int:
        """How many rows it has at most."""

    def rows(self) -> Iterator[ListRow]:
        """The rows that are not empty, in their order; may be walked again."""

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether text of its cells may match, in UTF-8: a look that costs less than walking the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import has come; all of it is stored."""

    rows_done: int
    row_count: int
    summary: ImportSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One import from its beginning, or from where it broke off, to its end.

    Attributes:
        actor: who brings the list.
        judge: of its rows.
        reach: the organisations whose members the actor may import; ``None`` for all.
        rows_of_list: the rows so far.
    """

    actor: Actor
    judge: RowJudge
    reach: frozenset[OrganisationCode] | None
    rows_of_list: RowsOfList = field(default_factory=RowsOfList)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberImport:
    """Everything that an import needs from the world.

    Attributes:
        register: where members go.
        portraits: the pictures that came with the list.
        normaliser: makes card portraits of them, and looks at them.
        store: where card portraits are kept.
        scheme: how card numbers are built.
        clock: the present time (aware UTC).
        new_member_ids: as many fresh random identifiers as are asked for.
        chunk_rows: the most rows that one transaction stores.
        stopwatch: seconds of any beginning, by which chunks grow.
    """

    register: Register
    portraits: PortraitSource
    normaliser: PortraitNormaliser
    store: PortraitStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_member_ids: Callable[[int], Sequence[MemberId]]
    chunk_rows: int = 200
    stopwatch: Callable[[], float] = time.monotonic

    def run(
        self,
        source: MemberListSource,
        *,
        actor: Actor,
        progress: Callable[[ImportProgress], None] | None = None,
    ) -> ImportRecord:
        """Take the list, or go on with it where an earlier import of it broke off.

        Args:
            source: the list.
            actor: who brings it. They need the right to import for the organisation of every row that is taken.
            progress: called after each chunk, when it is durable.

        Returns:
            The finished import; ``outcomes`` tells what became of each row.

        Raises:
            IssuerRefusedError: the actor may import nowhere (``right.missing``).
            IssuerUnavailableError: the database or the portrait store does not answer; what was stored stays.
            ConflictError: others keep taking the same numbers at the same time, or another process goes on with
                this import (``import.elsewhere``).
        """
        if not actor.may_somewhere(Right.IMPORT_MEMBERS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.IMPORT_MEMBERS}", code="right.missing"
            )
        record, run = self._begin(source, actor)
        rows = self._rows_left(source, record, run)
        tell = progress or (lambda _: None)
        tell(_progress(record))
        size = min(_FIRST_CHUNK_ROWS, self.chunk_rows)
        under_way: Future[ImportRecord] | None = None
        # Whatever ends this block waits for the chunk that is being stored.
        with (
            paced_for_many_rows(),
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="import") as beside,
        ):
            begin = self.stopwatch()
            while settled := self._settle(rows, size, run):
                if under_way is not None:
                    record = under_way.result()
                    tell(_progress(record))
                under_way = beside.submit(self._store, record, settled, actor)
                end = self.stopwatch()
                if end - begin < _CHUNK_SECONDS / 2:
                    size = min(size * 2, self.chunk_rows)
                elif end - begin > _CHUNK_SECONDS:
                    size = max(size // 2, 1)
                begin = end
            if under_way is not None:
                record = under_way.result()
                tell(_progress(record))
        return self._finish(record, actor)

    def outcomes(self, record: ImportRecord) -> Iterator[RowOutcome]:
        """What became of every row, in the order of the rows."""
        with self.register.reading() as transaction:
            yield from transaction.imports.outcomes(record.number)

    def _begin(self, source: MemberListSource, actor: Actor) -> tuple[ImportRecord, _Run]:
        is_doubtful = source.may_hold(MONTH_FIRST) and has_month_first(source.rows())
        with self.register.writing() as transaction:
            organisations = transaction.organisations.tree()
            reach = reachable(actor, Right.IMPORT_MEMBERS, transaction)
            found = transaction.imports.unfinished(source.digest)
            if found is None:
                found = transaction.imports.begin(
                    list_digest=source.digest,
                    account=actor.account,
                    at=self.clock(),
                    row_count=source.row_count,
                )
                _note(transaction, found, actor, "import.begun", self.clock())
            else:
                _note(transaction, found, actor, "import.resumed", self.clock())
        run = _Run(
            actor=actor,
            judge=RowJudge(
                organisations=organisations,
                scheme=self.scheme,
                today=found.started_at.date(),
                has_month_first=is_doubtful,
            ),
            reach=reach,
        )
        return found, run

    def _finish(self, record: ImportRecord, actor: Actor) -> ImportRecord:
        with self.register.writing() as transaction:
            finished = transaction.imports.finish(record, at=self.clock())
            _note(transaction, finished, actor, "import.finished", self.clock())
        return finished

    def _rows_left(
        self, source: MemberListSource, record: ImportRecord, run: _Run
    ) -> Iterator[ListRow]:
        """The rows that have not ended; what is behind them stays in mind, whose numbers they may not have."""
        holding: frozenset[int] = frozenset()
        if record.last_row:
            with self.register.reading() as transaction:
                holding = frozenset(transaction.imports.holding(record.number))
        for row in source.rows():
            if row.number > record.last_row:
                yield row
            elif row.number in holding:
                judged = run.judge.judge(row)
                if isinstance(judged, JudgedRow):
                    run.rows_of_list.add(judged)

    def _settle(self, rows: Iterator[ListRow], size: int, run: _Run) -> SettledRows | None:
        """Judge the next chunk and compare it with the register; ``None`` where no row is left."""
        settled = SettledRows(rows=[])
        candidates: list[Candidate] = []
        picture_bytes = 0
        for row in itertools.islice(rows, size):
            settled.rows.append(row.number)
            candidate = self._candidate(row, run)
            if isinstance(candidate, Candidate):
                candidates.append(candidate)
                settled.holding.add(row.number)
                picture_bytes += len(candidate.picture)
                if picture_bytes > _PICTURE_BYTES:
                    break
            else:
                settled.outcomes[row.number] = refused(row.number, candidate)
        if not settled.rows:
            return None
        with self.register.reading() as transaction:
            compared = compare(candidates, transaction)
        new = {candidate.row.number for candidate in compared.new}
        settled.known = [each for each in candidates if each.row.number not in new]
        settled.compared = compared
        for candidate in compared.new:
            self._look_at_portrait(candidate, settled)
        settled.members = self._members(settled)
        with self.register.reading() as transaction:
            settled.sealed = transaction.members.sealed(list(settled.members.values()))
        return settled

    def _candidate(self, row: ListRow, run: _Run) -> Candidate | tuple[Finding, ...]:
        """Look at the row itself, the rows before, and the picture's bytes."""
        judged = run.judge.judge(row)
        if not isinstance(judged, JudgedRow):
            return judged
        code = judged.statement.organisation_code
        if run.reach is not None and code not in run.reach:
            return (
                Finding(
                    row=row.number,
                    column=MemberColumn.ORGANISATION_CODE,
                    code="organisation.not-yours",
                    sentence=f"account {run.actor.account} may not import members of organisation {code}",
                ),
            )
        repeated = run.rows_of_list.repeated(judged)
        if repeated:
            return repeated
        try:
            picture = self.portraits.read(judged.portrait_name)
        except IssuerDataError as error:
            return (_portrait_finding(judged.number, error),)
        doubts = run.rows_of_list.add(judged)
        return Candidate(
            row=judged,
            cells=row.cells,
            picture=picture,
            source=PortraitDigest(hashlib.sha256(picture).digest()),
            doubts=(*judged.doubts, *doubts),
        )

    def _look_at_portrait(self, candidate: Candidate, settled: SettledRows) -> None:
        number = candidate.row.number
        try:
            portrait = self.normaliser.normalise(candidate.picture)
        except IssuerDataError as error:
            settled.outcomes[number] = refused(number, (_portrait_finding(number, error),))
            return
        settled.has_checked_faces = settled.has_checked_faces and portrait.has_checked_faces
        settled.portraits[number] = portrait.image
        settled.new.append(
            candidate.with_doubts(
                Finding(
                    row=number,
                    column=MemberColumn.PORTRAIT,
                    code=doubt.code,
                    sentence=doubt.sentence,
                )
                for doubt in portrait.doubts
            )
        )

    def _members(self, settled: SettledRows) -> dict[int, Member]:
        """Those whom nobody has to look at; their pictures are durable before the rows that name them."""
        certain = [candidate for candidate in settled.new if not candidate.doubts]
        now = self.clock()
        return {
            candidate.row.number: Member(
                member_id=member_id,
                statement=candidate.row.statement,
                portrait=self.store.put(settled.portraits[candidate.row.number]),
                portrait_source=candidate.source,
                recorded_at=now,
            )
            for candidate, member_id in zip(certain, self.new_member_ids(len(certain)), strict=True)
        }

    def _store(self, record: ImportRecord, settled: SettledRows, actor: Actor) -> ImportRecord:
        """One transaction that looks again and writes."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.register.writing() as transaction:
                    # Numbers that somebody else has taken meanwhile make the database refuse the chunk: then
                    # all are compared again.
                    compared = (
                        replace(
                            settled.compared, new=tuple(with_likenesses(settled.new, transaction))
                        )
                        if attempt == 1
                        else compare((*settled.known, *settled.new), transaction)
                    )
                    chunk, taken = conclude(settled, compared, transaction)
                    transaction.members.add(taken)
                    _note_checked(transaction, settled, compared, actor, self.clock())
                    changed = transaction.imports.store(record, chunk)
                    _note(transaction, changed, actor, "import.rows-ended", self.clock())
            except ConflictError as error:
                if attempt == _ATTEMPTS or error.code == "import.elsewhere":
                    raise
                continue
            return changed
        return record


def _note_checked(
    transaction: RegisterTransaction,
    settled: SettledRows,
    compared: Comparison,
    actor: Actor,
    at: datetime,
) -> None:
    """Whoever stands in a list exactly as in the register was checked by whoever brings it."""
    present = {each.row for each in compared.outcomes if each.result is RowResult.PRESENT}
    if present:
        transaction.checks.note_numbered(
            [
                each.row.statement.record_number
                for each in (*settled.known, *settled.new)
                if each.row.number in present
            ],
            account=actor.account,
            at=at,
        )


def _note(
    transaction: RegisterTransaction,
    record: ImportRecord,
    actor: Actor,
    action: str,
    at: datetime,
) -> None:
    summary = record.summary
    transaction.audit.append(
        AuditRecord(
            at=at,
            account=actor.account,
            action=action,
            subject=AuditSubject.IMPORT,
            subject_id=str(record.number),
            details={
                "list": record.list_digest.hex(),
                "last_row": record.last_row,
                "taken": summary.taken,
                "already_present": summary.already_present,
                "refused": summary.refused,
                "questionable": summary.questionable,
            },
        )
    )


def _progress(record: ImportRecord) -> ImportProgress:
    return ImportProgress(
        rows_done=record.summary.rows, row_count=record.row_count, summary=record.summary
    )


def _portrait_finding(row: int, error: IssuerDataError) -> Finding:
    return Finding(row=row, column=MemberColumn.PORTRAIT, code=error.code, sentence=str(error))
