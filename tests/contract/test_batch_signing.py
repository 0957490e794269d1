"""Having batches signed, whatever database stands behind the register: authorisations one after the other, and alone."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from issuer.db.card_ledger import SqlCardLedger
from issuer.db.production_tables import CardContentsRow
from issuer.domain.account import Account, AccountId
from issuer.domain.batch import Batch, BatchId, BatchState
from issuer.domain.card import CardReference
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.rights import AccountName
from issuer.errors import IssuerError, IssuerUnavailableError
from issuer.services.authorise_batch import (
    AuthorisationTerms,
    DecisionAuthorisation,
    open_authorisations,
)
from issuer.services.batch_operations import BATCH, BatchOperations, SignWork
from issuer.services.decision_desk import DecisionDesk
from issuer.services.operation_ports import (
    Operation,
    OperationId,
    OperationKind,
    OperationState,
)
from issuer.services.sign_batches import BatchSigning
from issuer.services.sign_cards import SigningOutcome
from pki.errors import PkiRefusedError
from pki.signed.authorisation import BatchAuthorisation, OperatorSignature
from tests.contract.batch_stage import OPERATOR, STOREKEEPER, BatchStage
from tests.contract.requests_stage import COMMUNE, FIRST, NOW, Documents
from tests.contract.test_batches import code_of, stage, template

__all__ = ["stage", "template"]


@dataclass
class FakeSigner:
    """A signer that counts what it signs under an authorisation, as the real one does."""

    stage: BatchStage
    signed: Counter[bytes] = field(default_factory=Counter)
    refused_cards: set[CardReference] = field(default_factory=set)
    refusal: str | None = None

    @contextlib.contextmanager
    def __call__(self, authorisation: BatchAuthorisation | None) -> Iterator["Connection"]:
        assert authorisation is not None
        if self.refusal is not None:
            raise PkiRefusedError("not this one", code=self.refusal)
        yield Connection(self, authorisation)


@dataclass
class Connection:
    signer: FakeSigner
    authorisation: BatchAuthorisation

    def sign_all(
        self,
        *,
        limit: int | None = None,
        batch_id: BatchId | None = None,
        account: AccountName | None = None,
        without: Collection[CardReference] = (),
    ) -> Iterator[SigningOutcome]:
        stage, digest = self.signer.stage, self.authorisation.digest
        bound = [each for each in stage.cards.bound(batch_id=batch_id) if each not in without]
        for reference in bound[:limit]:
            if reference in self.signer.refused_cards:
                yield SigningOutcome(reference=reference, code="card.altered", message="altered")
                continue
            if self.signer.signed[digest] == self.authorisation.cards:
                yield SigningOutcome(reference=reference, code="authorisation.overdrawn")
                continue
            self.signer.signed[digest] += 1
            with stage.database.writing() as session:
                session.add(CardContentsRow(reference=reference, sealed=b"", prepared_at=NOW))
            kept = stage.cards.record_signed_several(
                {reference: b"EF.SOD"}, account=account, authorisation=digest
            )
            assert kept == {reference}
            yield SigningOutcome(reference=reference)


def authorising_of(stage: BatchStage) -> DecisionAuthorisation:
    return DecisionAuthorisation(
        desk=DecisionDesk(
            register=stage.register,
            documents=Documents({}),
            policy=RequestPolicy(),
            clock=stage.clock,
        ),
        random_bytes=stage.random_bytes,
    )


def write_down(stage: BatchStage, *, days: int = 30) -> BatchAuthorisation:
    """An authorisation of the stage's decision that bears two signatures."""
    office = authorising_of(stage)
    terms = AuthorisationTerms(signer_id="ds-1", until=NOW + timedelta(days=days))
    made = office.create(stage.decision_id, terms, actor=FIRST)
    signatures = tuple(
        OperatorSignature(certificate=bytes([each]) * 64, signature=bytes([each]) * 64)
        for each in (1, 2)
    )
    signed = replace(made, signatures=signatures)
    return office.attach(stage.decision_id, signed.to_bytes(), actor=FIRST)


@dataclass
class SigningStage:
    stage: BatchStage
    signer: FakeSigner

    @property
    def signing(self) -> BatchSigning:
        return BatchSigning(desk=self.stage.desk, cards=self.stage.cards, open_signer=self.signer)

    def frozen(self) -> Batch:
        batch = self.stage.open()
        self.stage.freeze(batch)
        return batch

    def write_down(self, *, days: int = 30) -> BatchAuthorisation:
        return write_down(self.stage, days=days)

    def left(self) -> list[int]:
        with self.stage.register.reading() as transaction:
            kept = transaction.decisions.authorisations(self.stage.decision_id)
        return [each.left for each in open_authorisations(kept, now=self.stage.clock())]

    def sign(self, batch: Batch) -> list[str | None]:
        return [each.code for each in self.signing.sign(batch.batch_id, actor=OPERATOR)]


@pytest.fixture
def signing(stage: BatchStage) -> SigningStage:
    return SigningStage(stage, FakeSigner(stage))


def test_a_batch_is_signed_and_counts_against_its_authorisation(signing: SigningStage) -> None:
    batch = signing.frozen()
    assert code_of(lambda: signing.sign(batch)) == "authorisation.none-valid"
    signing.write_down()
    assert signing.left() == [4]
    assert code_of(signing.write_down) == "authorisation.still-valid"
    assert code_of(lambda: list(signing.signing.sign(batch.batch_id, actor=STOREKEEPER))) == (
        "right.missing"
    )
    assert signing.sign(batch) == [None] * 4
    assert signing.left() == []
    view = signing.stage.view(batch)
    assert (view.batch.state, view.tally.signed) == (BatchState.SIGNED, 4)
    assert code_of(lambda: signing.sign(batch)) == "batch.wrong-state"
    assert code_of(signing.write_down) == "decision.nothing-to-sign"
    with signing.stage.register.reading() as transaction:
        acts = [
            (each.action, each.account)
            for each in transaction.audit.records()
            if each.action.startswith("batch.") and "sign" in each.action
        ]
    assert acts == [
        ("batch.signing-begun", "operator"),
        ("batch.cards-signed", "operator"),
        ("batch.signed", "operator"),
    ]


def test_a_follow_up_batch_is_authorised_while_the_first_authorisation_holds(
    signing: SigningStage,
) -> None:
    stage = signing.stage
    first = signing.frozen()
    signing.write_down()
    assert signing.sign(first) == [None] * 4
    spoiled = stage.lines(first)[1].serial
    assert spoiled is not None
    stage.stock.condemn(spoiled, code="card.damaged", is_safe=True)
    follow_up = stage.filling.create(
        COMMUNE, stage.decision_id, actor=OPERATOR, follow_up_of=first.batch_id
    )
    stage.filling.fill(follow_up.batch_id, actor=OPERATOR)
    stage.freeze(follow_up)
    assert code_of(lambda: signing.sign(follow_up)) == "authorisation.used-up"
    assert authorising_of(stage).uncovered(stage.decision_id, actor=FIRST) == 1
    made = signing.write_down(days=20)
    assert made.cards == 1
    assert authorising_of(stage).uncovered(stage.decision_id, actor=FIRST) == 0
    assert code_of(signing.write_down) == "authorisation.still-valid"
    assert signing.sign(follow_up) == [None]
    assert stage.view(first).batch.state is BatchState.SIGNED
    assert stage.view(follow_up).batch.state is BatchState.SIGNED


def test_what_the_signer_knows_better_is_believed(signing: SigningStage) -> None:
    batch = signing.frozen()
    made = signing.write_down()
    # Two cards were signed and the issuer was cut off before it kept them: the signer counts them.
    signing.signer.signed[made.digest] = 2
    assert code_of(lambda: signing.sign(batch)) == "authorisation.used-up"
    view = signing.stage.view(batch)
    assert (view.batch.state, view.tally.bound) == (BatchState.FROZEN, 2)
    assert signing.left() == []
    assert signing.write_down().cards == 2
    assert signing.sign(batch) == [None, None]
    assert signing.stage.view(batch).batch.state is BatchState.SIGNED


def test_an_authorisation_that_the_signer_refuses_for_good_makes_room_for_another(
    signing: SigningStage,
) -> None:
    batch = signing.frozen()
    signing.write_down()
    signing.signer.refusal = "authorisation.signer-busy"
    with pytest.raises(PkiRefusedError):
        signing.sign(batch)
    assert signing.left() == [4]
    signing.signer.refusal = "operator.revoked"
    with pytest.raises(PkiRefusedError):
        signing.sign(batch)
    assert signing.left() == []
    signing.signer.refusal = None
    assert signing.write_down().cards == 4
    assert signing.sign(batch) == [None] * 4


def test_a_card_that_is_refused_stays_bound_and_the_others_are_signed(
    signing: SigningStage,
) -> None:
    batch = signing.frozen()
    signing.write_down()
    reference = signing.stage.lines(batch)[0].reference
    assert reference is not None
    signing.signer.refused_cards = {reference}
    assert signing.sign(batch) == [None, None, None, "card.altered"]
    assert signing.stage.view(batch).batch.state is BatchState.FROZEN
    assert signing.left() == [1]
    signing.signer.refused_cards = set()
    assert signing.sign(batch) == [None]


def test_whoever_signs_a_batch_is_alone_and_goes_on_where_another_was_killed(
    signing: SigningStage,
) -> None:
    batch = signing.frozen()
    signing.write_down()
    first = signing.signing.sign(batch.batch_id, actor=OPERATOR)
    assert next(first).code is None
    with pytest.raises(IssuerError) as busy:
        signing.sign(batch)
    assert busy.value.code == "batch.being-signed"
    first.close()  # type: ignore[attr-defined]  # a generator, as a killed worker leaves it
    assert signing.sign(batch) == [None] * 3
    assert signing.stage.view(batch).batch.state is BatchState.SIGNED


def test_what_was_broken_off_behind_the_last_card_is_signed_by_asking_again(
    signing: SigningStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its authorisation is used up by then, and another one is given for cards that wait alone."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise IssuerUnavailableError("no answer", code="database.unavailable")

    batch = signing.frozen()
    signing.write_down()
    with monkeypatch.context() as patch:
        patch.setattr(SqlCardLedger, "settle", fail)
        with pytest.raises(IssuerUnavailableError):
            signing.sign(batch)
    assert (signing.left(), signing.stage.view(batch).batch.state) == ([], BatchState.FROZEN)
    with pytest.raises(IssuerError) as nothing:
        signing.write_down()
    assert nothing.value.code == "decision.nothing-to-sign"
    signing.signer.refusal = "signer.retired"
    operations_of(signing).require_signable(batch.batch_id, actor=OPERATOR)
    assert signing.sign(batch) == []
    assert signing.stage.view(batch).batch.state is BatchState.SIGNED


@dataclass
class Office:
    """The signer of an office, as operations reach it."""

    stage: SigningStage

    def require(self) -> None:
        pass

    def signing(self) -> BatchSigning:
        return self.stage.signing


def operations_of(signing: SigningStage) -> BatchOperations:
    """What lets pass, and begins nothing here."""
    return BatchOperations(
        desk=signing.stage.desk,
        operations=None,  # type: ignore[arg-type]  # nothing is begun
        signer=Office(signing),
    )


def operation(batch: Batch, *, attempt: int = 1) -> Operation:
    return Operation(
        operation_id=OperationId(uuid.UUID(int=1)),
        kind=OperationKind.SIGN_BATCH,
        account=OPERATOR.account,
        state=OperationState.RUNNING,
        inputs={BATCH: str(batch.batch_id)},
        attempt=attempt,
        created_at=NOW,
        changed_at=NOW,
    )


@pytest.fixture
def work(signing: SigningStage) -> SignWork:
    with signing.stage.register.writing() as transaction:
        transaction.people.add(
            Account(
                account_id=AccountId(uuid.UUID(int=5)),
                name=OPERATOR.account,
                assignments=OPERATOR.assignments,
                password=None,
                created_at=NOW,
            )
        )
    return SignWork(desk=signing.stage.desk, signer=Office(signing))


def test_work_that_is_begun_again_goes_on_and_finds_nothing_left_where_all_is_signed(
    signing: SigningStage, work: SignWork
) -> None:
    told: list[tuple[int, int | None]] = []

    def progress(*, done: int, total: int | None) -> None:
        told.append((done, total))

    batch = signing.frozen()
    signing.write_down()
    broken = signing.signing.sign(batch.batch_id, actor=OPERATOR)
    next(broken)
    broken.close()  # type: ignore[attr-defined]  # a generator, as a killed worker leaves it
    assert work(operation(batch, attempt=2), progress) == {"signed": 4}
    assert told == [(2, 4), (3, 4), (4, 4)]
    assert work(operation(batch, attempt=3), progress) == {"signed": 4}
    assert code_of(lambda: work(operation(batch), progress)) == "batch.wrong-state"


def test_what_the_signer_says_keeps_its_code_and_what_was_refused_is_counted(
    signing: SigningStage, work: SignWork
) -> None:
    def progress(*, done: int, total: int | None) -> None:
        del done, total

    batch = signing.frozen()
    signing.write_down()
    signing.signer.refusal = "authorisation.expired"
    assert code_of(lambda: work(operation(batch), progress)) == "authorisation.expired"
    signing.signer.refusal = None
    reference = signing.stage.lines(batch)[2].reference
    assert reference is not None
    signing.signer.refused_cards = {reference}
    found = work(operation(batch), progress)
    assert found == {"signed": 3, "not-signed": 1, "card.altered": 1}
