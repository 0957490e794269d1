"""A frozen batch over the decided requests of a home: for tests that are about cards, and not about who freezes them."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from issuer.bootstrap import open_register_home
from issuer.bootstrap_batches import batches_of
from issuer.domain.batch import BatchId
from issuer.domain.decisions import (
    AttachedDocument,
    Decision,
    DecisionId,
    DocumentDigest,
    DocumentSignature,
)
from issuer.domain.organisation import OrganisationCode
from issuer.domain.requests import RequestState
from issuer.domain.rights import AccountName, Actor, Assignment, Role
from issuer.services.request_ports import RequestQuestion


@dataclass(frozen=True)
class FrozenForTests:
    """What commands need to go on with."""

    batch: str
    decision: str
    cards: int


def freeze_batch(home: Path, *, receiver: str = "A", limit: int | None = None) -> FrozenForTests:
    """Put the decided requests into a decision and a batch that two people freeze; chips are initialised already."""
    now = datetime.now(UTC)
    first, second = (_person(name, now) for name in ("first", "second"))
    with open_register_home(home) as opened:
        with opened.register.writing() as transaction:
            page = transaction.requests.page(
                RequestQuestion(states={RequestState.DECIDED}), limit=1000
            )
            decision = Decision(
                decision_id=DecisionId(uuid.uuid4()),
                number="1",
                decided_on=now.date(),
                committee=OrganisationCode(receiver),
                document=AttachedDocument(
                    digest=DocumentDigest(bytes(32)), signature=DocumentSignature.ABSENT
                ),
                requests=len(page.requests),
                prepared_by=first.account,
                prepared_at=now,
                confirmed_by=second.account,
                confirmed_at=now,
            )
            transaction.decisions.add(decision)
            transaction.decisions.put_on(
                decision.decision_id, [each.request_id for each in page.requests]
            )
        office = batches_of(opened)
        batch = office.filling.create(OrganisationCode(receiver), decision.decision_id, actor=first)
        office.filling.fill(batch.batch_id, actor=first, limit=limit)
        proposal = office.freezing.propose(batch.batch_id, actor=first).batch.proposal
        assert proposal is not None
        frozen = office.freezing.confirm(batch.batch_id, proposal.proof.hex(), actor=second)
    return FrozenForTests(
        batch=str(batch.batch_id), decision=str(decision.decision_id), cards=frozen.bound
    )


def pass_as_another(home: Path, batch: str) -> int:
    """Quality control by somebody who made none of the cards; how many were passed."""
    with open_register_home(home) as opened:
        office = batches_of(opened)
        second = _person("second", datetime.now(UTC))
        batch_id = BatchId(uuid.UUID(batch))
        lines = office.reading.lines(batch_id, actor=second, limit=1000).lines
        serials = [each.line.serial for each in lines if each.line.serial is not None]
        return office.control.pass_cards(batch_id, serials, actor=second).passed


def _person(name: str, now: datetime) -> Actor:
    return Actor(
        account=AccountName(name),
        assignments=tuple(Assignment(role=each) for each in Role),
        stepped_up_at=now,
    )
