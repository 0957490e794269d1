"""The API as a process behind its socket: who is heard, eight clients at once, kills, and renewals by the signer."""

import base64
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pki.card_verifiable.certificate import CvCertificate
from pki.db.tables import DecisionRow, RequestRow
from pki.record.journal import read_journal

PROGRAM = str(Path(sys.executable).with_name("membercard-pki"))


class Program:
    """A command that serves; it says that it is ready."""

    def __init__(self, home: Path, *words: str) -> None:
        self.command = [PROGRAM, "--home", str(home), *words]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        return process.returncode, errors


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which is closed whatever happens."""

    def __init__(self, path: Path) -> None:
        super().__init__("api", timeout=60)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


class Person:
    """A client over the socket with one person's certificate."""

    def __init__(self, path: Path, certificate: bytes | None) -> None:
        self._path = path
        encoded = base64.b64encode(certificate or b"").decode()
        self._headers = {} if certificate is None else {"Client-Cert": f":{encoded}:"}

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        document: Any = None,
        content: bytes | None = None,
    ) -> Answer:
        given = self._headers | (headers or {})
        if document is not None:
            given["Content-Type"], content = "application/json", json.dumps(document).encode()
        with contextlib.closing(UnixConnection(self._path)) as connection:
            connection.request(method, path, body=content, headers=given)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status_code=response.status, headers=found, content=response.read())

    def ask(self, days: int, key: str) -> Answer:
        body = {"kind": "crl.issue", "content": {"days": days}}
        return self.send("POST", "/v1/requests", {"Idempotency-Key": key}, document=body)

    def approve(self, request_id: str, etag: str, key: str) -> Answer:
        path = f"/v1/requests/{request_id}/decisions"
        headers = {"Idempotency-Key": key, "If-Match": etag}
        return self.send("POST", path, headers, document={"decision": "approve"})


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="mc-") as directory:
        yield Path(directory)


@pytest.fixture
def programs(short_directory: Path, service_home: Any) -> Iterator[tuple[Program, Program]]:
    api = Program(
        service_home.home.directory, "api", "serve",
        "--socket", str(short_directory / "api"), "--signer-socket", str(short_directory / "s"),
    )  # fmt: skip
    signer = Program(
        service_home.home.directory, "signer", "serve", "--socket", str(short_directory / "s")
    )
    assert service_home.pki("database", "upgrade") == 0
    yield api, signer
    for program in (api, signer):
        if program.process is not None:
            program.end(signal.SIGKILL)


def test_eight_clients_at_once_meet_no_error(
    programs: tuple[Program, Program], service_home: Any, short_directory: Path
) -> None:
    api, _ = programs
    api.start()
    an = Person(short_directory / "api", service_home.certificate("an"))
    binh = Person(short_directory / "api", service_home.certificate("binh"))
    problems: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            asked = an.ask(1 + (number * 5 + turn) % 90, uuid.uuid4().hex)
            decided = binh.approve(asked.json()["id"], asked.headers["etag"], uuid.uuid4().hex)
            read = an.send("GET", "/v1/certificates")
            problems.extend(
                answer.text for answer in (asked, decided, read) if answer.status_code >= 400
            )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    listed = an.send("GET", "/v1/requests?state=approved&limit=200").json()["requests"]
    assert len(listed) == 40
    status, errors = api.end(signal.SIGTERM)
    assert (status, errors) == (0, "")
    assert not (short_directory / "api").exists()


def test_the_socket_is_for_owner_and_group(
    programs: tuple[Program, Program], short_directory: Path
) -> None:
    api, _ = programs
    api.start()
    assert (short_directory / "api").stat().st_mode & 0o777 == 0o660


def test_a_user_who_is_not_the_proxy_is_not_heard(short_directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pki.api.serving import serve_api\n"
        "from pki.signer_service.serving import open_listener\n"
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'http.response.start', 'status': 204, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b''})\n"
        "with open_listener(Path(sys.argv[1])) as listener:\n"
        "    serve_api(app, listener, allowed_uids=frozenset({int(sys.argv[2])}),\n"
        "              on_ready=lambda: print('ready', flush=True))\n"
    )
    for uid, is_heard in ((os.geteuid(), True), (os.geteuid() + 12345, False)):
        path = short_directory / f"s{uid}"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(uid)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        answer = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = Person(path, None).send("GET", "/")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert (answer is not None) is is_heard


def test_a_client_that_hangs_keeps_nobody_waiting(
    programs: tuple[Program, Program], short_directory: Path
) -> None:
    api, _ = programs
    api.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hanging:
        hanging.connect(str(short_directory / "api"))
        hanging.sendall(b"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        answer = Person(short_directory / "api", None).send("GET", "/v1/health")
        assert answer.json() == {"status": "alive"}
        hanging.settimeout(60)
        # The body never comes: after a while the service says so itself.
        assert b"api.body-timeout" in _read_all(hanging)


def _read_all(connection: socket.socket) -> bytes:
    content = b""
    while b"}" not in content and (part := connection.recv(4096)):
        content += part
    return content


@pytest.mark.parametrize(
    "cycles", [3, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_a_killed_service_has_everything_that_it_acknowledged(
    programs: tuple[Program, Program], service_home: Any, short_directory: Path, cycles: int
) -> None:
    api, _ = programs
    drawn = random.Random(7)
    path = short_directory / "api"
    an = Person(path, service_home.certificate("an"))
    binh = Person(path, service_home.certificate("binh"))
    acknowledged: dict[str, str] = {}
    for _ in range(cycles):
        api.start()
        stopped = threading.Event()

        def work(stopped: threading.Event = stopped) -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                while not stopped.is_set():
                    asked = an.ask(drawn.randint(1, 90), uuid.uuid4().hex)
                    assert asked.status_code == 201, asked.text
                    request_id = asked.json()["id"]
                    acknowledged[request_id] = "open"
                    decided = binh.approve(request_id, asked.headers["etag"], uuid.uuid4().hex)
                    assert decided.status_code == 200, decided.text
                    acknowledged[request_id] = "approved"

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        time.sleep(drawn.uniform(0.05, 0.6))
        api.end(signal.SIGKILL)
        stopped.set()
        for worker in workers:
            worker.join()
        with service_home.open() as service:
            for request_id, state in acknowledged.items():
                kept = service.desk.show(uuid.UUID(request_id))
                # An approval may be kept whose acknowledgement the kill took; never the other way round.
                assert state == "open" or kept.state.value == "approved"
                assert len(kept.approvers) <= 1
            # What is waiting must not run into the limit of open requests: it is taken in the meantime.
            _forget_open(service)
        acknowledged.clear()


def _forget_open(service: Any) -> None:
    with service.database.writing() as session:
        for table in (DecisionRow, RequestRow):
            session.execute(sa.delete(table))


def _first_certificate(service_home: Any) -> Path:
    """A terminal with a home of its own and its first certificate."""
    directory = service_home.directory
    gate = ("--home", str(directory / "gate"))
    pin = ("--pin-file", str(directory / "gate.pin"), "--keystore", "file")
    request = str(directory / "gate.cvreq")
    make = ("terminal", "request", "create", "--holder", "VNGATE1", "--out", request)
    assert service_home.pki(*gate, *make, *pin) == 0
    certificate = directory / "gate.cvcert"
    assert (
        service_home.pki("terminal", "issue", request, "--grant", "DG13", "--out", str(certificate))
        == 0
    )
    return certificate


def _next_request(service_home: Any, certificate: Path) -> bytes:
    out = service_home.directory / f"next-{uuid.uuid4().hex}.cvreq"
    gate = ("--home", str(service_home.directory / "gate"))
    make = ("terminal", "request", "create", "--earlier", str(certificate), "--out", str(out))
    assert service_home.pki(*gate, *make) == 0
    return out.read_bytes()


def _renew(path: Path, request: bytes) -> Answer:
    headers = {"Content-Type": "application/octet-stream"}
    return Person(path, None).send("POST", "/v1/terminal-renewals", headers, content=request)


def test_a_terminal_in_good_standing_renews_its_certificate_through_the_api(
    programs: tuple[Program, Program], service_home: Any, short_directory: Path
) -> None:
    api, signer = programs
    path = short_directory / "api"
    first = _first_certificate(service_home)
    request = _next_request(service_home, first)
    api.start()
    unreachable = _renew(path, request)
    assert (unreachable.status_code, unreachable.json()["code"]) == (503, "signer.unreachable")
    signer.start()
    answer = _renew(path, request)
    assert answer.status_code == 201, answer.text
    renewed = CvCertificate.from_bytes(answer.content).body
    assert renewed.holder_reference.text == "VNGATE100002"
    # A terminal that lost the answer asks again, and gets the same certificate: no second one is made.
    assert _renew(path, request).content == answer.content
    issued = [
        entry
        for entry in read_journal(service_home.home.journal)
        if entry.kind == "cv-certificate.issued"
    ]
    assert sum(bytes.fromhex(each.text("certificate")) == answer.content for each in issued) == 1
    # The key before does not vouch any more.
    superseded = _renew(path, _next_request(service_home, first))
    assert (superseded.status_code, superseded.json()["code"]) == (403, "terminal.superseded")
    second = service_home.directory / "second.cvcert"
    second.write_bytes(answer.content)
    third = _next_request(service_home, second)
    signer.end(signal.SIGTERM)
    assert service_home.pki("terminal", "block", "VNGATE1", "--reason", "stolen") == 0
    signer.start()
    for blocked in (third, request):
        refused = _renew(path, blocked)
        assert (refused.status_code, refused.json()["code"]) == (403, "terminal.blocked")


@pytest.mark.parametrize("content", [b"", b"\x00", b"garbage", b"\x7f\x21\x84\xff\xff\xff\xff"])
def test_a_request_that_is_garbage_is_refused_and_the_signer_lives_on(
    programs: tuple[Program, Program], short_directory: Path, content: bytes
) -> None:
    api, signer = programs
    api.start()
    signer.start()
    refused = _renew(short_directory / "api", content)
    assert refused.status_code in {422, 503}
    assert refused.headers["content-type"] == "application/problem+json"
    assert signer.process is not None
    assert signer.process.poll() is None
