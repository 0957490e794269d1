"""Cards of `membercard-1`: made by a station, read by terminals with and without a right."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from card_layout.atr import LifeCycle
from card_layout.files.trust_points import TrustPoints
from card_layout.profile import CardProfile
from issuer.errors import IssuerRefusedError
from issuer.personalisation.trust_points import TrustPointShelf
from issuer.services.visit_chip import StationTask, VisitResult
from pki.errors import PkiError
from simulators.connection import SimulatedReader
from simulators.faults import Fault, FaultKind
from simulators.image import ReadRule
from tests.integration.production.conftest import NOW
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.inspection.snapshot import FileOutcome
from verifier.reading.card_reading import read_card
from verifier.reading.terminal_proof import TerminalAccess
from verifier.services.card_password import CardPassword


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy()


def dates(today: Any) -> dict[str, Any]:
    return {"begin": today - timedelta(days=1), "end": today + timedelta(days=20)}


@pytest.fixture
def protected(
    make_workshop: Callable[..., Any],
    small_profile: Callable[[str], CardProfile],
    hierarchy: Hierarchy,
    today: Any,
) -> Any:
    workshop = make_workshop(small_profile("membercard-1"))
    root = hierarchy.root(**dates(today))
    workshop.trust_points = {root.body.holder_reference.to_bytes(): root.to_bytes()}
    return workshop


@pytest.fixture
def today() -> Any:
    return NOW.date()


def make_card(workshop: Any) -> Any:
    workshop.add_members(2)
    return make_chip(workshop, 1)


def make_second_card(workshop: Any) -> Any:
    return make_chip(workshop, 2)


def make_chip(workshop: Any, number: int) -> Any:
    workshop.receive(number)
    card = workshop.blank(number)
    assert workshop.visit(card, StationTask.INITIALISE)[0].result is VisitResult.DONE
    workshop.bind_and_sign()
    return card


def test_the_station_puts_trust_points_and_date_and_the_record_is_protected(
    protected: Any, hierarchy: Hierarchy, today: Any
) -> None:
    card = make_card(protected)
    outcome, _ = protected.visit(card, StationTask.PERSONALISE)
    assert outcome.result is VisitResult.DONE, outcome
    assert card.image.state is LifeCycle.OPERATIONAL
    assert card.image.trust_points == tuple(protected.trust_points.values())
    assert card.image.current_date == f"{today:%Y%m%d}"
    assert card.image.files["A0000002471001/010D"].read is ReadRule.TERMINAL
    content = card.image.files["A0000002471001/011C"].data
    assert TrustPoints.from_bytes(content).references == tuple(protected.trust_points)

    held = (
        hierarchy.root(**dates(today)),
        hierarchy.office(**dates(today)),
        hierarchy.terminal(**dates(today)),
    )
    assert held[0].body.holder_reference.to_bytes() in protected.trust_points
    found = {
        has_right: read_card(
            SimulatedReader(card),
            password=CardPassword.from_can(card.image.secrets.can),
            profile=protected.profile,
            pace_parameter_ids=frozenset({12}),
            now=protected.bench(StationTask.PERSONALISE).clock(),
            monotonic=time.monotonic,
            terminal=TerminalAccess(
                credentials=hierarchy.credentials(*held) if has_right else None
            ),
        )
        for has_right in (False, True)
    }
    assert found[False].files["EF.DG13"].outcome is FileOutcome.NOT_REQUESTED
    assert found[True].content("EF.DG13") == card.image.files["A0000002471001/010D"].data


def test_a_card_locked_unnoticed_is_recognised_without_its_protected_file(protected: Any) -> None:
    card = make_card(protected)
    _, total = protected.visit(card, StationTask.PERSONALISE)
    other = make_second_card(protected)
    # The last two commands prove the lock: the card is torn after it was locked and before that was seen.
    torn, _ = protected.visit(
        other, StationTask.PERSONALISE, faults=(Fault(kind=FaultKind.TEAR_AFTER, at=total - 2),)
    )
    assert torn.result is VisitResult.INTERRUPTED
    assert other.image.state is LifeCycle.OPERATIONAL
    found, _ = protected.visit(other, StationTask.PERSONALISE)
    assert found.result is VisitResult.DONE, found


def test_a_card_whose_trust_point_is_not_at_hand_is_not_begun(protected: Any) -> None:
    card = make_card(protected)
    protected.trust_points = {}
    outcome, _ = protected.visit(card, StationTask.PERSONALISE)
    assert (outcome.result, outcome.code) == (VisitResult.REFUSED, "trust-point.missing")
    assert card.image.state is LifeCycle.INITIALISED


@pytest.mark.parametrize(
    "kind", [FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.TEAR_AFTER]
)
def test_a_tear_at_any_command_is_made_up_for_at_the_next_visit(
    protected: Any, kind: FaultKind
) -> None:
    card = make_card(protected)
    at = 0
    while True:
        at += 1
        torn, _ = protected.visit(card, StationTask.PERSONALISE, faults=(Fault(kind=kind, at=at),))
        if torn.result is VisitResult.DONE and card.image.state is LifeCycle.OPERATIONAL:
            break
        assert torn.result is VisitResult.INTERRUPTED, torn
    assert at > 15
    assert card.image.trust_points == tuple(protected.trust_points.values())


def test_the_shelf_keeps_the_certificates_of_one_cvca_and_gives_the_two_newest(
    tmp_path: Path, hierarchy: Hierarchy, today: Any
) -> None:
    shelf = TrustPointShelf(tmp_path / "shelf")
    assert shelf.held() == ()
    assert shelf.for_new_cards(today=today) == ()
    for number in (1, 3, 2):
        path = tmp_path / f"{number}.cvcert"
        path.write_bytes(hierarchy.root(number, **dates(today)).to_bytes())
        shelf.add(path, today=today)
        shelf.add(path, today=today)
    assert shelf.for_new_cards(today=today) == (b"VNMEMBER00003", b"VNMEMBER00002")
    assert len(shelf.by_reference()) == 3
    assert shelf.for_new_cards(today=today + timedelta(days=30)) == ()


def test_the_shelf_takes_nothing_else(tmp_path: Path, hierarchy: Hierarchy, today: Any) -> None:
    shelf = TrustPointShelf(tmp_path / "shelf")
    path = tmp_path / "one.cvcert"
    path.write_bytes(hierarchy.root(**dates(today)).to_bytes())
    shelf.add(path, today=today)
    for content, error, code in (
        (hierarchy.link(1).to_bytes(), PkiError, "cv-certificate.role-not-allowed"),
        (hierarchy.root(2).to_bytes(), PkiError, "cv-certificate.expired"),
        (b"\x7f\x21\x00", PkiError, "cv-certificate.malformed"),
        (
            Hierarchy(mnemonic="OTHER").root(**dates(today)).to_bytes(),
            IssuerRefusedError,
            "trust-point.other-holder",
        ),
        (
            Hierarchy().root(**dates(today)).to_bytes(),
            IssuerRefusedError,
            "trust-point.other-holder",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(error) as raised:
            shelf.add(path, today=today)
        assert raised.value.code == code
    assert len(shelf.held()) == 1
