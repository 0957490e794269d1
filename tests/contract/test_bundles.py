"""Bundles between the registers of a commune and a province, whatever databases stand behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issuer.db import schema
from issuer.db.base import Database
from issuer.domain.requests import RequestEventKind, RequestState
from tests.contract.bundle_stage import PROVINCE_CLERK, Exchange, person
from tests.contract.requests_stage import (
    CLERK,
    COMPILER,
    codes,
)

Event, State = RequestEventKind, RequestState


@pytest.fixture(params=["sqlite", "postgresql"])
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Exchange]:
    """The commune's register is a file; the province's is a file or a server."""
    url = (
        f"sqlite:///{tmp_path / 'province.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    province, commune = Database(url), Database(f"sqlite:///{tmp_path / 'commune.sqlite'}")
    for each in (province, commune):
        schema.upgrade(each)
    made = Exchange.between(province, commune)
    made.commune.fill([person(number) for number in range(1, 11)])
    made.enrol()
    yield made
    province.close()
    commune.close()


def test_a_communes_requests_are_decided_by_the_province_and_the_commune_hears_of_it(
    exchange: Exchange,
) -> None:
    commune, province = exchange.commune, exchange.province
    requests = commune.endorsed(2, 4, 6)
    report = exchange.up()
    assert report.conflicts == ()
    assert report.record.counts == {"members-new": 3, "requests-new": 3, "conflicts": 0}
    assert province.states() == {State.ENDORSED: 3}
    assert province.members_held() == 3
    assert codes(commune.take(Event.WITHDRAWN, requests[:1], by=CLERK, remark="x")) == [
        "request.elsewhere"
    ]
    assert codes(province.take(Event.COMPILED, requests, by=COMPILER)) == [None] * 3
    decision, outcomes = province.prepare(requests)
    assert codes(outcomes) == [None] * 3
    assert codes(province.confirm(decision)) == [None] * 3
    assert commune.states() == {State.ENDORSED: 3}
    assert exchange.down().conflicts == ()
    assert commune.states() == {State.DECIDED: 3}
    assert [commune.get(each).card_number for each in requests] == [
        province.get(each).card_number for each in requests
    ]
    assert [each.account for each in commune.line(requests[0])] == [
        "clerk", "clerk", "endorser", "tinh-uy:compiler", "tinh-uy:first", "tinh-uy:second",
    ]  # fmt: skip
    assert [each.account for each in province.line(requests[0])][:3] == [
        "xa-mau:clerk", "xa-mau:clerk", "xa-mau:endorser",
    ]  # fmt: skip
    assert province.exporting.export(commune.own.name, actor=PROVINCE_CLERK) is None
