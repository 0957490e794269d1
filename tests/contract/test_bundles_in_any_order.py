"""Whatever becomes of bundles on their way, no member gets two cards, no number two members, and no decision is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.requests import LIVE_STATES, RequestEventKind, RequestState
from issuer.errors import IssuerError
from issuer.services.export_bundle import ExportedBundle
from issuer.services.request_ports import RequestQuestion
from tests.contract.bundle_stage import PROVINCE_CLERK, Exchange, Office, person
from tests.contract.requests_stage import CLERK, COMPILER, DRAFT, ENDORSER, NEW_ISSUE, ids

Event, State = RequestEventKind, RequestState
MEMBERS = (1, 3)
ACTS = (
    "work", "decide", "send-back", "withdraw", "up", "down", "take-any-up", "take-any-down", "again-up", "again-down",
)  # fmt: skip


class World:
    """Both registers, and every file that ever left one of them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.on_the_way: dict[str, list[ExportedBundle]] = {"up": [], "down": []}
        self.decided: dict[object, object] = {}

    def act(self, act: str, which: int) -> None:
        commune, province = self.exchange.commune, self.exchange.province
        match act:
            case "work":
                ids(commune.draft(*MEMBERS, wish=NEW_ISSUE))
                requests = _all(commune)
                list(commune.steps.take(requests, Event.PROPOSED, actor=CLERK))
                list(commune.steps.take(requests, Event.ENDORSED, actor=ENDORSER))
            case "decide":
                requests = _all(province)
                list(province.steps.take(requests, Event.COMPILED, actor=COMPILER))
                with province.register.reading() as transaction:
                    found = transaction.requests.known(requests).values()
                ready = [each.request_id for each in found if each.state is State.COMPILED]
                if ready:
                    draft = DRAFT.__class__(
                        number=f"{which}-QD", decided_on=DRAFT.decided_on, committee=DRAFT.committee,
                        document=DRAFT.document,
                    )  # fmt: skip
                    decision, _ = province.prepare(ready, draft=draft)
                    if decision.confirmed_by is None:
                        province.confirm(decision)
            case "send-back":
                list(
                    province.steps.take(
                        _all(province), Event.SENT_BACK, actor=COMPILER, remark="why"
                    )
                )
            case "withdraw":
                list(commune.steps.take(_all(commune), Event.WITHDRAWN, actor=CLERK, remark="left"))
            case "up" | "down":
                sender, receiver, by = self._ways(act)
                made = sender.exporting.export(receiver.own.name, actor=by)
                self.on_the_way[act] += [] if made is None else [made]
            case "take-any-up" | "take-any-down":
                self._take(act.removeprefix("take-any-"), which)
            case _:
                way = act.removeprefix("again-")
                sender, receiver, by = self._ways(way)
                if self.on_the_way[way]:
                    sequence = which % len(self.on_the_way[way]) + 1
                    again = sender.exporting.again(receiver.own.name, sequence, actor=by)
                    assert again.content == self.on_the_way[way][sequence - 1].content

    def _take(self, way: str, which: int) -> None:
        _, receiver, _ = self._ways(way)
        if self.on_the_way[way]:
            made = self.on_the_way[way][which % len(self.on_the_way[way])]
            receiver.receive(made, by=PROVINCE_CLERK if way == "up" else CLERK)

    def _ways(self, way: str) -> tuple[Office, Office, object]:
        commune, province = self.exchange.commune, self.exchange.province
        return (commune, province, CLERK) if way == "up" else (province, commune, PROVINCE_CLERK)

    def deliver_all(self) -> None:
        """In the end nothing is lost for good: every file is carried once more, in order."""
        for way in ("up", "down", "up", "down"):
            sender, receiver, by = self._ways(way)
            made = sender.exporting.export(receiver.own.name, actor=by)
            self.on_the_way[way] += [] if made is None else [made]
            for each in self.on_the_way[way]:
                receiver.receive(each, by=PROVINCE_CLERK if way == "up" else CLERK)

    def check(self) -> None:
        commune, province = (
            _known(each) for each in (self.exchange.commune, self.exchange.province)
        )
        for request_id, request in commune.items():
            other = province.get(request_id)
            # At most one of them goes on with it.
            assert other is None or not (request.held_by is None and other.held_by is None)
        for register in (commune, province):
            numbers = [
                each.card_number for each in register.values() if each.card_number is not None
            ]
            assert len(set(numbers)) == len(numbers)
            live = [each.member_id for each in register.values() if each.state in LIVE_STATES]
            assert len(set(live)) == len(live)
        for request_id, request in province.items():
            if request.state is State.DECIDED:
                self.decided.setdefault(request_id, request.card_number)
        for request_id, number in self.decided.items():
            assert province[request_id].card_number == number  # type: ignore[index]  # they are its keys


def _all(office: Office) -> list:  # type: ignore[type-arg]  # of identifiers
    return list(_known(office))


def _known(office: Office) -> dict:  # type: ignore[type-arg]  # of requests by their identifiers
    with office.register.reading() as transaction:
        page = transaction.requests.page(RequestQuestion(), limit=500)
    return {each.request_id: each for each in page.requests}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Databases that are there already are copied: making them costs more than the work in them."""
    made = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    schema.upgrade(made)
    made.close()
    return tmp_path


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 5)), min_size=6, max_size=24))
def test_no_order_loss_or_repetition_of_bundles_makes_two_cards(
    folder: Path, acts: list[tuple[str, int]]
) -> None:
    _play(folder, acts)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 5)), min_size=6, max_size=60))
def test_no_order_loss_or_repetition_of_bundles_makes_two_cards_at_length(
    folder: Path, acts: list[tuple[str, int]]
) -> None:
    _play(folder, acts)


def test_the_usual_way_ends_with_cards_decided_and_known_in_both(folder: Path) -> None:
    acts = ["work", "up", "take-any-up", "send-back", "down", "take-any-down", "work", "up"]
    world = _play(folder, [(each, 0) for each in acts] + [("take-any-up", 1), ("decide", 0)])
    commune, province = (_known(each) for each in (world.exchange.commune, world.exchange.province))
    assert [each.state for each in commune.values()] == [State.DECIDED, State.DECIDED]
    assert {each.card_number for each in commune.values()} == {
        each.card_number for each in province.values()
    }
    assert len(world.decided) == 2


def _play(folder: Path, acts: list[tuple[str, int]]) -> World:
    empty = (folder / "empty.sqlite").read_bytes()
    databases = []
    for name in ("province", "commune"):
        for each in folder.glob(f"{name}.sqlite*"):
            each.unlink()
        (folder / f"{name}.sqlite").write_bytes(empty)
        databases.append(Database(f"sqlite:///{folder / name}.sqlite"))
    exchange = Exchange.between(*databases, folder=folder)
    exchange.commune.fill([person(number) for number in MEMBERS])
    exchange.enrol()
    exchange.province.grant()
    world = World(exchange)
    for act, which in acts:
        try:
            world.act(act, which)
        except IssuerError as error:
            # A bundle that came too early, a decision of a number that was used.
            if error.code not in {"bundle.gap", "decision.number-used"}:
                raise
        world.check()
    world.deliver_all()
    world.check()
    assert exchange.province.open_conflicts() == []
    for database in databases:
        database.close()
    return world
