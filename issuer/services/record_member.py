"""Use case: record one new member by hand, exactly as a list of one row would.

The row is judged, compared with the register and looked at like any other: it ends taken, already present, refused or
questionable, and a questionable one waits for a person with those of lists.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from issuer.domain.card_number import CardNumberScheme
from issuer.domain.list_row import Finding, ListRow
from issuer.domain.member import MemberId, PortraitDigest
from issuer.domain.member_change import BrokenRulesError
from issuer.domain.member_list import JudgedRow, MemberColumn
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.domain.portrait import NormalisedPortrait, require_picture_size
from issuer.domain.rights import Actor, Right
from issuer.domain.row_judge import RowJudge
from issuer.errors import IssuerDataError
from issuer.services.compare_rows import Candidate, compare
from issuer.services.import_members import MemberImport
from issuer.services.import_outcome import RowResult
from issuer.services.import_ports import RowReference
from issuer.services.register_ports import (
    PortraitNormaliser,
    PortraitStore,
    Register,
)

__all__ = ["MemberRecording", "RecordedMember"]

_ROW: Final = 1
_PICTURE: Final = "portrait.jpg"
_ORGANISATIONS: Final = (MemberColumn.ORGANISATION_CODE, MemberColumn.SERVED_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMember:
    """What became of the one row.

    Attributes:
        result: taken, already present, or questionable; what is refused is raised.
        findings: what a person has to look at.
        member_id: the new member; ``None`` where there is none.
        reference: under which a questionable row waits.
    """

    result: RowResult
    findings: tuple[Finding, ...]
    member_id: MemberId | None
    reference: RowReference


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRecording:
    """Everything that recording one member needs from the world.

    Attributes:
        register: where members go.
        open_normaliser: makes card portraits of pictures, until the block ends.
        store: where card portraits are kept.
        scheme: how card numbers are built.
        clock: the present time (aware UTC).
        new_member_id: a fresh random identifier.
    """

    register: Register
    open_normaliser: Callable[[], AbstractContextManager[PortraitNormaliser]] = field(repr=False)
    store: PortraitStore
    scheme: CardNumberScheme
    clock: Callable[[], datetime]
    new_member_id: Callable[[], MemberId]

    def record(
        self, cells: Mapping[MemberColumn, str], picture: bytes, *, actor: Actor
    ) -> RecordedMember:
        """Record a member.

        Args:
            cells: what is stated, as lists write it; the portrait is not among it.
            picture: of the member, as it was handed in.
            actor: who asks; needs ``members.import`` where the member is to be recorded.

        Raises:
            BrokenRulesError: rules are broken, or a number is somebody else's; nothing is kept of it.
            IssuerDataError: ``portrait.too-large``.
            IssuerRefusedError: the actor may record nobody (``right.missing``).
            IssuerUnavailableError: database, portrait store or worker are not to be had.
        """
        require_picture_size(picture)
        row = ListRow(
            number=_ROW,
            cells={
                **{column.value: text for column, text in cells.items()},
                MemberColumn.PORTRAIT.value: _PICTURE,
            },
        )
        # A list keeps what it refuses for whoever corrects it; a form is still open, and is told at once.
        judged = self._judge(row, actor)
        with self.open_normaliser() as normaliser:
            made = _portrait(normaliser, picture)
        self._compare(row, judged, picture)
        member_id = self.new_member_id()
        importing = MemberImport(
            register=self.register,
            portraits=_OnePicture(picture),
            normaliser=_MadeAlready(made),
            store=self.store,
            scheme=self.scheme,
            clock=self.clock,
            new_member_ids=lambda count: [member_id] * count,
        )
        record = importing.run(_OneRow(row=row, picture=picture), actor=actor)
        [outcome] = importing.outcomes(record)
        if outcome.result is RowResult.REFUSED:
            raise BrokenRulesError(outcome.findings)
        return RecordedMember(
            result=outcome.result,
            findings=outcome.findings,
            member_id=member_id if outcome.result is RowResult.TAKEN else None,
            reference=RowReference(record.number, _ROW),
        )

    def _judge(self, row: ListRow, actor: Actor) -> JudgedRow:
        now = self.clock()
        with self.register.reading() as transaction:
            judge = RowJudge(
                organisations=transaction.organisations.around(_codes_of(row)),
                scheme=self.scheme,
                today=now.date(),
            )
            judged = judge.judge(row)
            if not isinstance(judged, JudgedRow):
                raise BrokenRulesError(judged)
            code = judged.statement.organisation_code
            place = transaction.organisations.around([code]).place(code)
            actor.demand(Right.IMPORT_MEMBERS, place=place, now=now)
            return judged

    def _compare(self, row: ListRow, judged: JudgedRow, picture: bytes) -> None:
        candidate = Candidate(
            row=judged,
            cells=row.cells,
            picture=picture,
            source=PortraitDigest(hashlib.sha256(picture).digest()),
        )
        with self.register.reading() as transaction:
            compared = compare((candidate,), transaction)
        for outcome in compared.outcomes:
            if outcome.result is RowResult.REFUSED:
                raise BrokenRulesError(outcome.findings)


def _portrait(normaliser: PortraitNormaliser, picture: bytes) -> NormalisedPortrait:
    try:
        return normaliser.normalise(picture)
    except IssuerDataError as error:
        finding = Finding(
            row=_ROW, column=MemberColumn.PORTRAIT, code=error.code, sentence=str(error)
        )
        raise BrokenRulesError([finding]) from error


class _MadeAlready:
    """The portrait that was made of the one picture."""

    def __init__(self, made: NormalisedPortrait) -> None:
        self._made = made

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        """See ``PortraitNormaliser.normalise``."""
        del picture
        return self._made


class _OnePicture:
    """The picture that came with the form."""

    def __init__(self, picture: bytes) -> None:
        self._picture = picture

    def read(self, name: str) -> bytes:
        """See ``PortraitSource.read``."""
        del name
        return self._picture


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneRow:
    """A list of one row (``issuer.services.import_members.MemberListSource``)."""

    row: ListRow
    picture: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """Of everything that is stated, with the picture."""
        text = json.dumps(["by hand", sorted(self.row.cells.items())], default=str)
        return hashlib.sha256(text.encode() + hashlib.sha256(self.picture).digest()).digest()

    @property
    def row_count(self) -> int:
        """One."""
        return 1

    def rows(self) -> Iterator[ListRow]:
        """The one row."""
        yield self.row

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether a text of it matches."""
        return any(pattern.search(str(each).encode()) for each in self.row.cells.values())


def _codes_of(row: ListRow) -> set[OrganisationCode]:
    codes: set[OrganisationCode] = set()
    for column in _ORGANISATIONS:
        text = row.cells.get(column.value)
        try:
            codes.add(parse_organisation_code(str(text or "").strip()))
        except IssuerDataError:
            # The judge says what is wrong with it.
            continue
    return codes
