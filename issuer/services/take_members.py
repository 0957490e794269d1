"""Members that another instance states: who is new, who is known, who was changed on one side, and where both differ.

What they state is compared with what they stated last (the base) and with ours:

* they changed nothing: ours stays;
* only they changed it: theirs is taken, as a change with its line of history;
* both changed the same record: nothing is taken, and a person decides.

Nobody new is recorded who may be somebody known: that is for a person to say, too.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.bundle import BundleMember, ConflictKind
from issuer.domain.card_number import CardNumber, CardNumberScheme
from issuer.domain.data_subjects import FileStore, FileToDestroy
from issuer.domain.instances import Instance
from issuer.domain.list_row import Cell, Finding, ListRow
from issuer.domain.member import Member, MemberId, MemberStatement, PortraitDigest
from issuer.domain.member_acts import NewPortrait
from issuer.domain.member_change import ChangeKind, MemberChange, differences
from issuer.domain.member_list import JudgedRow, judge_member_row
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation import OrganisationCode
from issuer.domain.rights import AccountName
from issuer.domain.vietnamese_text import likeness
from issuer.errors import IssuerDataError, IssuerError, IssuerRefusedError
from issuer.services.bundle_ports import LinkedMember
from issuer.services.collect_bundle import member_cells
from issuer.services.follow_members import follow_member
from issuer.services.import_ports import Likeness
from issuer.services.places import Places
from issuer.services.register_ports import MemberNumbers, RegisterTransaction

__all__ = ["Disagreement", "MemberTaking", "ReadMember", "TakenMember"]

_Column = MemberColumn
_CARD_NUMBER_DIGITS: Final = 8
_PICTURE: Final = MemberColumn.PORTRAIT.value
"""Beside the cells of a statement: the digest of the picture that it came with."""

_REASON: Final = "taken over from instance {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMember:
    """A member as another instance states them, read by our rules; ``portrait`` is kept here under this digest."""

    remote_id: MemberId
    version: int
    statement: MemberStatement
    portrait: PortraitDigest | None
    portrait_source: PortraitDigest

    @property
    def cells(self) -> dict[str, str]:
        """What they state, as we write it."""
        return member_cells(self.statement)

    @classmethod
    def stated_in(cls, content: bytes) -> BundleMember:
        """What was kept, as if it had come in a bundle; its portrait is here already."""
        found = json.loads(content)
        return BundleMember(
            member_id=MemberId(uuid.UUID(hex=found["id"])),
            version=found["version"],
            cells=found["cells"],
            portrait=None if found["portrait"] is None else bytes.fromhex(found["portrait"]),
            portrait_source=bytes.fromhex(found["portrait_source"]),
        )

    def content(self) -> bytes:
        """All of it, to be decided on later."""
        return json.dumps(
            {
                "id": self.remote_id.hex,
                "version": self.version,
                "cells": self.cells,
                "portrait": None if self.portrait is None else self.portrait.hex(),
                "portrait_source": self.portrait_source.hex(),
            },
            sort_keys=True,
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Why something was not taken."""

    kind: ConflictKind
    subject_id: str
    member_id: MemberId | None
    organisation: OrganisationCode
    code: str
    sentence: str
    columns: tuple[str, ...] = ()
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenMember:
    """What became of one member: who they are here, unless a person has to decide."""

    remote_id: MemberId
    member_id: MemberId | None
    outcome: str
    disagreement: Disagreement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTaking:
    """Takes members of one instance within one transaction; ``now`` is aware UTC."""

    transaction: RegisterTransaction
    instance: Instance
    scheme: CardNumberScheme
    account: AccountName
    now: datetime
    new_member_id: Callable[[], MemberId]

    def read(
        self,
        stated: BundleMember,
        places: Places,
        portraits: Mapping[bytes, PortraitDigest],
    ) -> ReadMember:
        """What they state, by the rules of a member list.

        Raises:
            IssuerDataError: it breaks one of them; the code is the rule's.
            IssuerRefusedError: the member is not theirs (``bundle.not-theirs``).
        """
        judged = self._judged(stated.cells)
        if isinstance(judged, tuple):
            first = judged[0]
            raise IssuerDataError(
                f"member {stated.member_id}: {first.column}: {first.sentence}", code=first.code
            )
        place = places.of(judged.statement.organisation_code)
        if not self.instance.is_believed_for(place):
            raise IssuerRefusedError(
                f"instance {self.instance.name} states a member of {judged.statement.organisation_code}, "
                f"expected one of {self.instance.organisation} or below",
                code="bundle.not-theirs",
            )
        return ReadMember(
            remote_id=stated.member_id,
            version=stated.version,
            statement=judged.statement,
            portrait=None if stated.portrait is None else portraits[stated.portrait],
            portrait_source=PortraitDigest(stated.portrait_source),
        )

    def take(self, read: ReadMember, known: LinkedMember | None) -> TakenMember:
        """Record them, change them, leave them, or say why a person has to decide."""
        if known is None or not known.cells:
            return self._take_unknown(read)
        try:
            return self._take_known(read, known)
        except IssuerError as error:
            return self._disagree(read, known.member_id, error.code, str(error))

    def take_theirs(self, read: ReadMember, member_id: MemberId | None) -> MemberId:
        """What they state is true: a person has said so.

        Raises:
            IssuerError: it cannot be, because a number is somebody else's or a rule is broken.
        """
        if member_id is None:
            return self._record(read)
        ours = self.transaction.members.get(member_id)
        self._change(ours, read)
        self._link(read, member_id)
        return member_id

    def keep_ours(self, read: ReadMember, member_id: MemberId) -> None:
        """What we have is true: they are the same person, and what differs is not asked about again."""
        self._link(read, member_id)

    def _take_known(self, read: ReadMember, known: LinkedMember) -> TakenMember:
        ours = self.transaction.members.get(known.member_id)
        if not self._is_theirs(ours):
            return self._disagree(
                read, ours.member_id, "bundle.recorded-elsewhere",
                f"the member is recorded in {ours.statement.organisation_code} here", (),
            )  # fmt: skip
        base, theirs, here = dict(known.cells), read.cells, member_cells(ours.statement)
        if read.portrait is not None and _PICTURE in base:
            theirs[_PICTURE] = read.portrait_source.hex()
            here[_PICTURE] = ours.portrait_source.hex()
        else:
            # They state no picture, or did not when they stated the member last: it says nothing.
            base.pop(_PICTURE, None)
        theirs_changed = {each for each in {*base, *theirs} if base.get(each) != theirs.get(each)}
        ours_changed = {each for each in {*base, *here} if base.get(each) != here.get(each)}
        differing = {each for each in theirs_changed if theirs.get(each) != here.get(each)}
        if not differing:
            self._link(read, ours.member_id)
            return _taken(read, ours.member_id, "unchanged")
        if differing & ours_changed:
            return self._disagree(
                read, ours.member_id, "bundle.both-changed",
                "the member was changed here and there since the last bundle", sorted(differing),
            )  # fmt: skip
        merged = replace(
            read,
            statement=self._merged(ours, read, differing),
            portrait=read.portrait if _PICTURE in differing else None,
        )
        self._change(ours, merged)
        self._link(read, ours.member_id)
        return _taken(read, ours.member_id, "changed")

    def _take_unknown(self, read: ReadMember) -> TakenMember:
        statement = read.statement
        numbers = MemberNumbers(
            record_number=statement.record_number,
            citizen_number=statement.citizen_number,
            earlier_card_number=statement.earlier_card_number,
        )
        holders = self.transaction.members.holders_of([numbers])
        same = [each for each in holders if _is_same_person(each.statement, statement)]
        if len(holders) == 1 and same:
            return self._take_same(read, same[0])
        if holders:
            return self._disagree(
                read, holders[0].member_id, "bundle.number-held",
                f"{len(holders)} other members hold a number of the member", (),
            )  # fmt: skip
        alike = self.transaction.members.alike(
            [Likeness(full_name=statement.name.full, birth_date=statement.birth_date)]
        )
        if alike:
            return self._disagree(
                read, alike[0].member_id, "bundle.likely-duplicate",
                "a member here has the same name and date of birth, and other numbers", (),
            )  # fmt: skip
        try:
            return _taken(read, self._record(read), "new")
        except IssuerRefusedError as error:
            # The number of somebody whose record was deleted, for one.
            return self._disagree(read, None, error.code, str(error))

    def _take_same(self, read: ReadMember, ours: Member) -> TakenMember:
        if not self._is_theirs(ours):
            return self._disagree(
                read, ours.member_id, "bundle.recorded-elsewhere",
                f"the member is recorded in {ours.statement.organisation_code} here", (),
            )  # fmt: skip
        here, theirs = member_cells(ours.statement), read.cells
        differing = sorted(each for each in {*here, *theirs} if here.get(each) != theirs.get(each))
        if differing:
            return self._disagree(
                read, ours.member_id, "bundle.records-differ",
                "the member is known here, and the two records differ", differing,
            )  # fmt: skip
        self._link(read, ours.member_id)
        return _taken(read, ours.member_id, "unchanged")

    def _is_theirs(self, ours: Member) -> bool:
        place = Places(self.transaction.organisations).of(ours.statement.organisation_code)
        return self.instance.is_believed_for(place)

    def _record(self, read: ReadMember) -> MemberId:
        if read.portrait is None:
            raise IssuerRefusedError(
                "the member is not known here, and comes without a picture",
                code="bundle.no-portrait",
                hint="membercard-issuer members import",
            )
        known = self.transaction.members.several([read.remote_id])
        member = Member(
            member_id=self.new_member_id() if known else read.remote_id,
            statement=read.statement,
            portrait=read.portrait,
            portrait_source=read.portrait_source,
            recorded_at=self.now,
        )
        self.transaction.members.add([member])
        self._link(read, member.member_id)
        self._audit(member, "member.recorded", "")
        return member.member_id

    def _merged(self, ours: Member, read: ReadMember, columns: set[str]) -> MemberStatement:
        """Ours with these fields of theirs, judged like any member."""
        theirs = read.cells
        cells = {
            each: text for each, text in member_cells(ours.statement).items() if each not in columns
        }
        cells.update({each: theirs[each] for each in columns if each in theirs})
        judged = self._judged(cells)
        if isinstance(judged, tuple):
            raise IssuerDataError(f"{judged[0].column}: {judged[0].sentence}", code=judged[0].code)
        return judged.statement

    def _judged(self, cells: Mapping[str, str]) -> JudgedRow | tuple[Finding, ...]:
        """A member's cells by the rules of a list, in which a card number is written as people write it."""
        row: dict[str, Cell] = {**cells, _Column.PORTRAIT.value: "portrait.jpg"}
        number = cells.get(_Column.EARLIER_CARD_NUMBER.value)
        if number is not None and len(number) == _CARD_NUMBER_DIGITS:
            row[_Column.EARLIER_CARD_NUMBER.value] = self.scheme.display(CardNumber(number))
        codes = {
            OrganisationCode(cells[column.value])
            for column in (_Column.ORGANISATION_CODE, _Column.SERVED_IN)
            if column.value in cells
        }
        judged = judge_member_row(
            ListRow(number=1, cells=row),
            organisations=self.transaction.organisations.around(codes),
            scheme=self.scheme,
            today=self.now.date(),
        )
        if isinstance(judged, tuple) or _Column.STANDING_SINCE.value in cells:
            return judged
        # A list for cards may leave this day out and mean another one; a register that states none means none.
        return replace(judged, statement=replace(judged.statement, standing_since=None))

    def _change(self, ours: Member, read: ReadMember) -> None:
        changes = list(differences(ours.statement, read.statement))
        stated = replace(ours, statement=read.statement)
        after = replace(stated, version=ours.version + 1)
        if read.portrait is not None and read.portrait != ours.portrait:
            picture = NewPortrait(portrait=read.portrait, source=read.portrait_source)
            after, change = picture.picture(stated)
            changes.append(change)
            self.transaction.subjects.doom(
                FileToDestroy(store=FileStore.PORTRAITS, digest=ours.portrait)
            )
        if not changes:
            return
        lines = [
            MemberChange(
                member_id=after.member_id,
                version=after.version,
                at=self.now,
                account=self.account,
                kind=ChangeKind.CORRECTION,
                effective=None,
                reason=_REASON.format(self.instance.name),
                evidence=None,
                change=each,
            )
            for each in changes
        ]
        self.transaction.members.change(after, lines)
        self._audit(after, "member.corrected", ",".join(each.column.value for each in changes))
        follow_member(
            self.transaction.cards,
            after.member_id,
            after.statement.standing,
            {each.column for each in changes},
            account=self.account,
            at=self.now,
        )

    def _link(self, read: ReadMember, member_id: MemberId) -> None:
        self.transaction.exchange.link_member(
            LinkedMember(
                instance=self.instance.name,
                remote_id=read.remote_id,
                member_id=member_id,
                version=read.version,
                cells=read.cells
                if read.portrait is None
                else {**read.cells, _PICTURE: read.portrait_source.hex()},
            )
        )

    def _audit(self, member: Member, action: str, fields: str) -> None:
        self.transaction.audit.append(
            AuditRecord(
                at=self.now,
                account=self.account,
                action=action,
                subject=AuditSubject.MEMBER,
                subject_id=member.member_id.hex,
                organisation=member.statement.organisation_code,
                details={
                    "version": member.version,
                    "fields": fields,
                    "instance": self.instance.name,
                },
            )
        )

    def _disagree(
        self,
        read: ReadMember,
        member_id: MemberId | None,
        code: str,
        sentence: str,
        columns: list[str] | tuple[str, ...] = (),
    ) -> TakenMember:
        return TakenMember(
            remote_id=read.remote_id,
            member_id=None,
            outcome="conflict",
            disagreement=Disagreement(
                kind=ConflictKind.MEMBER,
                subject_id=read.remote_id.hex,
                member_id=member_id,
                organisation=read.statement.organisation_code,
                code=code,
                sentence=sentence,
                columns=tuple(columns),
                content=read.content(),
            ),
        )


def _taken(read: ReadMember, member_id: MemberId, outcome: str) -> TakenMember:
    return TakenMember(remote_id=read.remote_id, member_id=member_id, outcome=outcome)


def _is_same_person(ours: MemberStatement, theirs: MemberStatement) -> bool:
    """Both numbers and the name's folded form and the day of birth: nothing less makes two records one."""
    return (
        ours.record_number == theirs.record_number
        and ours.citizen_number == theirs.citizen_number
        and ours.birth_date == theirs.birth_date
        and likeness(ours.name.full) == likeness(theirs.name.full)
    )
