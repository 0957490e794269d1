"""Whose chips become the cards of a batch: those of the receiver's own unit, or of the sites that somebody names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from issuer.db.production_tables import ChipRow
from issuer.domain.batch import Batch
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.rights import Role
from issuer.domain.stock_account import Site, SiteCode, SiteKind
from issuer.errors import IssuerDataError, IssuerRefusedError
from tests.contract.batch_stage import CONTROLLER, OPERATOR, BatchStage, people
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.requests_stage import COMMUNE, NOW, actor

OTHER = OrganisationCode("P-99")
OWN_SITE, OTHER_SITE = SiteCode("own"), SiteCode("other")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[BatchStage]:
    """Chips 1 and 2 lie in the store of the register, 3 and 4 at a site of the receiver, 5 and 6 at another unit's."""
    database = fresh_sqlite(tmp_path)
    made = BatchStage(database, tmp_path / "marks", members=people(2))
    with made.register.writing() as transaction:
        transaction.organisations.add([Organisation(code=OTHER, name="Another province")])
    made.initialise(1, 2, 3, 4, 5, 6)
    place(made, OWN_SITE, COMMUNE, 3, 4)
    place(made, OTHER_SITE, OTHER, 5, 6)
    yield made
    database.close()


def place(stage: BatchStage, code: SiteCode, organisation: OrganisationCode, *numbers: int) -> None:
    site = Site(
        code=code, kind=SiteKind.STATION, name=code, organisation=organisation, opened_at=NOW
    )
    with stage.register.writing() as transaction:
        transaction.stock.add_site(site)
    serials = [each.to_bytes(10, "big") for each in numbers]
    with stage.database.writing() as session:
        session.execute(sa.update(ChipRow).where(ChipRow.serial.in_(serials)).values(site=code))


def bound(stage: BatchStage, batch: Batch) -> list[int]:
    return [int.from_bytes(line.serial or b"", "big") for line in stage.lines(batch)]


def test_a_freeze_takes_the_chips_of_the_receivers_own_unit(stage: BatchStage) -> None:
    batch = stage.open()
    assert stage.freeze(batch).bound == 2
    assert bound(stage, batch) == [3, 4]


def test_where_the_unit_has_no_site_its_chips_come_from_the_whole_register(
    stage: BatchStage,
) -> None:
    with stage.database.writing() as session:
        session.execute(sa.text("UPDATE stock_sites SET organisation_id = NULL WHERE code = 'own'"))
    batch = stage.open()
    stage.freeze(batch)
    assert bound(stage, batch) == [1, 2]


def test_too_few_chips_of_the_own_unit_are_told_and_others_are_named(stage: BatchStage) -> None:
    with stage.database.writing() as session:
        session.execute(sa.text("UPDATE chips SET held = 'chip.held' WHERE site = 'own'"))
    batch = stage.open()
    assert stage.freezing.propose(batch.batch_id, actor=OPERATOR).chips_missing == 2
    stage.freezing.take_back(batch.batch_id, actor=OPERATOR)
    proof = stage.propose(batch)
    with pytest.raises(IssuerRefusedError, match="at own") as caught:
        stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER)
    assert caught.value.code == "batch.too-few-chips"
    with pytest.raises(IssuerDataError) as unknown:
        stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER, sites=[SiteCode("nowhere")])
    assert unknown.value.code == "stock.site-unknown"
    stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER, sites=[SiteCode("store")])
    assert bound(stage, batch) == [1, 2]


def test_chips_of_another_unit_are_for_whoever_may_freeze_there(stage: BatchStage) -> None:
    batch = stage.open()
    proof = stage.propose(batch)
    local = actor("local", Role.QUALITY_CONTROLLER, at=COMMUNE)
    assert [each.code for each in stage.freezing.sites(batch.batch_id, actor=local)] == [
        "own",
        "store",
    ]
    with pytest.raises(IssuerRefusedError) as caught:
        stage.freezing.confirm(batch.batch_id, proof, actor=local, sites=[OTHER_SITE])
    assert caught.value.code == "right.missing"
    assert OTHER_SITE in {
        each.code for each in stage.freezing.sites(batch.batch_id, actor=OPERATOR)
    }
    stage.freezing.confirm(batch.batch_id, proof, actor=CONTROLLER, sites=[OTHER_SITE])
    assert bound(stage, batch) == [5, 6]
