"""No page of the console and no list of the API has SQLite read every row of a table that grows with the register."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from issuer.api.app import create_app
from issuer.db.base import Base
from tests.benchmarks.browsing import Caller, asked_pages, make_office, office_services
from tests.contract.query_plans import walked_tables

FEW: Final = {
    "accounts": "people of the offices, some 7,000",
    "deletion_proposals": "what waits for a second person",
    "account_proposals": "what waits for a second administrator, for a week at most",
    "account_assignments": "one or a few for each of them",
    "sessions": "one or a few for each of them",
    "decisions": "a few thousand, read the newest first",
    "batches": "as many as decisions, read the newest first",
    "instances": "one a commune at most",
    "instance_reports": "what those told last",
    "stations": "some dozens",
    "station_proposals": "as many at most",
    "stock_sites": "one a province, and one a station",
    "stock_destructions": "one a site and month",
    "stock_stops": "chips that were stolen or are missing",
    "register_keys": "one",
    "number_state": "one",
    "number_blocks": "one a committee and some hundred thousand cards",
    "status_index_sets": "one an instance and list",
    "report_lines": "whether there is one",
}
"""Tables that stay small, and why; whatever table comes is large until it stands here."""

COUNTED: Final = {
    ("members", "GROUP BY members.standing"): "the overview counts once a minute",
    ("organisations", "SELECT count(*)"): "as above",
    (
        "organisations",
        "organisations.words LIKE",
    ): "parts of names have no order; one narrow index holds all that is asked",
}
"""What is read whole on purpose, by what stands in the statement."""

GROWING: Final = {
    "members", "cards", "requests", "batch_requests", "decision_requests", "chips", "audit_records", "card_events",
    "request_events", "stock_movements", "organisations", "station_claims", "operations",
}  # fmt: skip
"""Tables that pages look something up in, so that the test cannot hold of nothing."""


@dataclass
class Plans:
    """Each statement once, how it is walked through, and the page that asked it first."""

    found: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    page: str = ""

    def offences(self) -> list[str]:
        tables = set(Base.metadata.tables)
        sorted_whole = [
            f"{page}: the trail is sorted: {' | '.join(plan)}: {statement}"
            for statement, (page, plan) in self.found.items()
            if "FROM audit_records" in statement and any("TEMP B-TREE" in line for line in plan)
        ]
        return sorted_whole + [
            f"{page}: {table}: {' | '.join(plan)}: {statement}"
            for statement, (page, plan) in self.found.items()
            for table in walked_tables(statement, plan)
            if table in tables - set(FEW)
            and not any(table == of and part in statement for of, part in COUNTED)
        ]

    def tables(self) -> set[str]:
        """Those that some statement is about."""
        named = re.compile(r"\b(?:FROM|JOIN) (\w+)")
        return {each for statement in self.found for each in named.findall(statement)}


@contextmanager
def explained_statements() -> Iterator[Plans]:
    """Whatever is read while the block runs is explained first, with its own values, by the database that is asked."""
    plans = Plans()

    def note(
        connection: sa.Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")) and statement not in plans.found:
            driver: Any = connection.connection.driver_connection
            rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.found[statement] = (plans.page, [str(row[-1]) for row in rows])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("members", "people"),
    [
        (2_000, ("everybody",)),
        pytest.param(24_000, ("everybody", "province", "commune"), marks=pytest.mark.slow),
    ],
)
def test_no_page_reads_a_large_table_whole(
    tmp_path: Path, members: int, people: tuple[str, ...]
) -> None:
    """SQLite keeps no statistics of ours and plans by shapes alone: it reads a small register as it would a large one."""
    home = tmp_path / "office"
    register = make_office(home, members=members, trail=100, announce=lambda _: None)
    with office_services(home) as services, explained_statements() as plans:
        app = create_app(services)
        for person in people:
            caller = Caller(app, services, person)
            for pattern, path in asked_pages(app, register):
                plans.page = f"{person} {pattern}"
                if path is not None and (behind := caller.show(path)) != path:
                    caller.show(behind)
    assert plans.offences() == []
    assert GROWING - plans.tables() == set()
    assert set(FEW) - Base.metadata.tables.keys() == set()


def test_a_statement_that_walks_is_found(tmp_path: Path) -> None:
    """A condition that no index holds, an order that none has, and an index made for one statement."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x'}")

    with engine.begin() as connection, explained_statements() as plans:
        connection.exec_driver_sql("CREATE TABLE members (id INTEGER PRIMARY KEY, name, place)")
        connection.exec_driver_sql("CREATE TABLE cards (id INTEGER PRIMARY KEY, member)")
        connection.exec_driver_sql("CREATE INDEX ix ON members (name)")
        for statement in (
            "SELECT id FROM members WHERE place = 1",
            "SELECT id FROM members ORDER BY place LIMIT 5",
            "SELECT m.id FROM members AS m WHERE m.place = 1",
            "SELECT count(*) FROM members LEFT JOIN cards ON cards.member = members.id WHERE members.name = 'x'",
            "SELECT id FROM members ORDER BY name LIMIT 5",
            "SELECT id FROM members WHERE name = 'x' ORDER BY place",
        ):
            connection.exec_driver_sql(statement)
        found = [walked_tables(text, plan) for text, (_, plan) in plans.found.items()]
    engine.dispose()
    assert found[:3] == [["members"], ["members"], ["members"]]
    assert found[3] == ["cards"]
    assert found[4:] == [[], []]
