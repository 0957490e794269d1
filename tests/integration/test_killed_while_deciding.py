"""A process that decides is killed at any moment: no number is lost or given twice, and the mark is never behind.

What was acknowledged is there; what was confirmed and not ended is ended by confirming once more; the audit trail has
no gap. The mark outside the database is what keeps a restored register from giving a number out again: it may be ahead
of the register by the one allotment that was under way, and never behind it.
"""

import subprocess
import sys
import time
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from issuer.db.schema import upgrade
from issuer.domain.audit_chain import first_head
from issuer.domain.requests import RequestId
from issuer.services.audit_office import check_trail
from tests.contract.requests_stage import Stage, member
from tests.integration.decided_until_killed import AT_ONCE, given_out, stage_of

MEMBERS_A_LIFE = 80


def decisions_are_killed(url: str, folder: Path, draw: Random, *, cycles: int) -> None:
    stage = stage_of(url, folder, life=0)
    upgrade(stage.database)
    stage.fill([member(number) for number in range(1, (cycles + 1) * MEMBERS_A_LIFE)])
    stage.grant(1, 99_999)
    acknowledged: set[RequestId] = set()
    numbers: dict[RequestId, str] = {}
    for life in range(1, cycles + 1):
        acknowledged |= killed_life(url, folder, draw, life=life)
        found = given_out(stage, folder)
        assert acknowledged <= found.numbers.keys()
        # A number stays whose it was, and nobody has two.
        assert numbers.items() <= found.numbers.items()
        assert len(set(found.numbers.values())) == len(found.numbers)
        assert 0 <= found.marked - found.allotments <= 1
        check(stage)
        numbers = found.numbers
    killed_life(url, folder, draw, life=cycles + 1)
    last = given_out(stage, folder)
    assert last.left_tabled <= AT_ONCE
    assert numbers.items() <= last.numbers.items()
    stage.database.close()


def killed_life(url: str, folder: Path, draw: Random, *, life: int) -> set[RequestId]:
    """What a process acknowledged before it was killed."""
    first = (life - 1) * MEMBERS_A_LIFE + 1
    process = subprocess.Popen(
        [
            sys.executable, "-m", "tests.integration.decided_until_killed",
            url, str(folder), str(life), str(first), str(first + MEMBERS_A_LIFE - 1),
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    told = "".join(process.stdout.readline() for _ in range(draw.randint(1, 3)))
    assert told
    time.sleep(draw.random() * 0.2)
    process.kill()
    rest, _ = process.communicate(timeout=60)
    whole = (told + rest).rpartition("\n")[0]
    return {RequestId(UUID(each)) for each in whole.split()}


def check(stage: Stage) -> None:
    """Nobody has cut or forked the trail."""
    with stage.register.reading() as transaction:
        head, records = transaction.audit.head(), list(transaction.audit.records())
    report = check_trail(head, records, [first_head(head.trail_id)])
    assert report.is_whole, report.findings


def test_a_killed_decision_loses_no_number(tmp_path: Path) -> None:
    decisions_are_killed(f"sqlite:///{tmp_path / 'x.sqlite'}", tmp_path, Random(5), cycles=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_killed_decisions_lose_no_number(tmp_path: Path) -> None:
    decisions_are_killed(f"sqlite:///{tmp_path / 'x.sqlite'}", tmp_path, Random(6), cycles=25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_killed_decisions_lose_no_number_on_postgresql(
    tmp_path: Path, postgresql_url: str
) -> None:
    decisions_are_killed(postgresql_url, tmp_path, Random(7), cycles=25)
