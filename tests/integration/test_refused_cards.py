"""What is kept of a refused card, sealed to the inspection office, and judged again to the same report."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from verifier.bootstrap_terminal import OpenTerminal, open_terminal
from verifier.cli import main
from verifier.errors import VerifierError
from verifier.inspection.snapshot import CardSnapshot
from verifier.services.card_password import CardPassword
from verifier.services.terminal_state import Stage
from verifier.trust.refused_cards import (
    InspectionOffice,
    RefusedCard,
    RefusedCardError,
    RefusedCards,
    create_office,
)
from verifier.trust.terminal_home import TerminalHome

CAN = "271828"
PIN = "24681012"

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object, status: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        found = main([str(word) for word in words])
        captured = capfd.readouterr()
        assert found == status, captured.out + captured.err
        return captured.out, captured.err

    return call


@pytest.fixture
def office(tmp_path: Path, run: Run) -> list[object]:
    (tmp_path / "office.pin").write_text(PIN)
    (tmp_path / "office.pin").chmod(0o600)
    files = [
        "--key", tmp_path / "office.key", "--certificate", tmp_path / "office.cer",
        "--pin-file", tmp_path / "office.pin",
    ]  # fmt: skip
    run("office", "create", "--name", "Inspection office", *files)
    assert "is there already" in run("office", "create", "--name", "x", *files, status=64)[1]
    return [
        "--office-key", tmp_path / "office.key", "--office-certificate", tmp_path / "office.cer",
        "--office-pin-file", tmp_path / "office.pin",
    ]  # fmt: skip


def inspect_at(terminal: OpenTerminal) -> None:
    terminal.terminal.look()
    terminal.terminal.give_password(CardPassword.from_can(CAN))
    terminal.terminal.look()


def test_a_refused_card_is_kept_and_gives_the_same_report_to_its_office_alone(
    tmp_path: Path, run: Run, office: list[object]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ours, stranger = (
        TestAuthority.create(now=now - timedelta(days=1), name=f"TEST CSCA {name}")
        for name in ("of ours", "of nobody")
    )
    write_trust_directory(tmp_path / "trust", [ours], now=now)
    home = TerminalHome(tmp_path / "home")
    for authority, kept in ((ours, 0), (stranger, 1)):
        image = issue_image(
            draw_member(Random(3), serial_number=3), authority=authority, random=Random(3), can=CAN
        )
        with open_terminal(
            reader_name="any",
            trust_directory=tmp_path / "trust",
            home=home,
            keep_refused=tmp_path / "office.cer",
            find_reader=lambda _name, image=image: SimulatedReader(VirtualCard(image)),  # type: ignore[misc]
        ) as terminal:
            inspect_at(terminal)
            assert terminal.terminal.state.stage is Stage.RESULT
        assert len(list(home.refused.iterdir())) == kept if home.refused.exists() else kept == 0
    (path,) = home.refused.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert b"PROFILE" not in path.read_bytes().upper()
    out, err = run("replay", path, "--trust", tmp_path / "trust", *office, "--format", "json", status=1)  # fmt: skip
    assert json.loads(out)["differences"] == []
    assert json.loads(out)["verdict"] == "refused"
    assert "the same report as then" in err
    # Judged by another trust, it is another report, and the difference is told.
    write_trust_directory(tmp_path / "other", [ours, stranger], now=now)
    _, err = run("replay", path, "--trust", tmp_path / "other", *office, status=2)
    assert "[refused-card.other-report]" in err
    assert 'verdict: "refused" then, "accepted" now' in err
    # Nobody else opens it.
    assert "--office-key" in run("replay", path, "--trust", tmp_path / "trust", status=64)[1]
    key, certificate = create_office("another", pin=PIN, now=now)
    (tmp_path / "another.key").write_bytes(key)
    (tmp_path / "another.cer").write_bytes(certificate)
    others = ["--office-key", tmp_path / "another.key", "--office-certificate", tmp_path / "another.cer"]  # fmt: skip
    _, err = run("replay", path, "--trust", tmp_path / "trust", *others, *office[4:], status=2)
    assert "[refused-card.sealed-to-another]" in err


def test_what_was_changed_or_is_another_key_is_not_opened(
    tmp_path: Path, office: list[object], accepted_card: RefusedCard
) -> None:
    path = RefusedCards.open(tmp_path / "refused", tmp_path / "office.cer").keep(accepted_card)
    opening = InspectionOffice.read(tmp_path / "office.key", tmp_path / "office.cer", pin=PIN)
    assert opening.open(path.read_bytes()) == accepted_card
    sealed = path.read_bytes()
    for position in (len(sealed) // 2, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(RefusedCardError) as caught:
            opening.open(bytes(changed))
        assert caught.value.code == "refused-card.malformed"
    with pytest.raises(RefusedCardError) as caught:
        InspectionOffice.read(tmp_path / "office.key", tmp_path / "office.cer", pin="0" * 8)
    assert caught.value.code == "refused-card.office"
    assert len(office) == 6


def test_a_card_that_cannot_be_kept_is_an_error_and_no_certificate_is_found_out_at_once(
    tmp_path: Path, office: list[object], accepted_card: RefusedCard
) -> None:
    assert office
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(RefusedCardError) as caught:
        RefusedCards.open(tmp_path / "file", tmp_path / "office.cer").keep(accepted_card)
    assert caught.value.code == "refused-card.unwritable"
    for name in ("office.pin", "nothing"):
        with pytest.raises(RefusedCardError) as caught:
            RefusedCards.open(tmp_path / "refused", tmp_path / name)
        assert caught.value.code == "refused-card.office"


def test_kept_cards_are_let_go_of_with_the_journal(
    tmp_path: Path, office: list[object], accepted_card: RefusedCard
) -> None:
    assert office
    cards = RefusedCards.open(tmp_path / "refused", tmp_path / "office.cer")
    now = accepted_card.judged_at
    cards.keep(replace(accepted_card, judged_at=now - timedelta(days=9)))
    young = cards.keep(accepted_card)
    (tmp_path / "refused" / "note.txt").write_text("somebody's note")
    assert cards.drop_older_than(8, now=now, told=now) == 1
    assert sorted((tmp_path / "refused").iterdir()) == sorted([young, tmp_path / "refused" / "note.txt"])  # fmt: skip


def test_what_a_wrong_clock_named_counts_from_today_on(
    tmp_path: Path, office: list[object], accepted_card: RefusedCard
) -> None:
    assert office
    cards = RefusedCards.open(tmp_path / "refused", tmp_path / "office.cer")
    now = accepted_card.judged_at
    cards.keep(replace(accepted_card, judged_at=now + timedelta(days=3650)))
    later = cards.keep(replace(accepted_card, judged_at=now + timedelta(days=20)))
    # The own clock is ahead of what signed files prove, and right: what it named stays as it is.
    assert cards.drop_older_than(8, now=now, told=now + timedelta(days=20)) == 0
    (renamed,) = set((tmp_path / "refused").iterdir()) - {later}
    assert renamed.name[:16] == later.name[:16]
    month = now + timedelta(days=30)
    assert cards.drop_older_than(8, now=month, told=month) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"judged_at": "2026-01-01T00:00:00"},
        {"judged_at": 1},
        {"purpose": 1},
        {"report": 1},
        {"snapshot": "{}"},
        {"more": 1},
    ],
)
def test_what_came_out_of_a_seal_is_read_strictly(
    accepted_card: RefusedCard, changes: dict[str, object]
) -> None:
    document = {**json.loads(accepted_card.to_bytes()), **changes}
    with pytest.raises(VerifierError) as caught:
        RefusedCard.from_bytes(json.dumps(document).encode())
    assert caught.value.code in {"refused-card.malformed", "snapshot.malformed"}


@pytest.fixture
def accepted_card() -> RefusedCard:
    now = datetime(2026, 5, 1, 8, tzinfo=UTC)
    snapshot = CardSnapshot(profile="membercard-1", read_at=now, atr=None, files={})
    return RefusedCard(
        judged_at=now, purpose=None, bundle=None, report={"verdict": "refused"}, snapshot=snapshot
    )
