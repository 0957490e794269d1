"""Stations' messages at the API: no session, but the signature of a station that is known."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from issuer.bootstrap_stock import stock_of
from issuer.db.register import SqlRegister
from issuer.domain.chip import Serial
from issuer.domain.production_events import StationName
from issuer.domain.rights import Role
from issuer.errors import IssuerUnavailableError
from issuer.services.look_at_stations import LookingAtStations
from issuer.services.station_ports import StationPresence
from issuer.stations.https_transport import MESSAGES_PATH
from tests.integration.console.strict_page import StrictPage
from tests.integration.production.conftest import (  # the workshop of production, over the console's API
    make_workshop,
    template_database,
    workshop,
)
from tests.integration.production.station_stage import ANNA, Stations, prepared

__all__ = ["make_workshop", "template_database", "workshop"]


@pytest.fixture
def stations(workshop: Any, tmp_path: Path) -> Iterator[Stations]:
    with contextlib.ExitStack() as stack:
        yield Stations(workshop, tmp_path, stack)


def test_a_station_works_through_the_api(office: Any, workshop: Any, stations: Stations) -> None:
    client = office.with_services(stations=stations.desk).client(None, is_program=True)
    sizes: list[int] = []

    def transport(message: bytes) -> bytes:
        body = {"message": base64.b64encode(message).decode("ascii")}
        answer = client.send("POST", MESSAGES_PATH, json=body)
        sizes.append(len(answer.request.content))
        if answer.status_code != 200:
            raise IssuerUnavailableError(answer.json()["code"])
        return base64.b64decode(answer.json()["message"])

    station = stations.over_the_network("far", stations.enrol("far"), transport)
    cards = prepared(workshop, station, 3)
    assert [station.visit(card).result.value for card in cards] == ["done"] * 3
    record = station.close_day()
    assert (record.issued, len(record.destroyed)) == (3, 3)
    # Whatever stands in events: operators' reasons are long, and in Vietnamese.
    for number in range(70):
        station.ledger.note(
            "visit", serial=None, code="card.rejected", detail=f"{number} " + "\\“ữ" * 200
        )
    assert station.ledger.hand_in()
    assert max(sizes) < 65_536


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        ("", 422, "sealed-message.malformed"),
        ("not base64", 422, "station.message-malformed"),
        (base64.b64encode(bytes(500)).decode(), 422, "sealed-message.malformed"),
    ],
)
def test_what_is_no_message_is_refused(
    office: Any, stations: Stations, message: str, status: int, code: str
) -> None:
    client = office.with_services(stations=stations.desk).client(None, is_program=True)
    answer = client.send("POST", MESSAGES_PATH, json={"message": message})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_centre_without_certificates_works_with_no_station(office: Any) -> None:
    client = office.client(None, is_program=True)
    answer = client.send("POST", MESSAGES_PATH, json={"message": "AAAA"})
    assert answer.json()["code"] == "exchange.not-installed"


def test_a_dismissed_station_is_told_so(office: Any, workshop: Any, stations: Stations) -> None:
    workshop.receive(1)
    client = office.with_services(stations=stations.desk).client(None, is_program=True)
    codes: list[str] = []

    def transport(message: bytes) -> bytes:
        body = {"message": base64.b64encode(message).decode("ascii")}
        codes.append(client.send("POST", MESSAGES_PATH, json=body).json()["code"])
        raise IssuerUnavailableError("nothing came back")

    station = stations.over_the_network("far", stations.enrol("far"), transport)
    stations.book.dismiss(StationName("far"), account=ANNA)
    with pytest.raises(IssuerUnavailableError):
        station.claim(Serial((1).to_bytes(10, "big")))
    assert codes == ["station.dismissed"]


def test_the_office_sees_its_stations(office: Any, workshop: Any, stations: Stations) -> None:
    station = stations.over_the_network("far", stations.enrol("far"))
    first, second = prepared(workshop, station, 2)
    assert station.visit(first).result.value == "done"
    station.ledger.find(second.image.serial)
    assert station.ledger.hand_in()
    presence = StationPresence(readers=("ACS <ACR39U> 00 00",), is_suspended=True)
    station.ledger.greet(presence, None)
    register = SqlRegister(workshop.database, workshop.sealer)
    watched = LookingAtStations(room=stock_of(register, clock=stations.clock).room)
    seen = office.with_services(station_list=watched, now=stations.clock)
    seen.add_person("kho", Role.STOREKEEPER)
    page = seen.client("kho").get("/stations")
    StrictPage(page.text)
    for text in (
        "far",
        "Resting",
        "ACS &lt;ACR39U&gt; 00 00",
        "elsewhere",
        'data-refresh="/stations"',
    ):
        assert text in page.text
    [found] = seen.client("kho", is_program=True).get("/v1/stations").json()["stations"]
    assert (found["name"], found["state"], found["claimed"], found["cards_made_today"]) == (
        "far", "resting", 1, 1,
    )  # fmt: skip
    assert found["events"] == station.journal.head.sequence
    assert found["chain"] == station.journal.head.chain.hex()


def test_whoever_reads_no_stock_sees_no_stations(office: Any) -> None:
    office.add_person("quyet", Role.DECIDER)
    assert office.client("quyet").get("/stations").status_code == 403
    answer = office.client("quyet", is_program=True).get("/v1/stations")
    assert answer.json()["code"] == "right.missing"


def test_a_register_without_stations_says_how_one_comes(office: Any) -> None:
    office.add_person("kho", Role.STOREKEEPER)
    page = office.client("kho").get("/stations")
    StrictPage(page.text)
    assert "membercard-issuer stations propose" in page.text
