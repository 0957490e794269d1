"""A station in a process of its own that is killed (SIGKILL) at a command, while the card stays in the test's hands."""

import contextlib
import os
import random
import signal
import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from card_layout.atr import LifeCycle
from card_layout.errors import TransportError
from issuer.db.audit import SqlAuditTrail
from issuer.db.base import Database
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow
from issuer.db.station_tables import StationClaimRow, StationRow
from issuer.services.visit_chip import StationTask, Visit, VisitResult
from simulators.card.operating_system import VirtualCard
from tests.integration.production.station_stage import Stations

_SIZE = struct.Struct(">I")
_KILLED = -signal.SIGKILL
_FAILED = 3


class Moment(StrEnum):
    """When the station dies, seen from the card."""

    BEFORE = "before"
    """The command has left the station and does not reach the card."""
    DURING = "during"
    """The card has carried it out; the station never reads the answer."""
    AFTER = "after"
    """The station has the answer, and dies some time later."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """At which command of a visit, and when; ``delay`` is how long after the answer, in seconds."""

    at: int
    moment: Moment
    delay: float = 0.0


class PipeConnection:
    """The station's end of the wire to the card."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._atr = self._ask(b"R")

    @property
    def atr(self) -> bytes:
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        return self._ask(b"T" + command)

    def reset(self) -> bytes:
        self._atr = self._ask(b"R")
        return self._atr

    def close(self) -> None:
        self._wire.close()

    def _ask(self, message: bytes) -> bytes:
        send(self._wire, message)
        answer = receive(self._wire)
        if answer is None:
            raise TransportError("the card is gone")
        return answer


def send(wire: socket.socket, message: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        wire.sendall(_SIZE.pack(len(message)) + message)


def receive(wire: socket.socket) -> bytes | None:
    head = _read(wire, _SIZE.size)
    return None if head is None else _read(wire, _SIZE.unpack(head)[0])


def _read(wire: socket.socket, size: int) -> bytes | None:
    content = b""
    while len(content) < size:
        try:
            part = wire.recv(size - len(content))
        except ConnectionResetError:
            return None
        if not part:
            return None
        content += part
    return content


class KillableStation:
    """One chip, one station that may be killed, and everything put back to the start before each cycle."""

    def __init__(self, workshop: Any, directory: Path) -> None:
        self.workshop = workshop
        self.directory = directory
        self.card: VirtualCard = workshop.blank(1)
        self._files: dict[str, bytes] = {}
        self._image = self.card.image

    @property
    def _database_file(self) -> Path:
        return Path(self.workshop.database.url.database)

    def save(self) -> None:
        """From here every cycle begins."""
        self.workshop.database.forget_old_versions()
        self.workshop.database.close()
        self._files = {
            path.name: path.read_bytes()
            for path in (self._database_file, self.directory / "left.sqlite")
            if path.exists()
        }
        self._image = self.card.image

    def restore(self) -> None:
        self.workshop.database.close()
        for path in (self._database_file, self.directory / "left.sqlite"):
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            if path.name in self._files:
                path.write_bytes(self._files[path.name])
        self.card = VirtualCard(self._image, random=random.Random(3).randbytes)

    def visit(self, kill: Kill | None = None) -> int:
        """One visit by a new process; how many commands the card saw. The process is killed as told."""
        self.workshop.database.close()
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            ours.close()
            self._be_the_station(theirs)
        theirs.close()
        try:
            commands = self._be_the_card(ours, child, kill)
        finally:
            ours.close()
            self.card.power_off()
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        assert ended in ((0, _KILLED) if kill else (0,)), f"the station ended with {ended}"
        return commands

    def _be_the_card(self, wire: socket.socket, child: int, kill: Kill | None) -> int:
        commands = 0
        while (message := receive(wire)) is not None:
            if message[:1] == b"R":
                send(wire, self.card.reset() if self.card.is_powered else self.card.power_on())
                continue
            commands += 1
            strikes = kill is not None and kill.at == commands
            if strikes and kill is not None and kill.moment is Moment.BEFORE:
                os.kill(child, signal.SIGKILL)
                break
            answer = self.card.process(message[1:])
            if strikes and kill is not None and kill.moment is Moment.DURING:
                os.kill(child, signal.SIGKILL)
                break
            send(wire, answer or b"")
            if strikes and kill is not None:
                time.sleep(kill.delay)
                os.kill(child, signal.SIGKILL)
                break
        return commands

    def _be_the_station(self, wire: socket.socket) -> None:
        status = _FAILED
        try:
            # Nothing that the parent had open is used here.
            self.workshop.database = Database(str(self.workshop.database.url))
            with contextlib.ExitStack() as stack:
                station = Stations(self.workshop, self.directory, stack).here()
                outcome = Visit(
                    self.workshop.bench(StationTask.RUN, station.ledger), PipeConnection(wire)
                ).run()
                station.ledger.hand_in()
                if outcome.result is VisitResult.DONE or outcome.code in (
                    "card.already-issued",
                    "chip.not-bound",
                ):
                    status = 0
        finally:
            os._exit(status)

    def rows(self, table: Any) -> list[Any]:
        with self.workshop.database.reading() as session:
            return list(session.scalars(sa.select(table)))

    def require_initialised(self) -> None:
        [chip] = self.rows(ChipRow)
        assert self.card.image.state is LifeCycle.INITIALISED
        assert chip.state == "initialised"
        self.require_agreement()

    def require_issued(self) -> None:
        [card] = self.rows(CardRow)
        assert self.card.image.state is LifeCycle.OPERATIONAL
        assert card.state == "issued"
        job = self.workshop.station.load_job(card.reference)
        for file in self.workshop.profile.application_files:
            assert self.card.image.files[file.path].data == job.contents[file.name]
        assert self.card.image.secrets.can == job.secrets.can
        kinds = [event.kind for event in self.rows(CardEventRow)]
        assert (kinds.count("issued"), kinds.count("condemned")) == (1, 0)
        self.require_agreement()

    def require_agreement(self) -> None:
        """The centre has the whole journal, nothing rejected, every event once; and the trail has no gap."""
        with contextlib.ExitStack() as stack:
            station = Stations(self.workshop, self.directory, stack).here()
            events = station.journal.events()
            assert station.journal.rejections() == ()
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            [known] = self.rows(StationRow)
            assert (known.sequence, known.chain) == (
                station.journal.head.sequence,
                station.journal.head.chain,
            )
        ours = [row.kind for row in self.rows(CardEventRow) if row.station and row.account]
        assert ours == [event.kind.value for event in events]
        assert not [row for row in self.rows(StationClaimRow) if row.released_at is None]
        with self.workshop.database.reading() as session:
            records = list(SqlAuditTrail(session).records())
        assert [each.sequence for each in records] == list(range(1, len(records) + 1))
        taken = [each.record().details for each in records if each.action == "station.events-taken"]
        assert sum(each["last"] - each["first"] + 1 for each in taken) == len(events)  # type: ignore[operator]  # both are numbers
