"""A station on no network by commands: keys, certificates, orders and reports, from blank chips to a closed day."""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from issuer.domain.chip import Serial
from issuer.domain.production_events import ProductionEventKind, StationName
from issuer.domain.rights import AccountName
from issuer.settings import remember
from issuer.stations.clock_correction import ClockCorrection
from issuer.stations.journal import StationJournal
from pki.cli import main as pki
from simulators.image import CardImage
from tests.integration.batched import freeze_batch
from tests.integration.everybody import log_in_everybody
from tests.integration.production.test_production_commands import (
    TRANSPORT,
    Commands,
    commands,
    make_pki,
    office,
)

__all__ = ["commands", "office"]


class StationHome(Commands):
    """The home of a station with a database of its own, for its operators' accounts."""

    def __init__(self, office: Commands) -> None:
        super().__init__(office.directory, office._capsys)
        self.home = office.directory / "station-2"
        assert self.run("database", "upgrade") == 0
        log_in_everybody(self.home)
        pin = self.directory / "station.pin"
        assert self.run("keys", "create", "--keystore", "file", "--pin-file", pin) == 0
        # No signer wraps keys here, so the station derives them from master keys of its own.
        key = self.write("transport-again.key", TRANSPORT.hex())
        assert self.run("keys", "import-transport", key) == 0


def certify(office: Commands, station: StationHome, authority: Path) -> None:
    """Both sides make keys, the service authority certifies them, and they know each other."""
    folder = office.directory / "certificates"
    folder.mkdir()
    for home, options, name in (
        (office, [], "centre"),
        (station, ["--station"], "station-2"),
    ):
        assert home.run("keys", "request-exchange", *options, "--name", name, "--out", folder) == 0
    assert pki(["--home", str(authority), "service", "create-root"]) == 0
    for request, kind, name in (
        ("instance", "--instance", "centre"),
        ("instance-signer", "--instance-signer", "centre"),
        ("station", "--station", "station-2"),
        ("station-signer", "--instance-signer", "station-2"),
    ):
        issue = [kind, "--id", request, "--name", name, "--request", f"{folder / request}.csr"]
        out = ["--out", f"{folder / request}.cer"]
        assert pki(["--home", str(authority), "service", "issue", *issue, *out]) == 0
    [root] = authority.glob("**/service-root-1.cer")
    (folder / "service-root.cer").write_bytes(root.read_bytes())
    for copy in ("", "-signer"):
        source = folder / f"instance{copy}.cer"
        (folder / f"centre{copy}.cer").write_bytes(source.read_bytes())
    assert office.run("keys", "install-exchange", folder) == 0
    assert station.run("keys", "install-exchange", "--station", folder) == 0
    enrol = ["--signer", folder / "station-signer.cer", "--certificate", folder / "station.cer"]
    assert office.run("stations", "propose", "station-2", *enrol) == 0
    fingerprint = office.output().split()[-1]
    confirm = ("stations", "confirm", "station-2", "--fingerprint", fingerprint)
    status, error = office.error(*confirm)
    assert (status, "[right.same-person]" in error) == (1, True), error
    [waiting] = office.json("stations", "list")
    assert (waiting["name"], waiting["is_elsewhere"]) == ("station-2", False)
    assert waiting["proposed"] == {"by": "everybody", "fingerprint": fingerprint}
    log_in_everybody(office.home, name=AccountName("somebody else"))
    status, error = office.error(*confirm[:-1], "0" * 64)
    assert (status, "[station.other-fingerprint]" in error) == (1, True), error
    assert office.run(*confirm) == 0
    log_in_everybody(office.home)


def sealed_jobs(journal: Path) -> list[bytes]:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        rows = connection.execute("SELECT sealed_job FROM chips WHERE sealed_job IS NOT NULL")
        return [row[0] for row in rows]


def found_in(folder: Path, pieces: list[bytes]) -> set[bytes]:
    """Those of the pieces that some file below the folder holds."""
    kept = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return {piece for piece in pieces if piece in kept}


def test_an_offline_station_makes_cards_by_commands(office: Commands) -> None:
    station = StationHome(office)
    authority = make_pki(office.directory, "--test")
    certify(office, station, authority)
    folder = office.directory / "print"
    settings = {
        "name": "station-2",
        "link": "bundle",
        "print_folder": str(folder),
        "printer_certificate": str(office.directory / "certificates" / "station.cer"),
    }
    remember(station.home, {"station": settings})
    status, error = station.error("station", "run", f"--reader=sim:{office.image(1)}")
    assert (status, "[station.keys-needed]" in error) == (1, True), error
    remember(station.home, {"station": settings | {"own_master_keys": True}})
    cvca = office.directory / "cvca" / "card-verifiable" / "VNMEMBER00001.cvcert"
    assert station.run("keys", "import-trust-point", cvca) == 0
    readers = [f"--reader=sim:{office.image(number)}" for number in (1, 2)]
    order, report = office.directory / "order.p7m", office.directory / "report.p7m"

    delivery = office.directory / "delivery.csv"
    assert office.run("stock", "return", "--list", delivery, "--from", "local") == 0
    refused = office.error("stations", "order", "station-2", "--blanks", 2, "--out", order)
    assert (refused[0], "[stock.site-unknown]" in refused[1]) == (1, True), refused
    site = ("stock", "site", "add", "station-2", "--kind", "station", "--name", "2")
    assert office.run(*site) == 0
    given = office.json("stations", "order", "station-2", "--blanks", 2, "--out", order)
    assert (given["chips"], given["jobs"], given["issued"]) == (2, 0, 2)
    [movement, *_] = office.json("stock", "movements", "--site", "station-2")
    assert (movement["from"], movement["to"], movement["chips"]) == ("store", "station-2", 2)
    assert station.json("station", "bundle", "in", order)["chips"] == 2
    made = station.json("station", "run", *readers, "--count", 2, "--timeout", 5)
    assert (made["done"], made["events_waiting"] > 0) == (2, True)
    assert station.json("station", "bundle", "out", report)["events"] == made["events_waiting"]
    assert office.json("stations", "accept", report)["rejected"] == []

    batch = freeze_batch(office.home).batch
    office.json("batches", "sign", batch, "--pki", authority)
    given = office.json("stations", "order", "station-2", "--signed", "--out", order)
    assert (given["chips"], given["jobs"], given["issued"]) == (2, 2, 0)
    assert station.json("station", "bundle", "in", order)["jobs"] == 2
    assert station.json("station", "run", *readers, "--count", 2, "--timeout", 5)["done"] == 2
    jobs = sealed_jobs(station.home / "stations" / "station-2.sqlite")
    # What was given lies in the station's folder, and can be found there by its bytes: but for the few pieces that a page
    # of the database cuts.
    pieces = [job[start : start + 48] for job in jobs for start in range(0, len(job) - 48, 48)]
    assert len(jobs) == 2
    assert len(found_in(station.home, pieces)) > len(pieces) * 9 // 10 > 100
    carried = order.read_bytes()
    # The printer's folder was away; at the next start it gets what waits, and a day does not close before that.
    status, error = station.error("station", "close-day")
    assert (status, "[print.unavailable]" in error) == (2, True), error
    folder.mkdir()
    station.run("station", "run", *readers, "--timeout", 0.1, "--format", "json")
    station.output()
    printed = sorted(path.name for path in folder.iterdir())
    assert printed == [f"{number:020X}-1.print" for number in (1, 2)]
    day = station.json("station", "close-day")
    assert (day["issued"], len(day["destroyed"])) == (2, 2)
    assert found_in(station.home, pieces) == set()
    assert not order.exists()
    station.json("station", "bundle", "out", report)
    assert office.json("stations", "accept", report)["rejected"] == []
    assert {each["state"] for each in office.json("cards", "list")} == {"issued"}
    # A centre that had lost some of it would take it again; this one knows it all.
    again = station.json("station", "bundle", "out", report, "--after", 1)
    assert again["events"] > made["events_waiting"]
    assert office.json("stations", "accept", report)["rejected"] == []
    [known] = office.json("stations", "list")
    assert (known["name"], known["is_elsewhere"]) == ("station-2", True)
    # Nothing of a card can be read on the station's disk, nor in what was carried.
    secrets = [CardImage.load(office.image(number)).secrets for number in (1, 2)]
    carried += report.read_bytes()
    kept = b"".join(path.read_bytes() for path in (station.home / "stations").iterdir())
    for each in secrets:
        assert each.mrz_information is not None
        assert each.mrz_information.encode() not in kept + carried

    assert office.run("stations", "dismiss", "station-2") == 0
    status, error = office.error("stations", "accept", report)
    assert (status, "[station.dismissed]" in error) == (1, True)


def test_a_station_whose_journal_was_put_back_does_not_begin(office: Commands) -> None:
    readers = [f"--reader=sim:{office.image(number)}" for number in (1, 2)]
    journal = office.home / "stations" / "local.sqlite"
    assert office.json("station", "run", readers[0], "--count", 1, "--timeout", 5)["done"] == 1
    kept = journal.read_bytes()
    assert office.json("station", "run", readers[1], "--count", 1, "--timeout", 5)["done"] == 1
    newest = journal.read_bytes()
    journal.write_bytes(kept)
    status, error = office.error("station", "run", readers[0], "--timeout", 0)
    assert (status, "[station.journal-back]" in error, "hint: " in error) == (1, True, True), error
    journal.write_bytes(newest)
    assert office.run("station", "run", readers[0], "--timeout", 0) != 64
    assert office.json("station", "hand-in", "--after", 0)["waiting"] == 0
    assert office.json("station", "journal", "--after", 10_000) == []
    status, error = office.error("station", "hand-in", "--after", 10_000)
    assert (status, "[station.not-handed-in]" in error) == (1, True), error


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["bundle", "out", "report.p7m"], "station.not-offline"),
        (["reject", "0" * 20, "--reason", "none"], "station.not-claimed"),
    ],
)
def test_what_a_station_of_this_home_refuses(office: Commands, words: list[Any], code: str) -> None:
    status, error = office.error("station", *words)
    assert (status, f"[{code}]" in error) == (1, True), error


def test_a_station_without_certificates_says_what_to_do(office: Commands) -> None:
    remember(office.home, {"station": {"link": "bundle"}})
    status, error = office.error("station", "journal")
    assert (status, "[exchange.not-installed]" in error) == (1, True), error
    assert office.json("stations", "list") == []


def test_a_clock_that_had_run_ahead_is_corrected_by_commands(
    office: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = office.json("station", "clock", "show")
    assert (sound["is_behind"], sound["newest_order"]) == (False, None)
    ahead = datetime(2036, 11, 22, 9, tzinfo=UTC)
    journal = StationJournal.open(
        office.home / "stations" / "local.sqlite",
        station=StationName("local"),
        account=AccountName("everybody"),
        clock=lambda: ahead,
    )
    journal.append(ProductionEventKind.NOTED, None, code="test.noted")
    journal.close()
    shown = office.json("station", "clock", "show")
    assert (shown["is_behind"], shown["last_event"]) == (True, ahead.isoformat())
    assert office.run("station", "clock", "show") == 0
    told = office.output()
    assert "2036" in told
    assert "station clock correct" in " ".join(told.split())
    correct = ("station", "clock", "correct", "--reason", "the battery was empty", "--watch")
    status, error = office.error(*correct, "2036-11-22 16:00")
    assert (status, "[station.clock-wrong]" in error) == (1, True), error
    # A byte that is no text, a terminal's command, and a word that is no time.
    for wrong in ("bad \udcff byte", "red \x1b[31m", "two\nlines"):
        words = [*correct[:4], wrong, "--watch", "2036-11-22 16:00"]
        status, error = office.error(*words)
        assert (status, "[station.clock-reason]" in error) == (1, True), error
        status, error = office.error("station", "reject", "0" * 20, "--reason", wrong)
        assert (status, "[stock.remark-malformed]" in error) == (1, True), error
    status, error = office.error(*correct, "yesterday")
    assert (status, "[station.watch-malformed]" in error) == (1, True), error
    watch = f"{datetime.now(UTC).astimezone():%Y-%m-%d %H:%M}"
    monkeypatch.setattr(ClockCorrection, "made_ahead", lambda _: (Serial(bytes(9) + b"\x07"),))
    assert office.run(*correct, watch) == 0
    told = " ".join(office.output().split())
    assert "Cards written while the clock ran ahead: 1." in told
    assert told.endswith("station reject SERIAL. 00000000000000000007")
    assert not office.json("station", "clock", "show")["is_behind"]
    *_, last = office.json("station", "journal")
    assert (last["code"], last["is_handed_in"]) == ("station.clock-corrected", True)
    assert last["detail"] == "from 2036-11-22T09:00:00Z: the battery was empty"
    status, error = office.error(*correct, watch)
    assert (status, "[station.clock-not-behind]" in error) == (1, True), error
