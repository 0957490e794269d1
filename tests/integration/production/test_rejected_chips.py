"""Chips that are not what the ledger says, and what becomes of them."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle, encode_atr
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError
from issuer.personalisation import native
from issuer.services.visit_chip import StationTask, VisitResult
from simulators.blank import blank_image
from simulators.card import personalisation as chip_personalisation
from simulators.card.operating_system import VirtualCard
from simulators.faults import Fault, FaultKind

FIRST = Serial((1).to_bytes(10, "big"))
PERSONALISE, INITIALISE = StationTask.PERSONALISE, StationTask.INITIALISE
WRITTEN_AT = 15


@pytest.fixture
def signed(workshop: Any) -> Any:
    """Chip 1 of two that were received and of two members; initialised, bound and signed."""
    workshop.add_members(2)
    workshop.receive(1, 2)
    card = workshop.blank(1)
    assert workshop.visit(card, INITIALISE)[0].result is VisitResult.DONE
    workshop.bind_and_sign()
    return card


def written(workshop: Any, card: VirtualCard) -> None:
    """Pull the card out right after everything was written."""
    fault = Fault(kind=FaultKind.TEAR_AFTER, at=WRITTEN_AT)
    assert workshop.visit(card, PERSONALISE, faults=(fault,))[0].result is VisitResult.INTERRUPTED
    assert card.image.state is LifeCycle.PERSONALISED


def changed(card: VirtualCard, **changes: Any) -> VirtualCard:
    return VirtualCard(replace(card.image, **changes), random=random.Random(5).randbytes)


def require_condemned(workshop: Any, card: VirtualCard, code: str) -> None:
    record = workshop.station.find(FIRST)
    assert record.chip.state.value == "condemned"
    assert record.chip.condemned_for == code
    assert record.card is None or record.card.state.value == "condemned"
    assert card.image.state is LifeCycle.TERMINATED
    assert workshop.stock.journal(serial=FIRST)[-1].kind == "terminated"


def test_a_chip_that_is_not_in_the_stock_is_refused_and_left_alone(workshop: Any) -> None:
    card = workshop.blank(9)
    before = card.image
    outcome, apdus = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.REFUSED, "chip.not-in-stock")
    assert apdus == 2
    assert card.image == before
    assert workshop.stock.journal() == ()


def test_a_wrong_card_cryptogram_is_never_answered_and_the_chip_is_held(workshop: Any) -> None:
    workshop.receive(1)
    card = VirtualCard(
        blank_image(workshop.profile, serial=FIRST, transport_master_key=bytes(32)),
        random=random.Random(1).randbytes,
    )
    before = card.image
    outcome, apdus = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code) == (
        VisitResult.HELD,
        "personalisation.card-cryptogram",
    )
    # INITIALIZE UPDATE alone: what was not tried cannot count against the chip.
    assert apdus == 2
    outcome, apdus = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code, apdus) == (VisitResult.REFUSED, "chip.held", 2)
    assert card.image == before

    workshop.stock.release(FIRST)
    assert workshop.visit(card, INITIALISE)[0].result is VisitResult.HELD


def test_a_chip_that_refuses_a_step_is_held_until_a_person_releases_it(
    workshop: Any, signed: VirtualCard
) -> None:
    fault = Fault(kind=FaultKind.WRONG_STATUS_WORD, at=4, status_word=0x6A80)
    outcome, _ = workshop.visit(signed, PERSONALISE, faults=(fault,))
    assert outcome.result is VisitResult.HELD, outcome
    assert workshop.visit(signed, PERSONALISE)[0].code == "chip.held"
    workshop.stock.release(FIRST)
    assert workshop.visit(signed, PERSONALISE)[0].result is VisitResult.DONE


def test_a_chip_that_makes_the_key_of_another_is_condemned_and_terminated(workshop: Any) -> None:
    workshop.receive(1, 2)
    twin = VirtualCard(
        blank_image(
            workshop.profile,
            serial=(2).to_bytes(10, "big"),
            transport_master_key=bytes(range(32)),
        ),
        random=random.Random(1).randbytes,
    )
    first = VirtualCard(
        blank_image(workshop.profile, serial=FIRST, transport_master_key=bytes(range(32))),
        random=random.Random(1).randbytes,
    )
    assert workshop.visit(twin, INITIALISE)[0].result is VisitResult.DONE
    outcome, _ = workshop.visit(first, INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "chip.key-not-unique")
    require_condemned(workshop, first, "chip.key-not-unique")


@pytest.mark.parametrize("scalar", [1, 2, 32, -1])
def test_a_chip_whose_private_key_anybody_could_guess_is_condemned_and_terminated(
    workshop: Any, monkeypatch: pytest.MonkeyPatch, scalar: int
) -> None:
    monkeypatch.setattr(
        chip_personalisation, "random_scalar", lambda curve, _random: scalar % curve.n
    )
    workshop.receive(1)
    card = workshop.blank(1)
    outcome, _ = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "chip.key-weak")
    require_condemned(workshop, card, "chip.key-weak")
    assert workshop.station.find(FIRST).chip.public_key is None


@pytest.mark.parametrize("wrong", ["no-point", "no-key", "nothing"])
def test_a_chip_whose_public_key_is_none_is_condemned_and_terminated(
    workshop: Any, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    curve = workshop.profile.chip_authentication_curve
    point = bytearray(curve.generator)
    point[-1] ^= 1
    answers = {
        "no-point": tlv.encode(
            0x7F49, tlv.encode(0x06, curve.oid_bytes) + tlv.encode(0x86, bytes(point))
        ),
        "no-key": tlv.encode(0x7F49, tlv.encode(0x06, curve.oid_bytes)),
        "nothing": b"",
    }
    make = chip_personalisation._HANDLERS[0x47][0]
    monkeypatch.setitem(
        chip_personalisation._HANDLERS,
        0x47,
        (
            lambda *asked: replace(make(*asked), answer=answers[wrong]),
            (LifeCycle.BLANK,),
        ),
    )
    workshop.receive(1)
    card = workshop.blank(1)
    outcome, _ = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "chip.key-invalid")
    require_condemned(workshop, card, "chip.key-invalid")


def test_a_malformed_answer_condemns_no_chip(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.receive(1)
    card = workshop.blank(1)
    with monkeypatch.context() as broken:
        broken.setattr(native, "_KEY_INFORMATION", 0xE1)
        outcome, _ = workshop.visit(card, INITIALISE)
    assert (outcome.result, outcome.code) == (
        VisitResult.INTERRUPTED,
        "personalisation.malformed",
    )
    assert workshop.visit(card, INITIALISE)[0].result is VisitResult.DONE


def test_one_altered_byte_condemns_the_card_and_frees_its_member(
    workshop: Any, signed: VirtualCard
) -> None:
    written(workshop, signed)
    path = workshop.profile.file("EF.DG13").path
    file = signed.image.files[path]
    altered = changed(
        signed,
        files={
            **signed.image.files,
            path: replace(file, data=file.data[:-1] + bytes([file.data[-1] ^ 1])),
        },
    )
    outcome, _ = workshop.visit(altered, PERSONALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "quality-control.differs")
    require_condemned(workshop, altered, "quality-control.differs")
    # A condemned card frees its member, and never its chip or its status index.
    assert len(workshop.cards.members_to_bind()) == 2
    assert workshop.cards.chips_to_bind() == ()


def test_a_byte_behind_the_content_condemns_the_card(workshop: Any, signed: VirtualCard) -> None:
    written(workshop, signed)
    path = workshop.profile.file("EF.COM").path
    file = signed.image.files[path]
    longer = changed(
        signed, files={**signed.image.files, path: replace(file, data=file.data + b"\x00")}
    )
    assert workshop.visit(longer, PERSONALISE)[0].code == "quality-control.differs"


def test_a_card_that_cannot_prove_the_recorded_key_is_condemned(
    workshop: Any, signed: VirtualCard
) -> None:
    written(workshop, signed)
    [key] = signed.image.keys.chip_authentication
    other = changed(
        signed,
        keys=replace(
            signed.image.keys,
            chip_authentication=(replace(key, private_scalar=key.private_scalar ^ 1),),
        ),
    )
    outcome, _ = workshop.visit(other, PERSONALISE)
    assert (outcome.result, outcome.code) == (
        VisitResult.CONDEMNED,
        "quality-control.chip-not-proven",
    )
    require_condemned(workshop, other, "quality-control.chip-not-proven")


def test_a_card_with_another_can_is_condemned(workshop: Any, signed: VirtualCard) -> None:
    written(workshop, signed)
    can = signed.image.secrets.can
    assert can is not None
    other = changed(
        signed,
        secrets=replace(signed.image.secrets, can=f"{(int(can) + 1) % 10**6:06d}"),
    )
    assert workshop.visit(other, PERSONALISE)[0].code == "quality-control.access"
    require_condemned(workshop, other, "quality-control.access")


def test_one_disturbed_answer_during_quality_control_condemns_nothing(
    workshop: Any, signed: VirtualCard
) -> None:
    fault = Fault(kind=FaultKind.FLIP_BIT, at=WRITTEN_AT + 12, bit=9)
    assert workshop.visit(signed, PERSONALISE, faults=(fault,))[0].result is VisitResult.DONE


def test_a_chip_with_another_cards_reference_is_condemned(
    workshop: Any, signed: VirtualCard
) -> None:
    written(workshop, signed)
    other = changed(signed, card_reference=bytes(16))
    outcome, _ = workshop.visit(other, PERSONALISE)
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "card.other-reference")
    require_condemned(workshop, other, "card.other-reference")


def test_a_card_that_takes_writes_after_its_lock_is_condemned(
    workshop: Any, signed: VirtualCard
) -> None:
    fault = Fault(kind=FaultKind.WRONG_STATUS_WORD, at=39, status_word=0x9000)
    outcome, _ = workshop.visit(signed, PERSONALISE, faults=(fault,))
    assert (outcome.result, outcome.code) == (VisitResult.CONDEMNED, "lock.not-effective")
    # This chip lied on the wire only: it is locked, so it cannot be terminated, and the journal says so.
    assert signed.image.state is LifeCycle.OPERATIONAL
    assert workshop.stock.journal(serial=FIRST)[-1].kind == "termination-failed"


@pytest.mark.parametrize("kind", [FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING])
def test_a_condemned_chip_is_terminated_when_it_is_next_put_in(
    workshop: Any, signed: VirtualCard, kind: FaultKind
) -> None:
    workshop.stock.condemn(FIRST, code="card.condemned-by-person", detail="cracked")
    torn, apdus = workshop.visit(signed, PERSONALISE, faults=(Fault(kind=kind, at=4),))
    assert (torn.result, apdus) == (VisitResult.INTERRUPTED, 4)
    outcome, _ = workshop.visit(signed, PERSONALISE)
    assert signed.image.state is LifeCycle.TERMINATED
    expected = VisitResult.CONDEMNED if kind is FaultKind.TEAR_BEFORE else VisitResult.REFUSED
    assert outcome.result is expected


def test_a_terminated_chip_is_refused_without_a_command(workshop: Any) -> None:
    card = workshop.blank(1)
    dead = changed(
        card,
        state=LifeCycle.TERMINATED,
        atr=encode_atr(LifeCycle.TERMINATED, extended_lengths=True),
    )
    outcome, apdus = workshop.visit(dead, PERSONALISE)
    assert (outcome.code, apdus) == ("chip.terminated", 0)


def test_a_blank_chip_is_refused_by_a_station_that_personalises(workshop: Any) -> None:
    workshop.receive(1)
    card = workshop.blank(1)
    outcome, _ = workshop.visit(card, PERSONALISE)
    assert (outcome.result, outcome.code) == (VisitResult.REFUSED, "station.other-task")
    assert card.image.state is LifeCycle.BLANK


def test_a_finished_card_is_refused_without_a_command(workshop: Any, signed: VirtualCard) -> None:
    assert workshop.visit(signed, PERSONALISE)[0].result is VisitResult.DONE
    for task in StationTask:
        outcome, apdus = workshop.visit(signed, task)
        assert (outcome.result, outcome.code, apdus) == (
            VisitResult.REFUSED,
            "card.already-issued",
            0,
        )


def test_of_two_locked_cards_each_finds_its_own_record(workshop: Any) -> None:
    workshop.add_members(2)
    workshop.receive(1, 2)
    cards = [workshop.blank(1), workshop.blank(2)]
    for card in cards:
        workshop.visit(card, INITIALISE)
    workshop.bind_and_sign()
    fault = Fault(kind=FaultKind.TEAR_DURING, at=37)
    for card in cards:
        torn, _ = workshop.visit(card, PERSONALISE, faults=(fault,))
        assert torn.result is VisitResult.INTERRUPTED
        assert card.image.state is LifeCycle.OPERATIONAL
    for card in reversed(cards):
        outcome, _ = workshop.visit(card, PERSONALISE)
        assert (outcome.result, outcome.serial) == (VisitResult.DONE, card.image.serial)
    assert {card.state.value for card in workshop.cards.cards()} == {"issued"}


def test_a_card_that_may_work_is_condemned_by_a_person_only_once_it_is_destroyed(
    workshop: Any, signed: VirtualCard
) -> None:
    workshop.visit(signed, PERSONALISE, faults=(Fault(kind=FaultKind.TEAR_DURING, at=37),))
    with pytest.raises(IssuerRefusedError) as caught:
        workshop.stock.condemn(FIRST, code="card.condemned-by-person")
    assert caught.value.code == "card.may-be-operational"
    workshop.stock.condemn(FIRST, code="card.condemned-by-person", is_safe=True)
    # Even when it turns up again, it is not finished.
    outcome, _ = workshop.visit(signed, PERSONALISE)
    assert outcome.result is VisitResult.REFUSED


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("membercard-1-icao-brainpool", {}),
        ("membercard-1-icao", {"extended_lengths": False}),
    ],
)
def test_cards_of_other_profiles_are_made_too(
    make_workshop: Any, small_profile: Any, name: str, changes: dict[str, Any]
) -> None:
    workshop = make_workshop(replace(small_profile(name), **changes))
    workshop.add_members(1)
    workshop.receive(1)
    card = workshop.blank(1)
    assert workshop.visit(card, INITIALISE)[0].result is VisitResult.DONE
    workshop.bind_and_sign()
    outcome, _ = workshop.visit(card, PERSONALISE)
    assert outcome.result is VisitResult.DONE, outcome


def test_nothing_secret_is_in_the_journal_or_in_an_outcome(
    workshop: Any, signed: VirtualCard
) -> None:
    for at in (5, 20, 35):
        workshop.visit(signed, PERSONALISE, faults=(Fault(kind=FaultKind.FLIP_BIT, at=at),))
    outcome, _ = workshop.visit(signed, PERSONALISE)
    secrets = workshop.cards.secrets(workshop.cards.cards()[0].reference)
    text = repr(workshop.stock.journal()) + repr(outcome) + repr(workshop.cards.lines())
    for secret in (secrets.can, secrets.document_number, secrets.salt.hex(), "Hòa", "Huế"):
        assert secret not in text
    path = Path(workshop.database.url.database)
    content = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert secrets.document_number.encode() not in content
    assert secrets.salt not in content
