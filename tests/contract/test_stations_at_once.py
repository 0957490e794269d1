"""Two who do something with the same chip, card or batch at once, on both databases: one after the other, or refused."""

import contextlib
import functools
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.base import Database
from issuer.db.chip_holds import hold_chip
from issuer.db.production_rows import locked_chip
from issuer.db.schema import upgrade
from issuer.domain.chip import Serial
from issuer.services.deliver_batches import HandedOver
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.centre_stage import CentreStage
from tests.contract.meetings import Did, Meetings, at_once
from tests.contract.station_encounters import (
    ENCOUNTERS,
    Prepare,
    freeze_beside_freeze,
    handing_over,
)

FEW, MANY = 50, 990
"""Members: each card that is made takes one."""


@contextlib.contextmanager
def centre(request: pytest.FixtureRequest, folder: Path, *, members: int) -> Iterator[CentreStage]:
    """A centre over a database of the kind that the test or fixture is asked for."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            database = fresh_sqlite(folder)
        else:
            database = stack.enter_context(on_server(request.getfixturevalue("postgresql_server")))
        stack.callback(database.close)
        made = CentreStage(database, folder, members=members)
        stack.callback(made.close)
        yield made


@contextlib.contextmanager
def on_server(server: str) -> Iterator[Database]:
    """A database in a schema of its own."""
    name = f"membercard_{uuid.uuid4().hex}"
    engine = sa.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    inside = sa.engine.make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
    database = Database(inside.render_as_string(hide_password=False))
    upgrade(database)
    yield database
    database.close()
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def workplace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CentreStage]:
    with centre(request, tmp_path_factory.mktemp("centre"), members=FEW) as made:
        yield made


@pytest.fixture
def stage(workplace: CentreStage) -> Iterator[CentreStage]:
    """After every test nothing is lost or doubled, whatever it was about."""
    yield workplace
    workplace.require_sound()


@pytest.fixture(params=["sqlite", "postgresql"])
def large_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CentreStage]:
    with centre(request, tmp_path, members=MANY) as made:
        yield made


def told(did: Did) -> str | None:
    """The code of a refusal; that of the card where one card was handed over."""
    if isinstance(did.value, list):
        [card] = did.value
        assert isinstance(card, HandedOver)
        return card.code
    return did.code


def require_met(stage: CentreStage, meetings: Meetings, prepare: Prepare, after: int | None) -> int:
    """Both end as they may; how many statements the first one took."""
    first, second = prepare(stage)
    met = meetings.meet(first, second, after=after)
    ends = (told(met.first), told(met.second))
    assert ends in ENCOUNTERS[prepare].ends, (prepare.__name__, after, ends)
    return met.statements


def test_who_meets_another_in_the_middle_goes_on_or_is_told_why(stage: CentreStage) -> None:
    with contextlib.closing(Meetings(stage.database)) as meetings:
        for prepare, encounter in ENCOUNTERS.items():
            count = require_met(stage, meetings, prepare, encounter.middle)
            assert count > encounter.middle, prepare.__name__


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_who_meets_another_at_any_statement_goes_on_or_is_told_why(
    large_stage: CentreStage,
) -> None:
    with contextlib.closing(Meetings(large_stage.database)) as meetings:
        for prepare in ENCOUNTERS:
            count = require_met(large_stage, meetings, prepare, None)
            assert count > 5, prepare.__name__
            # On SQLite whoever writes is alone from the first statement on.
            for after in range(1, count, 4 if large_stage.database.is_sqlite else 1):
                require_met(large_stage, meetings, prepare, after)
            large_stage.require_sound()


def test_who_waits_in_a_circle_is_told_to_do_it_again(stage: CentreStage) -> None:
    """Nobody of the product does so; here two lock two chips in different orders."""
    serials = stage.blanks(2)

    def hold(*order: Serial) -> None:
        with stage.database.writing() as session:
            for serial in order:
                hold_chip(locked_chip(session, serial), "chip.looked-at")
                session.flush()

    forth, back = functools.partial(hold, *serials), functools.partial(hold, *serials[::-1])
    with contextlib.closing(Meetings(stage.database)) as meetings:
        met = meetings.meet(forth, back, after=2)
    ends = {met.first.code, met.second.code}
    assert ends == ({None} if stage.database.is_sqlite else {None, "database.crossed"})


def test_of_stations_that_claim_a_chip_at_once_the_one_has_it_where_it_lies(
    stage: CentreStage,
) -> None:
    stations = (stage.left, stage.right, stage.another_station())
    for number in range(9):
        owner = stations[number % len(stations)]
        [serial] = stage.blanks(1, site=owner.name)
        done = at_once(*(functools.partial(each.claim, serial) for each in stations))
        codes = {each.name: did.code for each, did in zip(stations, done, strict=True)}
        assert codes.pop(owner.name) is None
        assert set(codes.values()) <= {"station.claimed-elsewhere", "chip.elsewhere"}
        assert stage.claimed_by(serial) == owner.name


def test_a_card_that_many_hand_over_at_once_is_handed_over_once(stage: CentreStage) -> None:
    batch, _ = stage.received_of(3)
    for number in stage.numbers(batch):
        hand_over = handing_over(stage, batch, number)
        codes = [told(did) for did in at_once(hand_over, hand_over, hand_over)]
        assert codes.count(None) == 1
        assert set(codes) <= {None, "batch.other-card", "production.wrong-state"}


def test_two_batches_that_are_frozen_at_once_share_no_chip(stage: CentreStage) -> None:
    for _ in range(2):
        first, second = at_once(*freeze_beside_freeze(stage))
        codes = {told(first), told(second)}
        assert codes in ({None, "batch.too-few-chips"}, {None, "card.already-bound"})
