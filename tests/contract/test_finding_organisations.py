"""An organisation is found by parts of its name as people type them, within one's own part of the tree."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from issuer.db import schema
from issuer.db.base import Database
from issuer.db.browsing import SqlBrowsing
from issuer.db.register import SqlRegister
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.organisation_history import OrganisationChange
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.errors import IssuerRefusedError
from issuer.services.look_at_organisations import LookingAtOrganisations
from tests.contract.cards_stage import fresh_sqlite

NAMES = {
    "P": ("Tỉnh ủy Giả Định", None),
    "P-01": ("Đảng ủy xã Hòa Bình", "P"),
    "P-01-1": ("Chi bộ thôn Đông", "P-01"),
    "P-02": ("Đảng ủy xã Hoà Lạc", "P"),
    "P-02-1": ("Chi bộ thôn Đông 100%", "P-02"),
}


def actor(at: str | None, role: Role = Role.CLERK) -> Actor:
    place = None if at is None else OrganisationCode(at)
    return Actor(
        account=AccountName("lan"), assignments=(Assignment(role=role, organisation=place),)
    )


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if getattr(request, "param", "sqlite") == "sqlite":
        opened = fresh_sqlite(tmp_path)
    else:
        opened = Database(request.getfixturevalue("postgresql_url"))
        schema.upgrade(opened)
    with SqlRegister(opened).writing() as transaction:
        transaction.organisations.add(
            [
                Organisation(
                    code=OrganisationCode(code), name=name,
                    parent_code=None if above is None else OrganisationCode(above),
                )
                for code, (name, above) in NAMES.items()
            ]
        )  # fmt: skip
    yield opened
    opened.close()


def find(database: Database, text: str, *, by: Actor | None = None, limit: int = 9) -> list[str]:
    looking = LookingAtOrganisations(register=SqlRegister(database), browsing=SqlBrowsing(database))
    found = looking.find(text, actor=actor(None) if by is None else by, limit=limit)
    return [" > ".join(each.code for each in path) for path in found]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_names_are_found_however_they_are_typed(database: Database) -> None:
    lac, binh = "P > P-02", "P > P-01"
    assert find(database, "hoa lac") == [lac]
    assert find(database, "HÒA  l") == [lac]
    assert find(database, "xa hoa") == [lac, binh]
    assert find(database, "bình xã") == [binh]
    assert find(database, "oa") == []
    assert find(database, "thon dong") == ["P > P-01 > P-01-1", "P > P-02 > P-02-1"]
    assert find(database, "thon dong", limit=1) == ["P > P-01 > P-01-1"]
    assert find(database, "p-02") == [lac, "P > P-02 > P-02-1"]
    assert find(database, "P-02-1") == ["P > P-02 > P-02-1"]
    for nothing in ("%", "_", "100_", "''", "\\", "   ", "none such"):
        assert find(database, nothing) == []
    # What folding leaves of a mark is no pattern for the database.
    assert find(database, "dong 100") == ["P > P-02 > P-02-1"]


def test_other_parts_of_the_tree_are_not_there_and_paths_begin_at_one_s_own(
    database: Database,
) -> None:
    assert find(database, "hoa", by=actor("P-01")) == ["P-01"]
    assert find(database, "dong", by=actor("P-01")) == ["P-01 > P-01-1"]
    assert find(database, "tinh", by=actor("P-01")) == []
    nobody = Actor(account=AccountName("none"))
    with pytest.raises(IssuerRefusedError) as refusal:
        find(database, "hoa", by=nobody)
    assert refusal.value.code == "right.missing"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_who_was_there_before_the_upgrade_is_found_and_a_new_name_at_once(
    database: Database,
) -> None:
    migration = import_module("issuer.db.migrations.versions.0031_organisation_keys")
    with (
        database.engine.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migration.downgrade()
        columns = {each["name"] for each in sa.inspect(connection).get_columns("organisations")}
        assert "words" not in columns
        migration.upgrade()
    assert find(database, "hoa lac") == ["P > P-02"]
    with SqlRegister(database).writing() as transaction:
        known = transaction.organisations.current(OrganisationCode("P-02"))
        transaction.organisations.change(
            replace(
                known,
                number=known.number + 1,
                organisation=replace(known.organisation, name="Đảng ủy phường Kỳ Bá"),
                change=OrganisationChange.RENAMED,
                valid_from=date(2026, 11, 1),
            )
        )
    assert find(database, "hoa lac") == []
    assert find(database, "ky ba") == ["P > P-02"]


def test_a_search_reads_an_index_and_no_table(tmp_path: Path) -> None:
    database = fresh_sqlite(tmp_path)
    statement = (
        "EXPLAIN QUERY PLAN SELECT code FROM organisations WHERE closed_on IS NULL"
        " AND (lower(code) LIKE 'x%' OR words LIKE '% hoa%') ORDER BY length(words), code LIMIT 9"
    )
    with database.engine.connect() as connection:
        plan = " ".join(row[-1] for row in connection.exec_driver_sql(statement))
    database.close()
    assert "USING COVERING INDEX ix_organisations_words_code" in plan
