"""Pull the card at every APDU, or kill the station at every commit; put the card back; nothing is lost or doubled."""

import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from card_layout.atr import LifeCycle
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.services.visit_chip import StationTask, VisitResult
from simulators.card.operating_system import VirtualCard
from simulators.faults import Fault, FaultKind

INITIALISE_APDUS = 20
PERSONALISE_APDUS = 39
TEARS = (FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.TEAR_AFTER)

WRITES = (
    "begin_initialisation",
    "record_chip_key",
    "finish_initialisation",
    "begin_personalisation",
    "record_personalised",
    "intend_lock",
    "record_issued",
)


class KilledError(BaseException):
    """The station's process is gone; nothing may catch it."""


class DyingLedger:
    """A ledger whose process is killed at one of its commits: just before it, or just after."""

    def __init__(self, inner: Any, *, at: int | None, after_commit: bool) -> None:
        self._inner = inner
        self._at = at
        self._after_commit = after_commit
        self.commits: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in WRITES:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            self.commits.append(name)
            dies = len(self.commits) == self._at
            if dies and not self._after_commit:
                raise KilledError
            result = method(*args, **kwargs)
            if dies:
                raise KilledError
            return result

        return call


class Bench:
    """One workshop with one chip, which can be put back to where it was."""

    def __init__(self, workshop: Any, card: VirtualCard) -> None:
        self.workshop = workshop
        self.card = card
        self._database = Path(workshop.database.url.database)
        self._saved: tuple[bytes, Any] | None = None

    def save(self) -> None:
        self.workshop.database.close()
        # Closed for good: a connection that lived on would lock the file that `restore` replaces.
        with contextlib.closing(sqlite3.connect(self._database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._saved = (self._database.read_bytes(), self.card.image)

    def restore(self) -> None:
        assert self._saved is not None
        self.workshop.database.close()
        for suffix in ("-wal", "-shm"):
            self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)
        self._database.write_bytes(self._saved[0])
        self.card = VirtualCard(self._saved[1], random=random.Random(3).randbytes)

    def rows(self, table: Any) -> list[Any]:
        with self.workshop.database.reading() as session:
            return list(session.scalars(sa.select(table)))

    def require_nothing_half(self) -> None:
        """What must hold at any moment, also with the card torn out."""
        cards = self.rows(CardRow)
        assert len([card for card in cards if card.state != "condemned"]) <= 1
        if self.card.image.state is LifeCycle.OPERATIONAL:
            [card] = cards
            assert card.state in ("locking", "issued")
            self.require_complete()
        if self.card.image.state in (LifeCycle.PERSONALISING, LifeCycle.PERSONALISED):
            [card] = cards
            assert self.card.image.card_reference == card.reference
            assert card.state in ("personalising", "personalised", "locking")

    def require_complete(self) -> None:
        [card] = self.rows(CardRow)
        job = self.workshop.station.load_job(card.reference)
        for file in self.workshop.profile.application_files:
            assert self.card.image.files[file.path].data == job.contents[file.name]
        assert self.card.image.secrets.can == job.secrets.can

    def require_initialised(self) -> None:
        [chip] = self.rows(ChipRow)
        assert self.card.image.state is LifeCycle.INITIALISED
        assert chip.state == "initialised"
        assert len(self.kinds("initialised")) == 1

    def require_issued(self) -> None:
        [card] = self.rows(CardRow)
        assert self.card.image.state is LifeCycle.OPERATIONAL
        assert card.state == "issued"
        assert len(self.kinds("issued")) == 1
        self.require_complete()

    def kinds(self, kind: str) -> list[Any]:
        return [event for event in self.rows(CardEventRow) if event.kind == kind]


@pytest.fixture
def blank_bench(workshop: Any) -> Bench:
    workshop.add_members(1)
    workshop.receive(1)
    bench = Bench(workshop, workshop.blank(1))
    bench.save()
    return bench


@pytest.fixture
def signed_bench(blank_bench: Bench) -> Bench:
    outcome, apdus = blank_bench.workshop.visit(blank_bench.card, StationTask.INITIALISE)
    assert (outcome.result, apdus) == (VisitResult.DONE, INITIALISE_APDUS)
    blank_bench.workshop.bind_and_sign()
    blank_bench.save()
    return blank_bench


def tears(apdus: int) -> list[Any]:
    return [
        pytest.param(Fault(kind=kind, at=at), id=f"{kind}-{at}")
        for at in range(1, apdus + 1)
        for kind in TEARS
    ]


@pytest.mark.parametrize("fault", tears(INITIALISE_APDUS))
def test_a_tear_at_any_apdu_of_initialisation_ends_initialised(
    blank_bench: Bench, fault: Fault
) -> None:
    workshop = blank_bench.workshop
    torn, _ = workshop.visit(blank_bench.card, StationTask.INITIALISE, faults=(fault,))
    blank_bench.require_nothing_half()
    if fault.at == INITIALISE_APDUS and fault.kind is FaultKind.TEAR_AFTER:
        assert torn.result is VisitResult.DONE
    else:
        assert torn.result is VisitResult.INTERRUPTED
        again, _ = workshop.visit(blank_bench.card, StationTask.INITIALISE)
        assert again.result is VisitResult.DONE, again
    blank_bench.require_initialised()
    # The key that was recorded is the one that the chip holds: a card made with it passes quality control.
    workshop.bind_and_sign()
    made, _ = workshop.visit(blank_bench.card, StationTask.PERSONALISE)
    assert made.result is VisitResult.DONE, made
    blank_bench.require_issued()


@pytest.mark.parametrize("fault", tears(PERSONALISE_APDUS))
def test_a_tear_at_any_apdu_of_personalisation_ends_resumed_and_completed(
    signed_bench: Bench, fault: Fault
) -> None:
    workshop = signed_bench.workshop
    torn, _ = workshop.visit(signed_bench.card, StationTask.PERSONALISE, faults=(fault,))
    signed_bench.require_nothing_half()
    if fault.at == PERSONALISE_APDUS and fault.kind is FaultKind.TEAR_AFTER:
        assert torn.result is VisitResult.DONE
    else:
        assert torn.result is VisitResult.INTERRUPTED
        again, _ = workshop.visit(signed_bench.card, StationTask.PERSONALISE)
        assert again.result is VisitResult.DONE, again
    signed_bench.require_issued()


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_station_killed_at_any_commit_of_initialisation_is_made_up_for(
    blank_bench: Bench, *, after_commit: bool
) -> None:
    commits = _commits(blank_bench, StationTask.INITIALISE)
    assert commits == ["begin_initialisation", "record_chip_key", "finish_initialisation"]
    for at in range(1, len(commits) + 1):
        blank_bench.restore()
        _kill(blank_bench, StationTask.INITIALISE, at=at, after_commit=after_commit)
        blank_bench.require_nothing_half()
        again, _ = blank_bench.workshop.visit(blank_bench.card, StationTask.INITIALISE)
        if at == len(commits) and after_commit:
            assert (again.result, again.code) == (VisitResult.REFUSED, "chip.not-bound")
        else:
            assert again.result is VisitResult.DONE, again
        blank_bench.require_initialised()


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_station_killed_at_any_commit_of_personalisation_is_made_up_for(
    signed_bench: Bench, *, after_commit: bool
) -> None:
    commits = _commits(signed_bench, StationTask.PERSONALISE)
    assert commits == [
        "begin_personalisation",
        "record_personalised",
        "intend_lock",
        "record_issued",
    ]
    for at in range(1, len(commits) + 1):
        signed_bench.restore()
        _kill(signed_bench, StationTask.PERSONALISE, at=at, after_commit=after_commit)
        signed_bench.require_nothing_half()
        again, _ = signed_bench.workshop.visit(signed_bench.card, StationTask.PERSONALISE)
        if at == len(commits) and after_commit:
            assert (again.result, again.code) == (VisitResult.REFUSED, "card.already-issued")
        else:
            assert again.result is VisitResult.DONE, again
        signed_bench.require_issued()


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))]
)
def test_a_card_that_is_torn_again_and_again_ends_as_one_card(
    signed_bench: Bench, seed: int
) -> None:
    source = random.Random(seed)
    workshop = signed_bench.workshop
    for _ in range(4):
        fault = Fault(kind=source.choice(TEARS), at=source.randint(1, PERSONALISE_APDUS))
        workshop.visit(signed_bench.card, StationTask.PERSONALISE, faults=(fault,))
        signed_bench.require_nothing_half()
    last, _ = workshop.visit(signed_bench.card, StationTask.PERSONALISE)
    assert last.result is VisitResult.DONE or last.code == "card.already-issued"
    signed_bench.require_issued()


@pytest.mark.parametrize(
    "kind", [FaultKind.FLIP_BIT, FaultKind.RUBBISH, FaultKind.SHORT_RESPONSE, FaultKind.DROP]
)
@pytest.mark.parametrize(
    "at",
    [
        *range(1, PERSONALISE_APDUS + 1, 9),
        *(
            pytest.param(at, marks=pytest.mark.slow)
            for at in range(1, PERSONALISE_APDUS + 1)
            if at % 9 != 1
        ),
    ],
)
def test_a_disturbed_answer_never_leaves_a_half_card(
    signed_bench: Bench, kind: FaultKind, at: int
) -> None:
    workshop = signed_bench.workshop
    workshop.visit(signed_bench.card, StationTask.PERSONALISE, faults=(Fault(kind=kind, at=at),))
    signed_bench.require_nothing_half()
    [chip] = signed_bench.rows(ChipRow)
    if chip.held is not None:
        workshop.stock.release(chip.serial)
    last, _ = workshop.visit(signed_bench.card, StationTask.PERSONALISE)
    assert last.result is VisitResult.DONE or last.code == "card.already-issued"
    signed_bench.require_issued()


def _commits(bench: Bench, task: StationTask) -> list[str]:
    ledger = DyingLedger(bench.workshop.station, at=None, after_commit=False)
    outcome, _ = bench.workshop.visit(bench.card, task, ledger=ledger)
    assert outcome.result is VisitResult.DONE
    return ledger.commits


def _kill(bench: Bench, task: StationTask, *, at: int, after_commit: bool) -> None:
    ledger = DyingLedger(bench.workshop.station, at=at, after_commit=after_commit)
    with pytest.raises(KilledError):
        bench.workshop.visit(bench.card, task, ledger=ledger)
