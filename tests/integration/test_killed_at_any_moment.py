"""Any process of the issuer is killed at any moment: what it acknowledged is there, the trail has no gap, it works again.

Each cycle lets one process work, kills it with SIGKILL at a drawn moment, and looks at the home as its next process
finds it. Ready again means that a new process answers, after ten seconds of its own processor time at most: a clock on
the wall would say how many others want the processors (docs/scale.md).
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import httpx
import pytest

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.db.operations import SqlOperationLedger
from issuer.domain.audit_chain import ChainHead, first_head
from issuer.domain.card_number import CardNumber
from issuer.domain.member import Member, MemberId, MemberName, MemberStatement, PortraitDigest, Sex
from issuer.domain.member_list import MemberColumn
from issuer.domain.organisation import Organisation, OrganisationCode
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.identity.session_file import default_session_file, read_session
from issuer.services.audit_office import check_trail
from issuer.services.operation_ports import Operation, OperationId, OperationKind, OperationState
from issuer.settings import remember
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.integration.everybody import EVERYBODY, log_in_everybody

_QUICK = (
    "import issuer.services.operations as o, datetime; o.SILENCE = datetime.timedelta(seconds=1); "
)
"""A worker that is dead is noticed at once: waiting for it is no part of what is tested here."""
_COMMAND = f"{_QUICK}import sys; from issuer.cli import main; sys.exit(main(sys.argv[1:]))"
_ACTS = """
import sys
from issuer.cli import main
home, version = sys.argv[1], int(sys.argv[2])
while True:
    words = ["members", "change", "000001AB", "--version", str(version), "--set", f"phone=0912{version:06}", "--reason", "x"]
    if main(["--home", home, *words, "--format", "json"]):
        raise SystemExit("refused")
    version += 1
    sys.stderr.write(f"{version}\\n")
    sys.stderr.flush()
"""


READY_SECONDS = 10.0
"""In which a process is ready again."""


def require_ready_again(process: subprocess.Popen[str]) -> None:
    """A process that has said that it is ready took no longer than it may."""
    fields = (
        Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    )
    # Its own time and that of children it has waited for, in user and in kernel mode (proc_pid_stat(5), 14 to 17).
    ticks = sum(int(each) for each in fields[11:15])
    assert ticks / os.sysconf("SC_CLK_TCK") <= READY_SECONDS


class Home:
    """A home with one member, and what its audit trail was when it was last looked at."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self._anchor: ChainHead | None = None

    def begin(self, code: str, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: object) -> subprocess.Popen[str]:
        return self.begin(_COMMAND, "--home", self.path, *words)

    def check(self) -> None:
        """Nobody has cut or forked the trail, and the database is whole."""
        with open_register_home(self.path) as opened, opened.register.reading() as transaction:
            head, records = transaction.audit.head(), list(transaction.audit.records())
        report = check_trail(head, records, [self._anchor or first_head(head.trail_id)])
        assert report.is_whole, report.findings
        assert [each.sequence for each in records] == list(range(1, len(records) + 1))
        self._anchor = head

    def log_in(self) -> None:
        log_in_everybody(self.path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_")]:
        monkeypatch.delenv(name)
    return made_home(tmp_path)


def made_home(folder: Path, *, url: str | None = None) -> Home:
    path = folder / "home"
    remember(path, {"import_chunk_rows": 2, "database_url": url})
    assert main(["--home", str(path), "database", "upgrade"]) == 0
    pin = folder / "pin"
    pin.touch(mode=0o600)
    pin.write_text(secrets.token_hex(16))
    log_in_everybody(path)
    keys = ("keys", "create", "--keystore", "file", "--pin-file", str(pin))
    assert main(["--home", str(path), *keys]) == 0
    with open_register_home(path) as opened, opened.register.writing() as transaction:
        transaction.organisations.add(
            [Organisation(code=OrganisationCode("P"), name="Tỉnh ủy Mẫu", committee_number="98")]
        )
        transaction.members.add([member()])
    return Home(path, folder)


def member() -> Member:
    return Member(
        member_id=MemberId(UUID(int=1)),
        statement=MemberStatement(
            earlier_card_number=CardNumber("96000001"),
            record_number=RecordNumber("000001AB"),
            citizen_number=CitizenNumber("001090000001"),
            name=MemberName(full="Trần An", primary="Trần An"),
            birth_date=date(1990, 2, 3),
            sex=Sex.FEMALE,
            place_of_birth="xã Mẫu",
            home_town="xã Mẫu",
            ethnic_group="Kinh",
            admission_date=date(2015, 2, 3),
            recognition_date=date(2016, 2, 3),
            organisation_code=OrganisationCode("P"),
        ),
        portrait=PortraitDigest(bytes(32)),
        portrait_source=PortraitDigest(bytes(32)),
        recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
    )


def kill(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGKILL)
    return process.communicate(timeout=60)


def acts_are_killed(home: Home, draw: Random, *, cycles: int) -> None:
    """Commands, one after another in one process, as an office types them."""
    version = 1
    for _ in range(cycles):
        home.log_in()
        process = home.begin(_ACTS, home.path, version)
        assert process.stderr is not None
        acknowledged = version
        for _ in range(draw.randint(1, 4)):
            acknowledged = int(process.stderr.readline())
        time.sleep(draw.random() * 0.3)
        _, rest = kill(process)
        acknowledged = max([acknowledged, *map(int, rest.split())])
        home.check()
        with open_register_home(home.path) as opened, opened.register.reading() as transaction:
            found = transaction.members.get(MemberId(UUID(int=1)))
            history = transaction.members.history(found.member_id, limit=500)
        # What was acknowledged, and at most the one act that was under way; whole, with its line of history.
        assert found.version in {acknowledged, acknowledged + 1}
        assert found.statement.phone == f"0912{found.version - 1:06}"
        assert [each.version for each in history.changes] == list(range(found.version, 1, -1))[:500]
        version = found.version


def imports_are_killed(home: Home, draw: Random, *, cycles: int) -> None:
    """Lists of members; the same command once more takes what is left."""
    portraits = home.folder / "photos"
    portraits.mkdir(exist_ok=True)
    drawn = draw_portrait(draw_appearance(Random(1), is_woman=True, age=36))
    (portraits / "portrait.jpg").write_bytes(encode_portrait(drawn))
    for cycle in range(cycles):
        home.log_in()
        path = home.folder / f"{cycle}.csv"
        numbers = range(100 + cycle * 20, 100 + cycle * 20 + 20)
        path.write_text(
            "\n".join([",".join(MemberColumn), *(person(number) for number in numbers)]), "utf-8"
        )
        words = ("members", "import", path, "--portraits", portraits, "--format", "json")
        process = home.command(*words)
        time.sleep(1.0 + draw.random() * 2.5)
        kill(process)
        home.check()
        with home.command(*words) as again:
            out, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
        told = json.loads(out)
        assert told["taken"] + told["already_present"] == len(numbers)
        with open_register_home(home.path) as opened, opened.register.reading() as transaction:
            for number in numbers:
                assert transaction.members.find_by_card_number(CardNumber(f"97{number:06}"))
        home.check()


def person(number: int) -> str:
    cells = {
        "earlier_card_number": f"97.{number:06}", "record_number": f"{number:06}AB", "citizen_number": f"001090{number:06}",
        "full_name": "Đỗ Thị Đào", "birth_date": f"{number % 28 + 1:02}/{number // 28 % 12 + 1:02}/{1950 + number // 336}",
        "sex": "nữ", "place_of_birth": "xã Mẫu", "home_town": "xã Mẫu", "ethnic_group": "Kinh",
        "admission_date": "2015-02-03", "recognition_date": "2016-02-03", "organisation_code": "P", "standing": "official",
        "portrait": "portrait.jpg",
    }  # fmt: skip
    return ",".join(cells.get(each, "") for each in MemberColumn)


class Served:
    """`serve` on a socket, and a client that asks for work until nobody answers any more."""

    def __init__(self, home: Home) -> None:
        # A socket's path is short.
        self.path = home.folder / "s"
        self.process = home.command("serve", "--socket", self.path)
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready: ")
        require_ready_again(self.process)
        token = read_session(default_session_file(home.path)).text
        self.client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.path)),
            base_url="http://office",
            headers={"authorization": f"Bearer {token}"},
            timeout=30,
        )
        self.acknowledged: dict[str, str] = {}

    def ask(self, key: str) -> str:
        answer = self.client.post("/v1/reports/count", headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ask_until_killed(self) -> None:
        try:
            while True:
                key = secrets.token_hex(16)
                self.acknowledged[key] = self.ask(key)
        except httpx.TransportError:
            return


def the_service_is_killed(home: Home, draw: Random, *, cycles: int) -> None:
    """Requests that begin work: what was answered with 202 is there, and the same key still means the same."""
    known: dict[str, str] = {}
    for _ in range(cycles + 1):
        home.log_in()
        served = Served(home)
        try:
            for key, operation in draw.sample(sorted(known.items()), min(5, len(known))):
                assert served.ask(key) == operation
            for operation in known.values():
                assert served.client.get(f"/v1/operations/{operation}").status_code == 200
            asking = threading.Thread(target=served.ask_until_killed)
            asking.start()
            time.sleep(draw.random() * 1.5)
        finally:
            kill(served.process)
        asking.join(60)
        served.client.close()
        known = served.acknowledged
        home.check()


def jobs_are_killed(home: Home, draw: Random, *, cycles: int) -> None:
    """A process that runs jobs: each operation ends, whoever died over it, or says that too many did."""
    asked: list[OperationId] = []
    for _ in range(cycles):
        asked += [add_operation(home) for _ in range(3)]
        process = home.command("jobs", "run")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready: jobs\n"
        require_ready_again(process)
        time.sleep(draw.random() * 0.5)
        kill(process)
        home.check()
    last = home.command("jobs", "run")
    try:
        wait_until(lambda: all(found(home, each).state in _ENDED for each in asked))
    finally:
        last.send_signal(signal.SIGTERM)
        last.communicate(timeout=60)
    for each in (found(home, operation_id) for operation_id in asked):
        # Whoever killed the processes three times over the same one has ended it, and is told so.
        assert each.state is OperationState.DONE or each.code == "operation.interrupted"
    home.check()


def add_operation(home: Home) -> OperationId:
    now = datetime.now(UTC)
    operation = Operation(
        operation_id=OperationId(uuid4()),
        kind=OperationKind.VERIFY_AUDIT,
        account=EVERYBODY,
        state=OperationState.WAITING,
        created_at=now,
        changed_at=now,
        inputs={},
    )
    with open_register_home(home.path) as opened:
        SqlOperationLedger(opened.database).add(operation)
    return operation.operation_id


_ENDED = {OperationState.DONE, OperationState.FAILED}


def found(home: Home, operation_id: OperationId) -> Operation:
    with open_register_home(home.path) as opened:
        return SqlOperationLedger(opened.database).get(operation_id)


def wait_until(is_so: Callable[[], bool]) -> None:
    # Nothing here says how fast it is: what is waited for either comes or was lost.
    end = time.monotonic() + 900
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.3)


KINDS: Sequence[Callable[..., None]] = (acts_are_killed, imports_are_killed, the_service_is_killed)


def test_a_killed_command_loses_nothing_acknowledged(home: Home) -> None:
    acts_are_killed(home, Random(1), cycles=1)


def test_a_killed_service_loses_nothing_acknowledged_and_is_ready_again(home: Home) -> None:
    the_service_is_killed(home, Random(2), cycles=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_many_kills_lose_nothing_acknowledged(home: Home, kind: Callable[..., None]) -> None:
    kind(home, Random(3), cycles=25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_kills_of_jobs_lose_no_operation(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("MEMBERCARD_ISSUER_")]:
        monkeypatch.delenv(name)
    jobs_are_killed(made_home(tmp_path, url=postgresql_url), Random(4), cycles=25)
