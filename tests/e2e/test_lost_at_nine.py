"""A card is lost at 9:00; with the list published at 9:05 every terminal refuses it."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from pki.signed.card_states import CardState
from pki.signed.security_object import StatusReference
from simulators.authority import TestAuthority
from simulators.issued_image import issue_image
from simulators.population.member import draw_member
from simulators.trust_directory import write_trust_directory
from tests.unit.verifier.status_office import STATUS_POLICY, StatusOffice
from verifier.cli import main

DAY = datetime(2026, 11, 23, tzinfo=UTC)
REFERENCE = StatusReference(list_id=bytes.fromhex("8d1f00aa42c70b35"), index=90_210)
CAN = "314159"


def at(hour: int, minute: int) -> datetime:
    return DAY + timedelta(hours=hour, minutes=minute)


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
        output = capsys.readouterr()
        return SimpleNamespace(status=status, out=output.out, err=output.err)

    return inspect


def test_a_card_lost_at_nine_is_refused_with_the_list_of_five_past_nine(
    tmp_path: Path, terminal: Callable[[datetime], SimpleNamespace]
) -> None:
    authority = TestAuthority.create(now=DAY - timedelta(days=2))
    office = StatusOffice(authority=authority)
    image = issue_image(
        draw_member(Random(9), serial_number=9),
        authority=authority,
        random=Random(9),
        can=CAN,
        status_reference=REFERENCE,
    )
    image.save(tmp_path / "card.json")
    trust = tmp_path / "trust"
    write_trust_directory(trust, [authority], now=DAY, policy=STATUS_POLICY)
    published = trust / "status" / "csca-1.status"
    published.parent.mkdir()

    published.write_bytes(office.sign(REFERENCE, CardState.NOT_HANDED_OVER, at=at(7, 0), number=1))
    before = terminal(at(7, 30))
    assert before.status == 1
    assert "status.not-handed-over" in before.out

    published.write_bytes(office.sign(REFERENCE, CardState.VALID, at=at(8, 0), number=2))
    accepted = terminal(at(9, 4))
    assert accepted.status == 0, accepted.out
    assert "ACCEPTED" in accepted.out

    published.write_bytes(office.sign(REFERENCE, CardState.LOST, at=at(9, 5), number=3))
    refused = terminal(at(9, 6))
    assert refused.status == 1
    assert "REFUSED" in refused.out
    assert "status.lost" in refused.out

    altered = bytearray(published.read_bytes())
    altered[200] ^= 1
    published.write_bytes(bytes(altered))
    stopped = terminal(at(9, 7))
    assert stopped.status == 2
    assert "[trust.malformed]" in stopped.err
