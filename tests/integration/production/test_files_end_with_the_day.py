"""The sealed files that a station used, keys and orders, are destroyed when its day is closed, with a record."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from issuer.db.production_tables import CardEventRow
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError
from issuer.services.visit_chip import VisitResult
from issuer.stations.given_files import GivenFiles, GivenKind
from pki.errors import PkiError
from tests.integration.production.station_stage import Stations, StationUnderTest, rows

KEYS = b"sealed keys of one batch's chips" * 40


@pytest.fixture
def station(stations: Stations) -> StationUnderTest:
    return stations.here("left")


def use(station: StationUnderTest, *files: Path) -> None:
    for file in files:
        file.write_bytes(KEYS + file.name.encode())
    given = GivenFiles(journal=station.journal, kind=GivenKind.KEYS)
    given.use(files, [file.read_bytes() for file in files])


def noted(station: StationUnderTest, code: str = "station.keys-destroyed") -> list[Any]:
    return [event for event in station.journal.events() if event.code == code]


def test_what_was_used_is_gone_and_the_journal_and_the_centre_say_so(
    station: StationUnderTest, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.keys", tmp_path / "2.keys"
    use(station, first)
    use(station, second)
    # What is still open somewhere is overwritten, too.
    with first.open("rb") as opened:
        station.close_day()
        assert opened.read().strip(b"\0") == b""
    assert not first.exists()
    assert not second.exists()
    digests = sorted(hashlib.sha256(KEYS + f"{n}.keys".encode()).hexdigest() for n in (1, 2))
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()
    [event] = noted(station)
    assert event.detail == f"2 files of sealed keys, SHA-256 of their digests {digest}"
    assert event.sequence <= station.journal.handed_in
    station.close_day()
    assert len(noted(station)) == 1


def test_a_file_that_was_removed_or_became_another_one_is_left_alone(
    station: StationUnderTest, tmp_path: Path
) -> None:
    gone, other = tmp_path / "gone.keys", tmp_path / "other.keys"
    use(station, gone, other)
    gone.unlink()
    other.write_bytes(b"somebody's letter")
    station.close_day()
    assert other.read_bytes() == b"somebody's letter"
    [event] = noted(station)
    assert event.detail.startswith("2 files of sealed keys, 2 of them gone or another by then, ")


def test_a_file_that_cannot_be_removed_keeps_the_day_open(
    station: StationUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "1.keys"
    use(station, file)

    def refuse(_path: Path) -> None:
        raise PermissionError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(IssuerRefusedError) as left:
            station.close_day()
    assert left.value.code == "station.keys-left"
    assert noted(station) == []
    file.unlink()
    station.close_day()
    assert len(noted(station)) == 1


def test_an_order_ends_with_the_day_that_it_was_for(
    workshop: Any, stations: Stations, tmp_path: Path
) -> None:
    station, bundles = stations.offline("far", stations.enrol("far"))
    workshop.receive(1)
    card = workshop.blank(1)
    order, copy, other = (tmp_path / name for name in ("order-1.p7m", "copy.p7m", "other.p7m"))
    order.write_bytes(stations.order("far", [Serial(card.image.serial)])[0])
    copy.write_bytes(order.read_bytes())
    assert bundles.take(order.read_bytes(), file=order).chips == 1
    with pytest.raises(IssuerRefusedError) as again:
        bundles.take(copy.read_bytes(), file=copy)
    assert again.value.code == "station.order-repeated"
    # What is no order for this station is nothing that it was given.
    other.write_bytes(b"somebody's letter")
    with pytest.raises(PkiError):
        bundles.take(other.read_bytes(), file=other)
    assert station.visit(card).result is VisitResult.DONE
    station.close_day()
    assert [path.exists() for path in (order, copy, other)] == [False, False, True]
    [event] = noted(station, "station.orders-destroyed")
    assert event.detail.startswith("2 files of orders, SHA-256 of their digests ")
    # The report that says so goes with the day.
    stations.accept(bundles.report()[0])
    told = [row.code for row in rows(workshop, CardEventRow) if row.station == "far"]
    assert "station.orders-destroyed" in told
