"""Batches in the console: the step that comes next, for whoever may take it, from the freeze to the members' hands."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from issuer.api.app import create_app
from issuer.db.base import Database
from issuer.db.schema import upgrade
from issuer.domain.rights import Role
from issuer.services.batch_services import BatchServices
from tests.contract.batch_stage import OPERATOR, BatchStage, people
from tests.integration.console.conftest import SCHEME
from tests.integration.console.strict_page import StrictPage

KEY = "0123456789abcdef"


class Office:
    """A console over a stage of batches, for people of all parts."""

    def __init__(self, office: Any, stage: BatchStage) -> None:
        self.stage = stage
        services = BatchServices(
            opening=stage.opening,
            operations=office.services.batches.operations,
            filling=stage.filling,
            freezing=stage.freezing,
            reading=stage.reading,
            control=stage.control,
            delivery=stage.delivery,
            papers=stage.papers,
        )
        office.services = replace(office.services, batches=services)
        office.app = create_app(office.services)
        self.office = office
        for name, role in (
            ("may", Role.PRODUCTION_OPERATOR),
            ("kiem", Role.QUALITY_CONTROLLER),
            ("kho", Role.STOREKEEPER),
        ):
            office.add_person(name, role)
        self._forms = 0

    def act(self, name: str, path: str, **fields: str) -> Any:
        self._forms += 1
        return self.office.client(name).post(path, {"once": f"{KEY}-{self._forms}", **fields})

    def page(self, name: str, path: str) -> str:
        found = self.office.client(name).get(path)
        assert found.status_code == 200, found.text
        StrictPage(found.text)
        return str(found.text)


@pytest.fixture
def batches(office: Any, tmp_path: Path) -> Iterator[Office]:
    database = Database(f"sqlite:///{tmp_path / 'batches.sqlite'}")
    upgrade(database)
    stage = BatchStage(database, tmp_path / "marks", members=people(3))
    stage.initialise(1, 2, 3)
    yield Office(office, stage)
    database.close()


def test_a_batch_goes_from_the_freeze_into_the_members_hands(batches: Office) -> None:
    stage = batches.stage
    batch = stage.filling.create(stage.open().receiver, stage.decision_id, actor=OPERATOR)
    batch = next(
        each.batch
        for each in stage.reading.page(actor=OPERATOR, limit=9).batches
        if each.tally.requests
    )
    path = f"/batches/{batch.batch_id}"
    assert "Being filled" in batches.page("may", "/batches")
    assert "Propose the freeze" in batches.page("may", path)
    assert batches.act("may", path, act="propose").status_code == 303
    proposal = stage.view(batch).batch.proposal
    assert proposal is not None
    own = batches.act("may", path, act="freeze", proof=proposal.proof.hex())
    assert "<code>right.same-person</code>" in own.text
    StrictPage(own.text)
    wrong = batches.act("kiem", path, act="freeze", proof="00" * 32)
    assert "<code>batch.other-proof</code>" in wrong.text
    assert "Confirm the freeze" in batches.page("kiem", path)
    assert "Confirm the freeze" not in batches.page("may", path)
    frozen = batches.act("kiem", path, act="freeze", proof=proposal.proof.hex())
    assert frozen.status_code == 303, frozen.text
    assert "Frozen" in batches.page("may", path)
    stage.sign(batch)
    assert "Stations make its cards" in batches.page("may", path)
    serials = [each.hex() for each in stage.produce(batch)]
    batches.page("kiem", path)
    refused = batches.act("kiem", path, act="pass", serials=f"{serials[0]} {'0' * 18}99")
    StrictPage(refused.text)
    assert "1 card went on." in refused.text
    assert "0" * 18 + "99" in refused.text
    assert batches.act("kiem", path, act="pass", serials="\n".join(serials)).status_code == 303
    small = batches.act("kho", path, act="pack", size="")
    assert "<code>batch.box-size</code>" in small.text
    assert batches.act("kho", path, act="pack", size="2").status_code == 303
    packing = batches.office.client("kho").get(f"{path}/packing-list")
    assert packing.content.startswith(b"%PDF-")
    assert batches.act("kho", path, act="dispatch", carrier="xe 7").status_code == 303
    assert "Carried by xe 7." in batches.page("kho", path)
    numbers = [SCHEME.display(each) for each in stage.numbers(batch)]
    part = batches.act("kho", path, act="receive", numbers=numbers[0])
    StrictPage(part.text)
    assert "1 card went on." in part.text
    assert numbers[2] in part.text
    assert batches.act("kho", path, act="receive", numbers=" ".join(numbers)).status_code == 303
    minutes = batches.office.client("lan").get(f"{path}/minutes?members=true")
    assert minutes.content.startswith(b"%PDF-")
    given = batches.act(
        "kho", path, act="hand-over", numbers="\n".join(numbers), signed_by="member"
    )
    assert given.status_code == 303, given.text
    last = batches.page("kho", path)
    assert "Handed over to the members" in last
    assert stage.view(batch).tally.handed_over == 3


def test_steps_out_of_order_and_by_others_are_refused(batches: Office) -> None:
    batch = batches.stage.open()
    path = f"/batches/{batch.batch_id}"
    for act, extra in (("pack", {"size": "5"}), ("dispatch", {"carrier": "xe"}), ("receive", {"numbers": "98.000001"})):  # fmt: skip
        answer = batches.act("kho", path, act=act, **extra)
        assert answer.status_code == 409, act
        assert "<code>batch.wrong-state</code>" in answer.text
    assert batches.act("may", path, act="nothing").status_code == 422
    assert batches.act("kho", path, act="propose").status_code == 403
    assert batches.act("may", path, act="cancel").status_code == 303
    assert "Given up" in batches.page("may", "/batches?state=cancelled")
    # Whoever reads no cards has no such page.
    assert batches.office.client("tuan").get("/batches").status_code == 403


def test_programs_read_batches_page_by_page(batches: Office) -> None:
    stage = batches.stage
    first = stage.open()
    second = stage.filling.create(first.receiver, stage.decision_id, actor=OPERATOR)
    client = batches.office.client("may", is_program=True)
    page = client.get("/v1/batches?limit=1").json()
    assert [each["id"] for each in page["batches"]] == [str(second.batch_id)]
    rest = client.get(f"/v1/batches?limit=1&cursor={page['next']}").json()
    assert [each["id"] for each in rest["batches"]] == [str(first.batch_id)]
    one = client.get(f"/v1/batches/{first.batch_id}").json()
    assert (one["state"], one["requests"]) == ("open", 3)
    assert [each["kind"] for each in one["events"]] == ["opened", "filled"]
    assert client.get(f"/v1/batches/{first.batch_id}/packing-list").status_code == 409
    assert client.get("/v1/batches?state=frozen").json()["batches"] == []
