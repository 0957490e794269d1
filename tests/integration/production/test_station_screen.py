"""A station's screen over a real journal: what the operator does is in the journal, and a start anew knows the day."""

import re
import stat
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from issuer.bootstrap_station_screen import parse_listen
from issuer.errors import IssuerDataError, IssuerRefusedError
from issuer.services.visit_chip import VisitResult
from issuer.stations.operator import RejectReason
from issuer.stations.screen_state import MadeKind, PanelKind
from simulators.faults import Fault, FaultKind
from tests.integration.production.screen_stage import ScreenStage
from tests.integration.production.station_stage import Stations, prepared
from tests.integration.production.test_production_commands import Commands, commands, office

__all__ = ["commands", "office"]


def refusal(act: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(IssuerRefusedError) as refused:
        act(*args, **kwargs)
    return refused.value.code


def test_a_screen_that_is_started_anew_knows_the_day_by_serials(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    first, second = prepared(workshop, station, 2)
    assert station.visit(first).result is VisitResult.DONE
    before = ScreenStage(workshop, station, "left")
    before.operator.reject(first.image.serial, reason=RejectReason.BENT)
    assert station.visit(second).result is VisitResult.DONE
    state = ScreenStage(workshop, station, "left").screen.state
    assert (state.counts.cards, state.counts.blanks, state.counts.rejected) == (2, 2, 1)
    assert [(each.made, each.serial) for each in state.last][:2] == [
        (MadeKind.CARD, second.image.serial), (MadeKind.CONDEMNED, first.image.serial),
    ]  # fmt: skip
    assert all(each.card_number is None for each in state.last)
    station.close_day()
    assert ScreenStage(workshop, station, "left").screen.state.counts.cards == 0


def test_the_day_closes_only_when_no_chip_is_in_hand_and_the_station_rests_then(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    first, second = prepared(workshop, station, 2)
    stage = ScreenStage(workshop, station, "left")
    begun, refused = threading.Event(), threading.Event()
    stage.screen.subscribe(
        lambda: _when(
            stage.screen.state.panels[0].card_number is not None and not begun.is_set(),
            begun,
            refused,
        )
    )
    [tray] = stage.trays
    with stage.working() as running:
        tray.put(first)
        assert begun.wait(30)
        # The worker waits for us within its chip.
        assert refusal(stage.operator.close_day) == "station.chip-in-work"
        assert (
            refusal(stage.operator.reject, first.image.serial, reason=RejectReason.BENT)
            == "station.chip-in-work"
        )
        refused.set()
        _wait_for(stage, PanelKind.GOOD)
        tray.take()
        tray.put(second)
        record = stage.operator.close_day()
        assert (record.issued, len(record.destroyed)) == (1, 1)
        assert running.is_suspended
        assert stage.screen.state.closed_day == record
        assert stage.screen.state.panels[0].kind is PanelKind.EMPTY
    assert stage.screen.state.has_ended
    assert station.journal.in_hand() == ()


def _when(is_it: bool, begun: threading.Event, refused: threading.Event) -> None:  # noqa: FBT001 - it is a condition
    if is_it:
        begun.set()
        assert refused.wait(30)


def _wait_for(stage: ScreenStage, kind: PanelKind) -> None:
    there = threading.Event()
    unsubscribe = stage.screen.subscribe(
        lambda: there.set() if stage.screen.state.panels[0].kind is kind else None
    )
    assert stage.screen.state.panels[0].kind is kind or there.wait(30)
    unsubscribe()


def test_a_chip_that_was_begun_keeps_the_day_open_until_it_is_rejected(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    torn = Fault(kind=FaultKind.TEAR_AFTER, at=12)
    assert station.visit(card, torn).result is VisitResult.INTERRUPTED
    stage = ScreenStage(workshop, station, "left")
    with stage.working():
        assert refusal(stage.operator.close_day) == "station.unfinished"
        stage.operator.reject(card.image.serial, reason=RejectReason.CHIP_SILENT)
        assert stage.operator.close_day().condemned == 1


def test_a_centre_that_does_not_answer_is_offline_on_the_screen_and_the_work_goes_on(
    workshop: Any, stations: Stations
) -> None:
    station = stations.here()
    [card] = prepared(workshop, station)
    assert station.ledger.find(card.image.serial) is not None
    station.link.is_cut = True
    stage = ScreenStage(workshop, station, "left")
    with stage.working():
        stage.trays[0].put(card)
        _wait_for(stage, PanelKind.GOOD)
        offline = threading.Event()
        stage.screen.subscribe(
            lambda: offline.set() if stage.screen.state.link.is_online is False else None
        )
        assert offline.wait(30)
        assert stage.screen.state.link.waiting > 0
        assert refusal(stage.operator.close_day) == "station.link-lost"
        station.link.is_cut = False
        stage.operator.hand_in()
        assert stage.screen.state.link.is_online
        assert stage.screen.state.link.waiting == 0


def test_before_the_workers_are_there_nothing_can_be_asked_of_them(
    workshop: Any, stations: Stations
) -> None:
    operator = ScreenStage(workshop, stations.here(), "left").operator
    assert refusal(operator.suspend_or_resume) == "station.not-running"
    assert refusal(operator.stop) == "station.not-running"
    assert refusal(operator.close_day) == "station.not-running"
    assert refusal(operator.go_on, 5) == "station.no-such-reader"


def test_the_command_serves_a_page_to_whoever_may_read_its_address(
    office: Commands, tmp_path: Path
) -> None:
    status, said = office.error("station", "page")
    assert status == 1
    assert "[screen.not-running]" in said
    seen: dict[str, Any] = {}

    def operate() -> None:
        page_file = _page_file(office.home)
        seen["mode"] = stat.S_IMODE(page_file.stat().st_mode)
        address = page_file.read_text("ascii").strip()
        origin = address.partition("/pair/")[0]
        with httpx.Client(base_url=origin, headers={"origin": origin}) as client:
            seen["stranger"] = client.get("/").status_code
            client.get(address)
            token = re.search(r'X-CSRF-Token": "([0-9a-f]+)"', client.get("/").text)
            assert token is not None
            with client.stream("GET", "/events") as events:
                lines = events.iter_lines()
                seen["first"] = next(lines)
                seen["account"] = any("everybody" in line for line in lines if line)
            seen["asked"] = client.post("/stop", headers={"x-csrf-token": token[1]}).status_code
            seen["next"] = page_file.read_text("ascii").strip() != address

    operator = threading.Thread(target=operate, daemon=True)
    operator.start()
    reader = f"--reader=sim:{office.image(1)}"
    listen = ("--listen", "127.0.0.1:0")
    assert office.run("station", "run", "--screen", *listen, reader, "--timeout", 60) == 0
    operator.join(30)
    assert seen == {
        "mode": 0o600, "stranger": 401, "first": "event: screen", "account": True, "asked": 200, "next": True,
    }  # fmt: skip
    # Whoever finds the file or the output afterwards finds no address that opens anything.
    holders = [
        path for path in tmp_path.rglob("*") if path.is_file() and b"/pair/" in path.read_bytes()
    ]
    assert holders == []
    assert "/pair/" not in office.output()


def _page_file(home: Path) -> Path:
    for _ in range(1500):
        for path in home.glob("stations/*.page"):
            return path
        threading.Event().wait(0.02)
    raise AssertionError("no page is served")


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:24841", "192.168.1.5:24841", "127.0.0.1", "127.0.0.1:70000", "localhost:1"]
)  # fmt: skip
def test_a_page_for_other_computers_is_refused(listen: str) -> None:
    with pytest.raises(IssuerDataError) as refused:
        parse_listen(listen)
    assert refused.value.code == "screen.listen"


def test_loopback_addresses_are_taken() -> None:
    assert parse_listen("127.0.0.1:0") == ("127.0.0.1", 0)
    assert parse_listen("[::1]:24841") == ("::1", 24841)
