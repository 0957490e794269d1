"""Use case: a person decides on a questionable row of a member list, and says why."""

import contextlib
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.audit_reads import member_read
from issuer.domain.card_number import CardNumberScheme
from issuer.domain.list_row import Finding, ListRow
from issuer.domain.member import Member, MemberId, MemberStatement
from issuer.domain.member_list import JudgedRow
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import (
    OrganisationCode,
    OrganisationTree,
    parse_organisation_code,
)
from issuer.domain.rights import Actor, Right
from issuer.domain.row_judge import RowJudge
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.compare_rows import Candidate, compare, reachable
from issuer.services.import_outcome import RowResult
from issuer.services.import_ports import (
    DoubtDecision,
    DoubtPage,
    DoubtState,
    ImportNumber,
    QuestionableContent,
    QuestionableRow,
    RowReference,
)
from issuer.services.organisation_ports import OrganisationRepository
from issuer.services.register_ports import PortraitStore, Register, RegisterTransaction

__all__ = ["DoubtDesk", "WeighedRow"]

_PAGE_ROWS = 200
_MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedRow:
    """A waiting row beside whom it resembles.

    Attributes:
        row: what is doubted.
        content: what it states.
        statement: the same as it would be taken; ``None`` where it breaks a rule by now.
        members: whom it resembles by name and date of birth, or by a number, as far as the actor may read.
        hidden: how many more there are in other parts of the tree.
    """

    row: QuestionableRow
    content: QuestionableContent
    statement: MemberStatement | None
    members: tuple[Member, ...]
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtDesk:
    """Where questionable rows wait.

    Attributes:
        register: where they wait, and where members go.
        store: where card portraits are kept.
        scheme: how card numbers are built.
        clock: the present time (aware UTC).
        new_member_id: a fresh random identifier.
    """

    register: Register
    store: PortraitStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_member_id: Callable[[], MemberId]

    def waiting(
        self,
        *,
        actor: Actor,
        number: ImportNumber | None = None,
        state: DoubtState | None = DoubtState.WAITING,
    ) -> Iterator[QuestionableRow]:
        """The rows that the actor may decide on, by import and row, each page read by itself.

        Raises:
            IssuerRefusedError: they may decide on none (``right.missing``).
        """
        organisations = self._reachable(actor)
        behind: RowReference | None = None
        while True:
            with self.register.reading() as transaction:
                page = transaction.imports.doubts(
                    limit=_PAGE_ROWS,
                    behind=behind,
                    number=number,
                    state=state,
                    organisations=organisations,
                )
            yield from page.rows
            if page.end is None:
                return
            behind = page.end

    def page(self, *, actor: Actor, limit: int, behind: RowReference | None = None) -> DoubtPage:
        """Rows that wait for the actor, those behind one.

        Raises:
            IssuerRefusedError: they may decide on none (``right.missing``).
        """
        organisations = self._reachable(actor)
        with self.register.reading() as transaction:
            return transaction.imports.doubts(
                limit=limit, behind=behind, organisations=organisations
            )

    def weigh(self, reference: RowReference, *, actor: Actor) -> WeighedRow:
        """A row with the members whom it resembles; that all of them were looked at is recorded.

        Raises:
            IssuerRefusedError: as ``look``.
        """
        now = self.clock()
        with self.register.writing() as transaction:
            row = self._open(transaction, reference, actor)
            content = transaction.imports.content(reference)
            self._note(transaction, row, actor, "import.row-read")
            try:
                candidate = self._candidate(reference, content, transaction)
            except IssuerRefusedError:
                return WeighedRow(row=row, content=content, statement=None, members=(), hidden=0)
            found = {
                each.member_id: each
                for each in (
                    *transaction.members.alike([candidate.likeness]),
                    *transaction.members.holders_of([candidate.numbers]),
                )
            }
            tree = transaction.organisations.around(
                {each.statement.organisation_code for each in found.values()}
            )
            shown = tuple(
                each
                for each in found.values()
                if actor.may(Right.READ_MEMBERS, place=tree.place(each.statement.organisation_code))
            )
            for each in shown:
                code = each.statement.organisation_code
                transaction.audit.append(
                    member_read(each.member_id, account=actor.account, organisation=code, at=now)
                )
        return WeighedRow(
            row=row,
            content=content,
            statement=candidate.row.statement,
            members=shown,
            hidden=len(found) - len(shown),
        )

    def look(self, reference: RowReference, *, actor: Actor) -> QuestionableContent:
        """What the row states; that it was looked at is recorded.

        Raises:
            IssuerRefusedError: ``right.missing``, ``questionable.unknown``, ``questionable.decided``.
        """
        with self.register.writing() as transaction:
            row = self._open(transaction, reference, actor)
            content = transaction.imports.content(reference)
            self._note(transaction, row, actor, "import.row-read")
        return content

    def accept(self, reference: RowReference, *, actor: Actor, reason: str) -> MemberId | None:
        """Take the row as it stands.

        A row that the register knows already but for where the tone marks of the name stand changes nothing in the
        register: its record keeps the spelling that it has.

        Returns:
            The new member; ``None`` where the register had them already.

        Raises:
            IssuerDataError: the reason is none (``questionable.reason``); the row breaks a rule by now (the
                code of the rule).
            IssuerRefusedError: ``right.missing``, ``questionable.unknown``, ``questionable.decided``, or the
                register contradicts the row (``card-number.taken``, ``member.differs`` and the like).
            ConflictError: somebody was faster.
        """
        why = _reason(reason)
        with self.register.reading() as transaction:
            self._open(transaction, reference, actor)
            content = transaction.imports.content(reference)
        # The picture is durable before the row that names it.
        portrait = self.store.put(content.portrait) if content.portrait else None
        with self.register.writing() as transaction:
            row = self._open(transaction, reference, actor)
            transaction.imports.content(reference)
            candidate = self._candidate(reference, content, transaction)
            compared = compare((candidate,), transaction)
            for outcome in compared.outcomes:
                if outcome.result is RowResult.REFUSED:
                    raise _refusal(outcome.findings)
            member_id = None
            if compared.new:
                if portrait is None:
                    raise IssuerRefusedError(
                        f"the register no longer has the member of row {reference}",
                        code="questionable.outdated",
                        hint="bring the list again",
                    )
                member_id = self.new_member_id()
                transaction.members.add(
                    [
                        Member(
                            member_id=member_id,
                            statement=candidate.row.statement,
                            portrait=portrait,
                            portrait_source=content.source,
                            recorded_at=self.clock(),
                        )
                    ]
                )
            decision = self._decision(actor, DoubtState.ACCEPTED, why, member_id)
            self._decide(transaction, row, actor, decision)
        return member_id

    def refuse(self, reference: RowReference, *, actor: Actor, reason: str) -> None:
        """Do not take the row; if the very same row comes again, it is refused at once.

        Raises:
            IssuerDataError: ``questionable.reason``.
            IssuerRefusedError: ``right.missing``, ``questionable.unknown``, ``questionable.decided``.
            ConflictError: somebody was faster.
        """
        why = _reason(reason)
        with self.register.writing() as transaction:
            row = self._open(transaction, reference, actor)
            transaction.imports.content(reference)
            decision = self._decision(actor, DoubtState.REFUSED, why)
            self._decide(transaction, row, actor, decision)

    def _reachable(self, actor: Actor) -> frozenset[OrganisationCode] | None:
        """The codes of every organisation within the actor's part of the tree; ``None`` for the whole of it."""
        if not actor.may_somewhere(Right.IMPORT_MEMBERS):
            raise IssuerRefusedError(
                f"account {actor.account} has no right {Right.IMPORT_MEMBERS}", code="right.missing"
            )
        with self.register.reading() as transaction:
            return reachable(actor, Right.IMPORT_MEMBERS, transaction)

    def _open(
        self, transaction: RegisterTransaction, reference: RowReference, actor: Actor
    ) -> QuestionableRow:
        row = transaction.imports.doubt(reference)
        place = transaction.organisations.around([row.organisation]).place(row.organisation)
        actor.demand(Right.IMPORT_MEMBERS, place=place, now=self.clock())
        return row

    def _candidate(
        self,
        reference: RowReference,
        content: QuestionableContent,
        transaction: RegisterTransaction,
    ) -> Candidate:
        judge = RowJudge(
            organisations=_organisations_of(content, transaction.organisations),
            scheme=self.scheme,
            today=self.clock().date(),
        )
        judged = judge.judge(ListRow(number=reference.row, cells=content.cells))
        if not isinstance(judged, JudgedRow):
            raise _refusal(judged)
        return Candidate(row=judged, cells=content.cells, picture=b"", source=content.source)

    def _decide(
        self,
        transaction: RegisterTransaction,
        row: QuestionableRow,
        actor: Actor,
        decision: DoubtDecision,
    ) -> None:
        transaction.imports.decide(row.reference, decision)
        self._note(transaction, row, actor, f"import.row-{decision.state}", decision.member_id)

    def _decision(
        self, actor: Actor, state: DoubtState, reason: str, member_id: MemberId | None = None
    ) -> DoubtDecision:
        return DoubtDecision(
            state=state, by=actor.account, at=self.clock(), reason=reason, member_id=member_id
        )

    def _note(
        self,
        transaction: RegisterTransaction,
        row: QuestionableRow,
        actor: Actor,
        action: str,
        member_id: MemberId | None = None,
    ) -> None:
        transaction.audit.append(
            AuditRecord(
                at=self.clock(),
                account=actor.account,
                action=action,
                subject=AuditSubject.IMPORT,
                subject_id=str(row.reference),
                organisation=row.organisation,
                details={
                    "codes": " ".join(sorted({each.code for each in row.findings})),
                    "member": None if member_id is None else member_id.hex,
                },
            )
        )


def _reason(text: str) -> str:
    reason = unicodedata.normalize("NFC", text).strip()
    if not reason or len(reason) > _MAX_REASON_CHARACTERS or not reason.isprintable():
        raise IssuerDataError(
            f"the reason is no line of 1 to {_MAX_REASON_CHARACTERS} characters",
            code="questionable.reason",
        )
    return reason


def _refusal(findings: tuple[Finding, ...]) -> IssuerRefusedError:
    first = findings[0]
    return IssuerRefusedError(f"column {first.column}: {first.sentence}", code=first.code)


def _organisations_of(
    content: QuestionableContent, organisations: OrganisationRepository
) -> OrganisationTree:
    """The tree around the organisations that a row names, which is all that judging it looks at."""
    codes: set[OrganisationCode] = set()
    for column in (MemberColumn.ORGANISATION_CODE, MemberColumn.SERVED_IN):
        cell = content.cells.get(column)
        if cell is not None and not isinstance(cell, str):
            # How a spreadsheet's number becomes a code is the judge's business.
            return organisations.tree()
        with contextlib.suppress(IssuerDataError):
            codes.add(parse_organisation_code((cell or "").strip()))
    return organisations.around(codes)
