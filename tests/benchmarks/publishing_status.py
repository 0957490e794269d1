"""Benchmark of publishing the status list: 5.6 million cards out of a database, their memory, and a day's changes."""

import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from issuer.db.base import Database
from issuer.db.status_ledger import SqlStatusLedger
from issuer.domain.rights import Role
from issuer.services.publish_status import StatusPublishing
from issuer.status_files import StatusFolders
from pki.keys.software import SoftwareSigner
from pki.signed.card_states import LIST_POSITIONS, CardState, CardStates
from pki.signed.status_list import prepare_status_list
from simulators.authority import TestAuthority
from tests.benchmarks.measure import Announce, Record, counted
from tests.contract.cards_stage import NOW, fresh_sqlite, person
from tests.unit.verifier.status_office import StatusOffice

__all__ = ["measure_publishing"]

CARDS = 5_600_000
_CHANGES = 20_000


def measure_publishing(announce: Announce) -> Iterator[Record]:
    """issuer.status.publish: all cards and a day's, in milliseconds; and the memory of the process that does it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        announce(f"issuer.status.publish: a database of {CARDS:,} cards")
        fill(folder, CARDS)
        announce("issuer.status.publish: every card, then a day's changes")
        run = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.publishing_status", name],
            check=True,
            capture_output=True,
            text=True,
        )
        full, day, memory = (int(each) for each in run.stdout.split())
    yield counted("issuer.status.publish.full", value=full, baseline=60_000, unit="ms", goal=1.0)
    yield counted("issuer.status.publish.day", value=day, baseline=10_000, unit="ms", goal=1.0)
    yield counted("issuer.status.publish.memory", value=memory, baseline=256, unit="MB", goal=1.0)


def fill(folder: Path, cards: int) -> None:
    """A database with so many cards: most of them valid, a tenth handed over to nobody yet, a hundredth lost."""
    fresh_sqlite(folder).close()
    lists = [
        number.to_bytes(8, "big")
        for number in range((cards + LIST_POSITIONS - 1) // LIST_POSITIONS)
    ]
    connection = sqlite3.connect(folder / "issuer.sqlite", isolation_level=None)
    # Members and requests are not read: nothing but the cards is made.
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO status_lists (list_id, size, created_at, is_shared)"
        " VALUES (?, ?, '2026-11-22 00:00:00.000000', 0)",
        [(each, LIST_POSITIONS) for each in lists],
    )
    connection.executemany(
        "INSERT INTO cards (reference, member_id, request_id, serial, state, ordinal, profile,"
        " status_list, status_index, document_number_digest, sealed_secrets, bound_at, counts_as)"
        " VALUES (?, ?, ?, ?, 'handed-over', 1, 'membercard-1', ?, ?, ?, x'',"
        " '2026-11-22 00:00:00.000000', ?)",
        (
            (
                b"%016d" % number,
                f"{number:032x}",
                f"{number:032x}",
                b"%010d" % number,
                lists[number // LIST_POSITIONS],
                number % LIST_POSITIONS,
                b"%032d" % number,
                _state(number).value,
            )
            for number in range(cards)
        ),
    )
    connection.execute("COMMIT")
    connection.close()


def _state(number: int) -> CardState:
    if number % 100 == 7:
        return CardState.LOST
    return CardState.NOT_HANDED_OVER if number % 10 == 3 else CardState.VALID


class _Signer:
    """Signs as the PKI does, with a clock that only goes on."""

    def __init__(self) -> None:
        self._office = StatusOffice(authority=TestAuthority.create(now=NOW - timedelta(days=2)))
        self._number = 0

    def issue(self, states: CardStates, *, days: int) -> bytes:
        self._number += 1
        now = NOW + timedelta(minutes=self._number)
        prepared = prepare_status_list(
            signer_certificate=self._office.certificate,
            public_key=self._office.key.public_key(),
            number=self._number,
            this_update=now,
            next_update=now + timedelta(days=days),
            states=states,
        )
        return prepared.sign(SoftwareSigner(self._office.key))


def _publish(folder: Path) -> None:
    """In a process of its own, whose memory is nothing but this."""
    database = Database(f"sqlite:///{folder / 'issuer.sqlite'}")
    publishing = StatusPublishing(
        ledger=SqlStatusLedger(database),
        shelf=StatusFolders(kept=folder / "status", trust=None),
        clock=lambda: NOW,
    )
    actor, signer = person("administrator", Role.ADMINISTRATOR), _Signer()
    start = time.perf_counter()
    publishing.publish(signer, actor=actor, days=7)
    full = time.perf_counter() - start
    with database.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE cards SET counts_as = 3 WHERE counts_as = 0 AND status_index % ? = 11",
            (CARDS // _CHANGES,),
        )
    start = time.perf_counter()
    publishing.publish(signer, actor=actor, days=7)
    day = time.perf_counter() - start
    database.close()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"{round(1000 * full)} {round(1000 * day)} {memory}\n")


if __name__ == "__main__":
    _publish(Path(sys.argv[1]))
