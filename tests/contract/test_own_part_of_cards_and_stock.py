"""Commands and lists of cards, chips and stations show and touch one's own part of the tree, as routes do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.db.base import Database
from issuer.db.card_ledger import SqlCardRegister
from issuer.db.stock_ledger import SqlStockLedger
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.domain.stock_account import FIRST_STORE, SiteCode, SiteKind
from issuer.domain.stock_acts import StopReason
from issuer.services.stock_ports import ActPosition, StopPosition
from tests.contract.cards_stage import CELL, COMMITTEE, OTHER_CELL, CardsStage, fresh_sqlite
from tests.contract.stock_stage import (
    CONTROLLER,
    EVERYBODY,
    NOW,
    delivery_of,
    serial_of,
    stock_services,
)
from tests.integration.everybody import log_in_everybody

OURS, THEIRS = SiteCode("kho-mot"), SiteCode("kho-hai")


def of(place: OrganisationCode, *roles: Role) -> Actor:
    return Actor(
        account=AccountName("o-xa"),
        assignments=tuple(Assignment(role=each, organisation=place) for each in roles),
        stepped_up_at=NOW,
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = fresh_sqlite(tmp_path)
    yield made
    made.close()


def test_cards_are_listed_for_whoever_reads_cards_of_their_members(database: Database) -> None:
    stage = CardsStage(database)
    stage.hand_over(1, stage.add_member(1))
    cards = SqlCardRegister(database, stage.clock)
    for below, count in ((None, 1), ([COMMITTEE], 1), ([CELL], 1), ([OTHER_CELL], 0), ([], 0)):
        assert len(cards.lines(below=below)) == count


def test_chips_and_lists_of_the_stock_are_those_of_one_s_own_sites(database: Database) -> None:
    stage = CardsStage(database)
    moments = iter(range(1, 1000))
    services = stock_services(database, lambda: NOW.replace(microsecond=next(moments)))
    room = services.room
    for site, place, numbers in ((OURS, CELL, (1, 2)), (THEIRS, OTHER_CELL, (11, 12, 13))):
        room.open_site(site, kind=SiteKind.STORE, name=site, organisation=place, actor=EVERYBODY)
        room.receive(delivery_of(*numbers), delivery="x", site=site, actor=EVERYBODY)
    keeper = of(CELL, Role.STOREKEEPER)
    shown = room.sites_shown(actor=keeper)
    assert shown == (OURS,)
    assert room.sites_shown(actor=EVERYBODY) is None
    ledger = SqlStockLedger(stage.database)
    assert [each.chip.serial for each in ledger.chips(sites=shown)] == [serial_of(1), serial_of(2)]
    assert len(ledger.chips()) == 5
    assert {each.serial for each in ledger.journal(sites=shown)} == {serial_of(1), serial_of(2)}
    assert len(ledger.journal()) > len(ledger.journal(sites=shown))
    for site, chips in ((OURS, (1, 2)), (THEIRS, (11, 12, 13))):
        for number in chips:
            room.condemn(serial_of(number), reason="gãy", actor=CONTROLLER)
            services.destructions.witness(
                [serial_of(number)], site=site, manner="cắt", actor=CONTROLLER
            )
            services.stops.report([serial_of(number)], reason=StopReason.MISSING, actor=EVERYBODY)
    # Newer lines of other sites leave room for one's own.
    assert [each.site for each in services.destructions.newest(actor=keeper, limit=2)] == [OURS] * 2
    assert [each.serial for each in services.stops.newest(actor=keeper, limit=2)] == [
        serial_of(2), serial_of(1)
    ]  # fmt: skip
    assert [each.site.code for each in room.accounts(actor=EVERYBODY, limit=1)] == [THEIRS]
    assert [each.site.code for each in room.accounts(actor=EVERYBODY, limit=1, behind=THEIRS)] == [
        OURS
    ]
    assert FIRST_STORE in {each.site.code for each in room.accounts(actor=EVERYBODY)}


def test_pages_of_destructions_and_stops_go_on_behind_each_other(database: Database) -> None:
    CardsStage(database)
    services = stock_services(database, lambda: NOW)
    services.room.receive(delivery_of(*range(1, 6)), delivery="x", actor=EVERYBODY)
    # All at the same moment: the second part of the order tells them apart.
    for number in range(1, 6):
        services.room.condemn(serial_of(number), reason="gãy", actor=CONTROLLER)
        services.destructions.witness(
            [serial_of(number)], site=FIRST_STORE, manner="cắt", actor=CONTROLLER
        )
        services.stops.report([serial_of(number)], reason=StopReason.MISSING, actor=EVERYBODY)
    everything = services.destructions.newest(actor=EVERYBODY, limit=9)
    walked: list[object] = []
    behind = None
    while page := services.destructions.newest(actor=EVERYBODY, limit=2, behind=behind):
        walked += page
        behind = ActPosition(at=page[-1].first_at, act_id=page[-1].destruction_id)
    assert walked == list(everything)
    assert len(walked) == 5
    stopped = services.stops.newest(actor=EVERYBODY, limit=9)
    seen: list[object] = []
    stop = None
    while lines := services.stops.newest(actor=EVERYBODY, limit=2, behind=stop):
        seen += lines
        stop = StopPosition(at=lines[-1].reported_at, serial=lines[-1].serial)
    assert seen == list(stopped)
    assert len(seen) == 5


def test_a_station_is_worked_by_whoever_produces_cards_at_its_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["--home", str(home), "database", "upgrade"]) == 0
    place = OrganisationCode("P-01")
    log_in_everybody(
        home,
        name=AccountName("o-xa"),
        assignments=[Assignment(role=Role.PRODUCTION_OPERATOR, organisation=place)],
    )
    with open_register_home(home) as opened:
        with opened.register.writing() as transaction:
            transaction.organisations.add(
                [Organisation(code=OrganisationCode(each), name=each) for each in ("P-01", "P-02")]
            )
        room = stock_services(opened.database, lambda: NOW).room

        def open_site(code: str, organisation: str) -> None:
            room.open_site(
                SiteCode(code), kind=SiteKind.STATION, name="x",
                organisation=OrganisationCode(organisation), actor=EVERYBODY,
            )  # fmt: skip

        def refusal() -> str:
            capsys.readouterr()
            assert main(["--home", str(home), "station", "journal"]) == 1
            return capsys.readouterr().err

        assert "right.missing" in refusal()
        open_site("elsewhere", "P-01")
        assert "right.missing" in refusal()
        open_site("local", "P-01")
        # The gate is passed; there are no keys yet to read a journal with.
        assert "keystore.missing" in refusal()
    assert main(["--home", str(home), "stations", "dismiss", "local"]) == 1
    assert "service.operate" in capsys.readouterr().err
