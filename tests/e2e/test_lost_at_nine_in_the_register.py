"""From the register to the terminal: lost at 9:00, refused with the list that the issuer published at 9:05."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from issuer.db.status_ledger import SqlStatusLedger
from issuer.domain.card import CardReference
from issuer.domain.card_validity import EndReason, ValidityEvent, ValidityStep
from issuer.domain.rights import AccountName, Role
from issuer.services.publish_status import StatusPublishing
from issuer.status_files import StatusFolders
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import CardStates
from pki.signed.security_object import StatusReference
from pki.signed.status_list import prepare_status_list
from simulators.authority import TestAuthority
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from tests.contract.cards_stage import LIST, CardsStage, fresh_sqlite, person
from tests.unit.verifier.status_office import STATUS_POLICY, StatusOffice
from verifier.cli import main

DAY = datetime(2026, 11, 23, tzinfo=UTC)
INDEX = 41
CAN = "314159"
CLERK, DECIDER = AccountName("clerk"), AccountName("decider")
ADMINISTRATOR = person("administrator", Role.ADMINISTRATOR)


def at(hour: int, minute: int) -> datetime:
    return DAY + timedelta(hours=hour, minutes=minute)


class Signer:
    """The PKI's side, with a clock that the test sets."""

    def __init__(self, office: StatusOffice) -> None:
        self._office = office
        self._number = 0
        self.now = DAY

    def issue(self, states: CardStates, *, days: int) -> bytes:
        self._number += 1
        prepared = prepare_status_list(
            signer_certificate=self._office.certificate,
            public_key=self._office.key.public_key(),
            number=self._number,
            this_update=self.now,
            next_update=self.now + timedelta(days=days),
            states=states,
        )
        return prepared.sign(SoftwareSigner(self._office.key))


@pytest.fixture
def terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[datetime], SimpleNamespace]:
    def inspect(moment: datetime) -> SimpleNamespace:
        monkeypatch.setattr("sys.stdin", io.StringIO(CAN))
        status = main(
            [
                "inspect", "--reader", f"sim:{tmp_path}/card.json", "--can", "-",
                "--trust", str(tmp_path / "trust"), "--at", moment.isoformat(),
            ]
        )  # fmt: skip
        return SimpleNamespace(status=status, out=capsys.readouterr().out)

    return inspect


def test_lost_at_nine_is_refused_with_what_the_issuer_published_at_five_past(
    tmp_path: Path, terminal: Callable[[datetime], SimpleNamespace]
) -> None:
    authority = TestAuthority.create(now=DAY - timedelta(days=2))
    image = issue_image(
        draw_member(Random(9), serial_number=9),
        authority=authority,
        random=Random(9),
        can=CAN,
        status_reference=StatusReference(list_id=LIST, index=INDEX),
    )
    image.save(tmp_path / "card.json")
    write_trust_directory(tmp_path / "trust", [authority], now=DAY, policy=STATUS_POLICY)
    database = fresh_sqlite(tmp_path)
    stage = CardsStage(database, now=at(7, 0))
    member_id = stage.add_member(1)
    card = stage.add_card(INDEX, member_id)
    signer = Signer(StatusOffice(authority=authority))

    def publish(moment: datetime) -> int:
        stage.now = signer.now = moment
        publishing = StatusPublishing(
            ledger=SqlStatusLedger(database),
            shelf=StatusFolders(kept=tmp_path / "status", trust=tmp_path / "trust"),
            clock=stage.clock,
        )
        return publishing.publish(signer, actor=ADMINISTRATOR, days=7).publication.changes

    def take(
        reference: CardReference,
        event: ValidityEvent,
        account: AccountName,
        *,
        reason: EndReason | None = None,
        moment: datetime,
    ) -> None:
        step = ValidityStep(event=event, account=account, reason=reason)
        with stage.register.writing() as transaction:
            transaction.cards.take(reference, step, at=moment)

    assert publish(at(7, 0)) == 0
    undelivered = terminal(at(7, 30))
    assert undelivered.status == 1
    assert "status.not-handed-over" in undelivered.out

    with stage.register.writing() as transaction:
        transaction.cards.hand_over(card, to="member", account=CLERK, at=at(7, 45))
    assert publish(at(8, 0)) == 1
    accepted = terminal(at(8, 59))
    assert accepted.status == 0, accepted.out
    assert "ACCEPTED" in accepted.out

    # One person's word at nine is enough for five past nine.
    take(card, ValidityEvent.REPORTED, CLERK, reason=EndReason.LOST, moment=at(9, 0))
    assert publish(at(9, 5)) == 1
    refused = terminal(at(9, 6))
    assert refused.status == 1
    assert "REFUSED" in refused.out
    assert "status.suspended" in refused.out

    take(card, ValidityEvent.CONFIRMED, DECIDER, moment=at(9, 30))
    assert publish(at(9, 35)) == 1
    lost = terminal(at(9, 36))
    assert lost.status == 1
    assert "status.lost" in lost.out
    database.close()
