"""What happens to a member happens to their cards in the same transaction."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from issuer.db.production_tables import CardContentsRow
from issuer.domain.card import CardReference
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.member import Standing
from issuer.domain.member_acts import Correction, MemberAct, Serving, StandingEvent, Transfer
from issuer.domain.member_change import EvidenceDigest
from issuer.domain.member_rules import MemberColumn
from issuer.domain.organisation_acts import Merger, Renaming
from issuer.domain.rights import AccountName, Role
from issuer.errors import IssuerRefusedError
from issuer.services.change_members import ChangeOfMembers, Justification
from issuer.services.change_organisations import ChangeOfOrganisations
from issuer.services.weighed_organisations import Reach
from pki.signed.card_states import CardState
from tests.contract.cards_stage import CELL, NOW, OTHER_CELL, CardsStage, fresh_sqlite, person
from tests.contract.statements_seen import statements

CLERK = person("clerk", Role.CLERK)
WHY = Justification(reason="một lý do")
TODAY = date(2026, 11, 23)


class NoEvidence:
    """Nobody brings a document here."""

    def put(self, document: bytes) -> EvidenceDigest:
        raise AssertionError(document)

    def remove(self, digest: EvidenceDigest) -> None:
        raise AssertionError(digest)

    def get(self, digest: EvidenceDigest) -> bytes:
        raise AssertionError(digest)


class World:
    def __init__(self, stage: CardsStage) -> None:
        self.stage = stage
        self.member_id = stage.add_member(1)
        self.card = self.made(1)
        self.changes = ChangeOfMembers(
            register=stage.register,
            evidence=NoEvidence(),
            scheme=CommitteeBlockScheme(),
            clock=stage.clock,
        )

    def made(self, number: int) -> CardReference:
        """A card in its member's hand, with the files that it bears."""
        reference = self.stage.hand_over(number, self.member_id)
        with self.stage.database.writing() as session:
            session.add(CardContentsRow(reference=reference, sealed=b"", prepared_at=NOW))
        return reference

    def made_for(self, number: int) -> CardReference:
        """The same for one more member of the cell."""
        reference = self.stage.hand_over(number, self.stage.add_member(number))
        with self.stage.database.writing() as session:
            session.add(CardContentsRow(reference=reference, sealed=b"", prepared_at=NOW))
        return reference

    def version(self) -> int:
        with self.stage.register.reading() as transaction:
            return transaction.members.get(self.member_id).version

    def stand(self, standing: Standing) -> None:
        self.stage.now += timedelta(days=1)
        self.changes.change_standing(
            self.member_id,
            standing,
            since=self.stage.now.date(),
            actor=CLERK,
            version=self.version(),
            why=WHY,
        )

    def state(self, reference: CardReference | None = None) -> CardState:
        with self.stage.register.reading() as transaction:
            return transaction.cards.get(reference or self.card).validity.state

    def judge(self, event: ValidityEvent, account: str) -> None:
        step = ValidityStep(event=event, account=AccountName(account))
        with self.stage.register.writing() as transaction:
            transaction.cards.take(self.card, step, at=self.stage.now)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = fresh_sqlite(tmp_path)
    yield World(CardsStage(database))
    database.close()


def test_a_suspended_member_s_card_comes_back_with_them(world: World) -> None:
    world.stand(Standing.SUSPENDED)
    assert world.state() is CardState.SUSPENDED
    world.stand(Standing.OFFICIAL)
    assert world.state() is CardState.VALID


@pytest.mark.parametrize("standing", [Standing.EXEMPT, Standing.ABROAD])
def test_other_standings_leave_the_card_as_it_is(world: World, standing: Standing) -> None:
    world.stand(standing)
    assert world.state() is CardState.VALID


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing.DECEASED, EndReason.MEMBER_DECEASED),
        (Standing.EXPELLED, EndReason.MEMBER_EXPELLED),
        (Standing.STRUCK_OFF, EndReason.MEMBER_STRUCK_OFF),
    ],
)
def test_who_leaves_for_good_loses_the_card_at_once_and_a_second_person_makes_it_final(
    world: World, standing: Standing, reason: EndReason
) -> None:
    world.stand(standing)
    assert world.state() is CardState.SUSPENDED
    with world.stage.register.reading() as transaction:
        validity = transaction.cards.get(world.card).validity
    assert (validity.report, validity.reported_by) == (reason, CLERK.account)
    with pytest.raises(IssuerRefusedError) as caught:
        world.judge(ValidityEvent.CONFIRMED, "clerk")
    assert caught.value.code == "right.same-person"
    world.judge(ValidityEvent.CONFIRMED, "decider")
    assert world.state() is CardState.REVOKED


def test_rejecting_the_report_does_not_revive_the_card_of_somebody_who_left(world: World) -> None:
    world.stand(Standing.EXPELLED)
    world.judge(ValidityEvent.REJECTED, "decider")
    assert world.state() is CardState.SUSPENDED


def test_a_loss_that_was_reported_before_stays_the_report(world: World) -> None:
    step = ValidityStep(
        event=ValidityEvent.REPORTED, account=AccountName("cell"), reason=EndReason.LOST
    )
    with world.stage.register.writing() as transaction:
        transaction.cards.take(world.card, step, at=NOW)
    world.stand(Standing.DECEASED)
    world.judge(ValidityEvent.CONFIRMED, "decider")
    assert world.state() is CardState.LOST


def test_a_transfer_and_a_correction_make_the_data_stale_and_a_new_phone_does_not(
    world: World,
) -> None:
    world.changes.correct(
        world.member_id,
        {MemberColumn.PHONE: "0912345678"},
        actor=CLERK,
        version=world.version(),
        why=WHY,
    )
    assert world.state() is CardState.VALID
    world.changes.transfer(
        world.member_id, OTHER_CELL, on=TODAY, actor=CLERK, version=world.version(), why=WHY
    )
    assert world.state() is CardState.DATA_STALE
    newer = world.made(2)
    assert (world.state(), world.state(newer)) == (CardState.REPLACED, CardState.VALID)
    world.changes.correct(
        world.member_id,
        {MemberColumn.HOME_TOWN: "Vinh"},
        actor=CLERK,
        version=world.version(),
        why=WHY,
    )
    assert (world.state(), world.state(newer)) == (CardState.REPLACED, CardState.DATA_STALE)


def test_a_card_whose_files_are_not_made_yet_says_what_the_register_says(world: World) -> None:
    other = world.stage.add_card(7, world.stage.add_member(7))
    with world.stage.register.reading() as transaction:
        member_id = transaction.cards.get(other).card.member_id
        version = transaction.members.get(member_id).version
    world.changes.transfer(member_id, OTHER_CELL, on=TODAY, actor=CLERK, version=version, why=WHY)
    with world.stage.register.reading() as transaction:
        assert not transaction.cards.get(other).validity.is_stale


def test_nobody_who_left_is_given_a_card(world: World) -> None:
    member_id = world.stage.add_member(5)
    card = world.stage.add_card(5, member_id)
    with world.stage.register.reading() as transaction:
        version = transaction.members.get(member_id).version
    world.changes.change_standing(
        member_id, Standing.DECEASED, since=TODAY, actor=CLERK, version=version, why=WHY
    )
    with world.stage.register.writing() as transaction, pytest.raises(IssuerRefusedError) as caught:
        transaction.cards.hand_over(card, to="m", account=AccountName("a"), at=NOW)
    assert caught.value.code == "card.member-not-entitled"


def test_members_of_an_organisation_that_is_merged_into_another_have_stale_cards(
    world: World,
) -> None:
    organisations = ChangeOfOrganisations(
        register=world.stage.register, evidence=NoEvidence(), clock=world.stage.clock
    )
    merger, manager = Merger(on=TODAY, into=OTHER_CELL), person("admin", Role.ADMINISTRATOR)
    weighed = organisations.weigh(CELL, merger, actor=manager, version=1)
    assert world.state() is CardState.VALID
    merged = organisations.take(CELL, merger, actor=manager, why=WHY)
    assert merged.reach == weighed.reach == Reach(moved_members=1, stale_cards=1)
    assert world.state() is CardState.DATA_STALE


def test_another_name_of_the_organisation_makes_the_data_of_its_members_cards_stale(
    world: World,
) -> None:
    organisations = ChangeOfOrganisations(
        register=world.stage.register, evidence=NoEvidence(), clock=world.stage.clock
    )
    manager = person("administrator", Role.ADMINISTRATOR)
    with world.stage.register.reading() as transaction:
        name = transaction.organisations.get(CELL).name
        above = transaction.organisations.get(CELL).parent_code
    assert above is not None
    # Another level, and another name of a committee above: no card bears either.
    for code, deed in (
        (CELL, Renaming(on=NOW.date(), name=name, level="chi bộ")),
        (above, Renaming(on=NOW.date(), name="Đảng ủy tên mới")),
    ):
        assert organisations.weigh(code, deed, actor=manager, version=1).reach == Reach()
        organisations.take(code, deed, actor=manager, why=WHY, version=1)
    assert world.state() is CardState.VALID
    world.stage.now += timedelta(days=1)
    deed = Renaming(on=world.stage.now.date(), name="Chi bộ tên mới")
    weighed = organisations.weigh(CELL, deed, actor=manager, version=2)
    renamed_cell = organisations.take(CELL, deed, actor=manager, why=WHY)
    assert renamed_cell.reach == weighed.reach == Reach(stale_cards=1)
    assert world.state() is CardState.DATA_STALE
    with world.stage.register.reading() as transaction:
        renamed = [
            each.record().details
            for each in transaction.audit.records()
            if each.action == "organisation.renamed"
        ]
    assert [each["stale_cards"] for each in renamed] == [0, 0, 1]


def test_cards_of_many_members_are_read_together(world: World) -> None:
    organisations = ChangeOfOrganisations(
        register=world.stage.register, evidence=NoEvidence(), clock=world.stage.clock
    )
    manager = person("administrator", Role.ADMINISTRATOR)
    asked = []
    for members in (1, 4):
        for number in range(10 * members, 11 * members):
            world.made_for(number)
        world.stage.now += timedelta(days=1)
        with statements() as seen:
            deed = Renaming(on=world.stage.now.date(), name=f"Chi bộ {members}")
            organisations.take(CELL, deed, actor=manager, why=WHY)
        asked.append([each for each in seen if each.startswith("SELECT")])
    assert len(asked[0]) == len(asked[1]), asked
    with world.stage.register.reading() as transaction:
        changed = [
            each.record() for each in transaction.audit.records()
            if each.action == "card.data-changed"
        ]  # fmt: skip
    assert len(changed) == len({each.subject_id for each in changed}) == 1 + 1 + 4
    assert {each.organisation for each in changed} == {CELL}


@pytest.mark.parametrize(
    "act",
    [
        *(StandingEvent(standing=each, since=NOW.date()) for each in Standing if each is not Standing.OFFICIAL),
        Correction(values={MemberColumn.PHONE: "0912345678"}),
        Correction(values={MemberColumn.HOME_TOWN: "Vinh"}),
        Transfer(to=OTHER_CELL, on=NOW.date()),
        Serving(organisation=OTHER_CELL, since=NOW.date()),
    ],
    ids=str,
)  # fmt: skip
def test_what_an_act_means_is_told_before_exactly_as_it_happens(
    world: World, act: MemberAct
) -> None:
    if isinstance(act, StandingEvent) and act.standing is Standing.PROBATIONARY:
        with world.stage.register.reading() as transaction:
            recognised = transaction.members.get(world.member_id).statement.recognition_date
        assert recognised is not None
        world.changes.correct(
            world.member_id,
            {MemberColumn.RECOGNITION_DATE: None, MemberColumn.STANDING: "exempt"},
            actor=CLERK,
            version=world.version(),
            why=WHY,
        )
    version = world.version()
    weighed = world.changes.weigh(world.member_id, act, actor=CLERK, version=version)
    assert world.version() == version
    [told] = weighed.consequences.cards
    with world.stage.register.reading() as transaction:
        assert transaction.cards.get(world.card).validity == told.before
    done = world.changes.take(world.member_id, act, actor=CLERK, version=version, why=WHY)
    assert done.consequences == weighed.consequences
    assert done.changes == weighed.changes
    with world.stage.register.reading() as transaction:
        assert transaction.cards.get(world.card).validity == told.after
