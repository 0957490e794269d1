"""Each fault point between a filled batch and the member's hand fails once: whoever tries again gets there, once."""

import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from issuer.domain.member import PortraitDigest
from issuer.domain.stock_account import SiteCode
from simulators.authority import TestAuthority as Authority
from tests.contract.batch_stage import OPERATOR, BatchStage
from tests.contract.cards_stage import fresh_sqlite
from tests.contract.requests_stage import COMMUNE, Portraits, Stage, member
from tests.contract.test_batch_signing import write_down
from tests.integration.production.batch_fault_points import STATION, BatchIssuance
from tests.integration.production.conftest import PORTRAIT
from tests.integration.production.failing_writes import failing
from tests.integration.production.fault_points import Faults

Issue = Callable[[int | None], tuple[Faults, list[str]]]

KINDS = {
    "register: SELECT", "register: INSERT", "register: UPDATE", "register: BEGIN",
    "register: COMMIT", "register: COMMIT told wrongly",
    "journal: SELECT", "journal: INSERT", "journal: DELETE", "journal: BEGIN", "journal: COMMIT",
    "signature", "signature lost",
    "file: write marks", "file: fsync marks", "file: rename marks", "file: fsync portraits", "file: rename portraits",
    "file: fsync papers", "file: rename papers", "file: fsync print", "file: link print",
}  # fmt: skip
SAMPLE = 3
PARTS = 4


@pytest.fixture(scope="module")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In the place of the empty one: a batch with one request, and a chip at the station."""
    folder = tmp_path_factory.mktemp("template")
    database = fresh_sqlite(folder)
    made = BatchStage(database, folder / "marks")
    made.requests = Stage(database)
    digest = Portraits(made.requests.stores.portraits).put(PORTRAIT)
    made.requests.fill([replace(member(1), portrait=PortraitDigest(digest))])
    made.requests.grant()
    made.decision_id = made.decide(1)
    write_down(made)
    made.stock.receive([(1).to_bytes(10, "big")], delivery="test", site=SiteCode(STATION))
    batch = made.filling.create(COMMUNE, made.decision_id, actor=OPERATOR)
    made.filling.fill(batch.batch_id, actor=OPERATOR)
    database.close()
    return folder / "issuer.sqlite"


@pytest.fixture
def issue(
    make_workshop: Callable[..., Any],
    test_pki: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Issue:
    def one(strikes: int | None) -> tuple[Faults, list[str]]:
        workshop = make_workshop()
        faults = Faults(strikes=strikes)
        directory = tmp_path / f"issuance {strikes}"
        directory.mkdir()
        issuance = BatchIssuance(workshop, test_pki, PORTRAIT, directory, faults)
        with failing(workshop.database, directory, faults, monkeypatch):
            codes = issuance.run()
            issuance.require_handed_over_once()
        workshop.database.close()
        return faults, codes

    return one


def require_handed_over(issue: Issue, points: list[str], number: int) -> None:
    faults, codes = issue(number)
    assert len(faults.points) > number
    assert faults.points[: number + 1] == points[: number + 1]
    assert all(re.fullmatch(r"[a-z-]+\.[a-z-]+", code) for code in codes), points[number]


def test_wherever_something_fails_between_batch_and_member_trying_again_hands_the_card_over(
    issue: Issue,
) -> None:
    faults, codes = issue(None)
    assert codes == []
    found = Counter(faults.points)
    assert set(found) >= KINDS
    assert len(faults.points) > 600
    for number in random.Random(6).sample(range(len(faults.points)), SAMPLE):
        require_handed_over(issue, faults.points, number)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_everything_between_batch_and_member_fails_once(issue: Issue, part: int) -> None:
    points = issue(None)[0].points
    numbers = range(part, len(points), PARTS)
    assert len(numbers) > 100
    for number in numbers:
        require_handed_over(issue, points, number)
