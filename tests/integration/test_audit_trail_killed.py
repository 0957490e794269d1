"""A process that writes to the audit trail is killed at any moment: what it was told is done stands there, in one chain."""

import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import IO

import pytest
import sqlalchemy as sa

from issuer.db.audit import AuditHeadRow
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.domain.audit_chain import ChainHead, first_head
from issuer.services.audit_office import check_trail

_WRITER = """
import sys
from datetime import UTC, datetime
from issuer.db.base import Database
from issuer.db.register import SqlRegister
from issuer.domain.audit import AuditRecord, AuditSubject
from issuer.domain.rights import AccountName

register = SqlRegister(Database(sys.argv[1]))
number = int(sys.argv[2])
while True:
    with register.writing() as transaction:
        for part in "abc":
            transaction.audit.append(
                AuditRecord(
                    at=datetime.now(UTC), account=AccountName("system"), action="test.done",
                    subject=AuditSubject.SERVICE, subject_id=f"{number}-{part}",
                )
            )
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def write_and_kill(url: str, *, first: int, after: int) -> int:
    """Let a writer acknowledge so many acts and kill it; the last act that it acknowledged, however late."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, url, str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        lines: IO[str] | None = process.stdout
        assert lines is not None
        acknowledged = first - 1
        for _ in range(after):
            acknowledged = int(lines.readline())
        process.send_signal(signal.SIGKILL)
        whole = [line for line in lines if line.endswith("\n")]
    return int(whole[-1]) if whole else acknowledged


def check_after_kills(url: str, *, kills: int, seed: int) -> None:
    database = Database(url)
    upgrade(database)
    register = SqlRegister(database)
    draw = Random(seed)
    anchor: ChainHead | None = None
    following = 1
    for _ in range(kills):
        acknowledged = write_and_kill(url, first=following, after=draw.randint(1, 25))
        with database.writing() as session:
            # A server may still be busy with the last thing that it was told, and holds the head until then.
            session.execute(sa.select(AuditHeadRow.sequence).with_for_update())
        with register.reading() as transaction:
            head = transaction.audit.head()
            stored = list(transaction.audit.records())
        if anchor is None:
            anchor = first_head(head.trail_id)
        report = check_trail(head, stored, [anchor])
        assert report.is_whole, report.findings
        assert report.last == head.sequence
        ids = [each.subject_id for each in stored]
        # All that was acknowledged, and at most the one act that was under way; each whole.
        assert len(ids) in (3 * acknowledged, 3 * (acknowledged + 1))
        assert ids == [
            f"{number}-{part}" for number in range(1, len(ids) // 3 + 1) for part in "abc"
        ]
        following = len(ids) // 3 + 1
        anchor = head
    database.close()


def test_a_killed_writer_leaves_a_whole_trail(tmp_path: Path) -> None:
    check_after_kills(f"sqlite:///{tmp_path / 'issuer.sqlite'}", kills=2, seed=1)


def test_a_killed_writer_leaves_a_whole_trail_on_postgresql(postgresql_url: str) -> None:
    check_after_kills(postgresql_url, kills=2, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_hundred_kills_leave_a_whole_trail(tmp_path: Path, seed: int) -> None:
    check_after_kills(f"sqlite:///{tmp_path / 'issuer.sqlite'}", kills=50, seed=seed)
