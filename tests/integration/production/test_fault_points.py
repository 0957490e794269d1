"""Each fault point of one issuance fails once: all end issued or condemned, and with a code."""

import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from issuer.errors import IssuerUnavailableError
from simulators.authority import TestAuthority as Authority
from tests.integration.production.fault_points import Faults, Issuance, failing_disks

Issue = Callable[[int | None], tuple[Faults, list[str], str]]

KINDS = {
    "register: SELECT", "register: INSERT", "register: UPDATE", "register: BEGIN", "register: COMMIT",
    "journal: SELECT", "journal: INSERT", "journal: DELETE", "journal: BEGIN", "journal: COMMIT",
    "journal: PRAGMA", "journal: VACUUM",
    "command lost", "answer lost", "reset", "signature", "signature lost", "file: fsync", "file: rename",
}  # fmt: skip


@pytest.fixture
def issue(
    make_workshop: Callable[..., Any],
    test_pki: Authority,
    portrait_image: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Issue:
    def one(strikes: int | None) -> tuple[Faults, list[str], str]:
        workshop = make_workshop()
        faults = Faults(strikes=strikes, is_on=False)
        directory = tmp_path / f"issuance {strikes}"
        directory.mkdir()
        issuance = Issuance(workshop, test_pki, portrait_image, directory, faults)
        with failing_disks(workshop, faults, monkeypatch):
            faults.is_on = True
            codes = issuance.run()
            end = issuance.require_one_card_or_none()
        workshop.database.close()
        return faults, codes, end

    return one


@pytest.fixture
def points(issue: Issue) -> list[str]:
    faults, codes, end = issue(None)
    assert (codes, end) == ([], "issued")
    return faults.points


def test_the_fault_points_of_an_issuance_are_many_and_of_all_kinds(points: list[str]) -> None:
    found = Counter(points)
    assert set(found) >= KINDS
    assert len(points) > 250


@pytest.mark.parametrize(
    "share", [100, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_an_issuance_in_which_one_thing_fails_ends_with_one_card_or_none(
    issue: Issue, points: list[str], share: int
) -> None:
    # No disk, cable or signer makes a good chip bad.
    for number in range(0, len(points), share):
        faults, codes, end = issue(number)
        assert len(faults.points) > number
        assert end == "issued", (number, points[number], codes)
        assert all(re.fullmatch(r"[a-z-]+\.[a-z-]+", code) for code in codes), points[number]


def test_a_commit_that_failed_holds_no_lock(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_connection: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(workshop.database.engine.dialect, "do_commit", fail)
        with pytest.raises(IssuerUnavailableError):
            workshop.receive(1)
    path = workshop.database.url.database
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    workshop.receive(1)
    assert len(workshop.stock.chips()) == 1
