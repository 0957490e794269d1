"""Opening batches, whatever database stands behind the register: decisions, receivers, and who would go in."""

import pytest

from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerError
from tests.contract.batch_stage import CONTROLLER, OPERATOR, BatchStage
from tests.contract.requests_stage import CELL, COMMUNE, OTHER, PROVINCE, actor
from tests.contract.test_batches import code_of, stage, template

__all__ = ["stage", "template"]


def waiting(stage: BatchStage, by: Actor, text: str = "") -> list[tuple[str, int]]:
    found = stage.opening.decisions(actor=by, limit=5, text=text)
    return [(each.decision.number, each.waiting) for each in found.decisions]


def test_confirmed_decisions_are_offered_with_what_waits_in_ones_part(stage: BatchStage) -> None:
    assert waiting(stage, OPERATOR) == [("12-QĐ/TU", 4)]
    assert waiting(stage, OPERATOR, " 12-qđ ") == [("12-QĐ/TU", 4)]
    assert waiting(stage, OPERATOR, "2-Q") == [("12-QĐ/TU", 4)]
    assert waiting(stage, OPERATOR, "%") == []
    at_commune = actor("operator of commune", Role.PRODUCTION_OPERATOR, at=COMMUNE)
    assert waiting(stage, at_commune) == [("12-QĐ/TU", 4)]
    elsewhere = actor("operator elsewhere", Role.PRODUCTION_OPERATOR, at=OTHER)
    assert waiting(stage, elsewhere) == [("12-QĐ/TU", 0)]
    clerk = actor("clerk", Role.CLERK)
    assert code_of(lambda: waiting(stage, clerk)) == "right.missing"


def test_pages_of_decisions_follow_one_another(stage: BatchStage) -> None:
    first = stage.opening.decisions(actor=OPERATOR, limit=1)
    assert first.end is None
    (only,) = first.decisions
    behind = stage.opening.decisions(actor=OPERATOR, limit=1, behind=only.decision.decision_id)
    assert behind.decisions == ()


def test_receivers_are_the_committees_on_the_way_down_to_who_waits(stage: BatchStage) -> None:
    def found(by: Actor, text: str = "") -> list[tuple[str, int, int]]:
        choices = stage.opening.receivers(stage.decision_id, actor=by, text=text)
        return [(each.code, each.depth, each.waiting) for each in choices.receivers]

    assert found(OPERATOR) == [(PROVINCE, 0, 4), (COMMUNE, 1, 4), (CELL, 2, 4)]
    assert found(OPERATOR, "dang uy xa mau") == [(COMMUNE, 0, 4)]
    assert found(OPERATOR, CELL.lower()) == [(CELL, 0, 4)]
    assert found(OPERATOR, "nobody") == []
    at_commune = actor("operator of commune", Role.PRODUCTION_OPERATOR, at=COMMUNE)
    assert found(at_commune) == [(COMMUNE, 0, 4), (CELL, 1, 4)]


def test_the_preview_shows_who_goes_in_and_names_go_to_who_may_read_them(
    stage: BatchStage,
) -> None:
    found = stage.opening.preview(stage.decision_id, COMMUNE, actor=OPERATOR)
    assert (found.waiting, found.receiver_name, dict(found.names)) == (4, "Đảng ủy xã Mẫu", {})
    batch = stage.open()
    assert [each.request_id for each in found.requests] == stage.held(batch)
    assert waiting(stage, OPERATOR) == [("12-QĐ/TU", 0)]
    stage.filling.cancel(batch.batch_id, actor=OPERATOR)
    both = actor("operator who is clerk", Role.PRODUCTION_OPERATOR, Role.CLERK)
    named = stage.opening.preview(stage.decision_id, COMMUNE, actor=both)
    assert {*named.names.values()} == {"Nguyễn Văn An"}
    with stage.register.reading() as transaction:
        shown = [each for each in transaction.audit.records() if each.account == both.account]
    assert [each.action for each in shown] == ["members.listed"]
    with pytest.raises(IssuerError) as refused:
        stage.opening.preview(
            stage.decision_id,
            OTHER,
            actor=actor("operator of commune", Role.PRODUCTION_OPERATOR, at=COMMUNE),
        )
    assert refused.value.code == "right.missing"


def test_what_was_condemned_waits_at_once_while_its_batch_goes_on(stage: BatchStage) -> None:
    first = stage.open()
    stage.freeze(first)
    stage.sign(first)
    spoiled = stage.lines(first)[0]
    assert spoiled.serial is not None
    stage.stock.condemn(spoiled.serial, code="card.damaged", is_safe=True)
    found = stage.opening.preview(stage.decision_id, COMMUNE, actor=CONTROLLER)
    assert [each.request_id for each in found.requests] == [spoiled.request_id]
    follow_up = stage.filling.create(
        COMMUNE, stage.decision_id, actor=OPERATOR, follow_up_of=first.batch_id
    )
    assert stage.view(follow_up).waiting == 1
    assert stage.filling.fill(follow_up.batch_id, actor=OPERATOR).held == 1
    assert stage.opening.preview(stage.decision_id, COMMUNE, actor=OPERATOR).requests == ()
