"""A station reaches the centre through a real nginx: docs/console.md's own lines, real TLS, and a wire that somebody cuts."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from issuer.api.app import bounded
from issuer.api.listeners import unix_listener
from issuer.db.production_tables import CardEventRow, CardRow
from issuer.db.station_tables import StationDayRow, StationRow
from issuer.domain.chip import Serial
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.services.visit_chip import VisitResult
from issuer.stations.https_transport import https_transport
from simulators.faults import Fault, FaultKind
from tests.integration.production.conftest import (  # the workshop of production, over the console's API
    make_workshop,
    template_database,
    workshop,
)
from tests.integration.production.station_stage import (
    Stations,
    StationUnderTest,
    prepared,
    rows,
)

__all__ = ["make_workshop", "template_database", "workshop"]

ROOT = Path(__file__).parents[3]
NAME = "localhost"
ANY_CHIP = Serial((9).to_bytes(10, "big"))


@dataclass(kw_only=True)
class Authority:
    """Somebody who certifies servers."""

    directory: Path
    name: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.certificate = self._sign(
            self.name, self.key, x509.BasicConstraints(ca=True, path_length=0), days=1
        )
        self.file = self.directory / f"{self.name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def certify(self, *, host: str, days: int = 1) -> tuple[Path, Path]:
        """A server's certificate and key; ``days`` ago where it has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = self._sign(host, key, names, days=days)
        stem = self.directory / f"{self.name}-{host}-{days}"
        stem.with_suffix(".pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        stem.with_suffix(".key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return stem.with_suffix(".pem"), stem.with_suffix(".key")

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        *,
        days: int,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self.key, hashes.SHA256())
        )


class Wire:
    """What lies between a station and the proxy: it carries so many bytes each way, then it breaks."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.most: tuple[float, float] = _NO_BOUND
        self.carried = [0, 0]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                station, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._connect, args=(station,))
            self._threads.append(thread)
            thread.start()

    def _connect(self, station: socket.socket) -> None:
        self.carried = [0, 0]
        with station, socket.create_connection(("127.0.0.1", self._to)) as proxy:
            back = threading.Thread(target=self._carry, args=(1, proxy, station))
            back.start()
            self._carry(0, station, proxy)
            back.join(20)

    def _carry(self, way: int, source: socket.socket, target: socket.socket) -> None:
        most = self.most[way]
        with contextlib.suppress(OSError):
            while part := source.recv(4096):
                room = most - self.carried[way]
                target.sendall(part[: int(room)] if len(part) > room else part)
                self.carried[way] += len(part)
                if len(part) > room:
                    break
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


_NO_BOUND = (float("inf"), float("inf"))


class Server(uvicorn.Server):
    """The API in a thread of the test: signals are the test's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(kw_only=True)
class Centre:
    """The API behind nginx, which has a server for each kind of certificate, and an authority that stations trust."""

    authority: Authority
    ports: dict[str, int]
    stop_api: Callable[[], None]

    def url(self, kind: str = "good", *, host: str = NAME) -> str:
        return f"https://{host}:{self.ports[kind]}"


def documented(certificate: Path, key: Path, port: int, api: Path) -> str:
    """The lines of docs/console.md; only the places are this test's."""
    document = (ROOT / "docs/console.md").read_text(encoding="utf-8")
    found = re.search(r"(?m)^    server \{\n(?:        .*\n)+    \}\n", document)
    assert found is not None
    block = found[0]
    for written, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("office.example", NAME),
        ("/etc/membercard/console.pem", str(certificate)),
        ("/etc/membercard/console.key", str(key)),
        ("/run/membercard/issuer", str(api)),
    ):
        assert written in block
        block = block.replace(written, here)
    return block


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(app: Any, path: Path) -> Iterator[Callable[[], None]]:
    """The API on a Unix socket; what is given back ends it."""
    with unix_listener(path) as listener:
        server = Server(uvicorn.Config(app, http="h11", lifespan="off", log_config=None))
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)

        try:
            yield stop
        finally:
            stop()


@contextlib.contextmanager
def nginx(directory: Path, servers: str) -> Iterator[None]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        assert os.environ.get("CI") != "true", "nginx is missing in CI"
        pytest.skip("nginx is not installed")
    folders = "".join(
        f"{name}_temp_path {directory}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"{user}worker_processes 1;\npid {directory}/nginx.pid;\nerror_log {directory}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{servers}}}\n"
    )
    # It goes into the background once it listens.
    words = [program, "-e", str(directory / "error.log"), "-c", str(configuration)]
    subprocess.run(words, check=True, timeout=60)
    try:
        yield
    finally:
        os.kill(int((directory / "nginx.pid").read_text()), signal.SIGTERM)


@pytest.fixture
def stations(workshop: Any, tmp_path: Path) -> Iterator[Stations]:
    with contextlib.ExitStack() as stack:
        yield Stations(workshop, tmp_path, stack)


@pytest.fixture
def centre(office: Any, stations: Stations, tmp_path: Path) -> Iterator[Centre]:
    app = bounded(office.with_services(stations=stations.desk).app)
    authority = Authority(directory=tmp_path, name="authority")
    other = Authority(directory=tmp_path, name="somebody-else")
    certificates = {
        "good": authority.certify(host=NAME),
        "expired": authority.certify(host=NAME, days=-1),
        "wrong-host": authority.certify(host="office.example"),
        "other-root": other.certify(host=NAME),
    }
    ports = {kind: free_port() for kind in certificates}
    # The path of a Unix socket is short, and that of a test's folder need not be.
    with tempfile.TemporaryDirectory(prefix="membercard-") as run:
        api = Path(run) / "issuer"
        servers = "".join(
            documented(*files, ports[kind], api) for kind, files in certificates.items()
        )
        with serving(app, api) as stop_api, nginx(tmp_path, servers):
            yield Centre(authority=authority, ports=ports, stop_api=stop_api)


def over_tls(stations: Stations, url: str, authorities: Path, name: str = "far") -> Any:
    transport = https_transport(url, authorities=authorities)
    return stations.over_the_network(name, stations.enrol(name), transport)


def require_once_each(workshop: Any, station: StationUnderTest) -> None:
    """The centre has the journal to its end, every event once, and what it says of the chain is the same."""
    [known] = rows(workshop, StationRow)
    head = station.journal.head
    assert (known.sequence, known.chain, station.journal.handed_in) == (
        head.sequence,
        head.chain,
        head.sequence,
    )
    told = [event.kind.value for event in station.journal.events()]
    kept = [row.kind for row in rows(workshop, CardEventRow) if row.station and row.account]
    assert kept == told
    assert station.journal.rejections() == ()


def test_a_station_makes_cards_through_the_documented_proxy(
    workshop: Any, stations: Stations, centre: Centre
) -> None:
    station = over_tls(stations, centre.url(), centre.authority.file)
    [card] = prepared(workshop, station)
    assert station.visit(card).result is VisitResult.DONE
    record = station.close_day()
    assert (record.issued, len(record.destroyed)) == (1, 1)
    require_once_each(workshop, station)
    assert {row.state for row in rows(workshop, CardRow)} == {"issued"}


@pytest.mark.parametrize("kind", ["expired", "wrong-host", "other-root"])
def test_a_server_that_is_not_the_centre_gets_no_message(
    stations: Stations, centre: Centre, kind: str
) -> None:
    station = over_tls(stations, centre.url(kind), centre.authority.file)
    with pytest.raises(IssuerUnavailableError) as refused:
        station.claim(ANY_CHIP)
    assert refused.value.code == "station.server-not-trusted"


def test_an_address_that_the_certificate_does_not_name_is_not_trusted(
    stations: Stations, centre: Centre
) -> None:
    station = over_tls(stations, centre.url(host="127.0.0.1"), centre.authority.file)
    with pytest.raises(IssuerUnavailableError) as refused:
        station.claim(ANY_CHIP)
    assert refused.value.code == "station.server-not-trusted"


def test_a_server_of_no_authority_of_the_system_is_not_trusted(
    stations: Stations, centre: Centre
) -> None:
    party = stations.enrol("far")
    transport = https_transport(centre.url(), authorities=None)
    station = stations.over_the_network("far", party, transport)
    with pytest.raises(IssuerUnavailableError) as refused:
        station.claim(ANY_CHIP)
    assert refused.value.code == "station.server-not-trusted"


def test_whoever_is_no_station_gets_nothing_through_the_proxy(
    stations: Stations, centre: Centre
) -> None:
    stations.enrol("far")
    # Certified by the same root, under the same name, with a key of its own: the message is the credential.
    impostor = stations.office.party("far", sealed_as="station")
    transport = https_transport(centre.url(), authorities=centre.authority.file)
    station = stations.over_the_network("far", impostor, transport)
    with pytest.raises(IssuerUnavailableError, match=r"status 409 and code station\.unknown"):
        station.claim(ANY_CHIP)


def test_a_proxy_without_its_api_stops_no_card_that_is_begun(
    workshop: Any, stations: Stations, centre: Centre
) -> None:
    station = over_tls(stations, centre.url(), centre.authority.file)
    first, second = prepared(workshop, station, 2)
    torn = station.visit(first, Fault(kind=FaultKind.TEAR_DURING, at=12))
    assert torn.result is VisitResult.INTERRUPTED
    centre.stop_api()
    with pytest.raises(IssuerUnavailableError, match="status 502 and code none"):
        station.claim(ANY_CHIP)
    assert station.visit(first).result is VisitResult.DONE
    refused = station.visit(second)
    assert (refused.result, refused.code) == (VisitResult.REFUSED, "station.link-lost")
    assert not station.ledger.hand_in()
    waiting = station.journal.head.sequence - station.journal.handed_in
    assert waiting == len(station.journal.pending(limit=100)[0]) > 0
    with pytest.raises(IssuerRefusedError) as open_day:
        station.close_day()
    assert open_day.value.code == "station.link-lost"


@pytest.mark.parametrize(
    ("up", "down"),
    [
        (1.0, 0.95),
        *(
            pytest.param(*shares, marks=pytest.mark.slow)
            for shares in ((0.0, 1.0), (0.5, 1.0), (0.95, 1.0), (1.0, 0.0), (1.0, 0.6))
        ),
    ],
)
def test_a_wire_that_breaks_in_the_middle_of_a_hand_in_loses_and_doubles_nothing(
    workshop: Any, stations: Stations, centre: Centre, up: float, down: float
) -> None:
    wire = Wire(centre.ports["good"])
    try:
        url = f"https://{NAME}:{wire.port}"
        station = over_tls(stations, url, centre.authority.file)
        first, second = prepared(workshop, station, 2)
        # The first card's hand-in shows how many bytes go each way; the second one's breaks.
        assert station.visit(first).result is VisitResult.DONE
        assert station.ledger.hand_in()
        whole = tuple(wire.carried)
        assert station.visit(second).result is VisitResult.DONE
        wire.most = tuple(
            float("inf") if share == 1.0 else share * size
            for share, size in zip((up, down), whole, strict=True)
        )
        assert not station.ledger.hand_in()
        [known] = rows(workshop, StationRow)
        # Where the answer alone was lost, the centre knows what the station believes it does not.
        assert (known.sequence > station.journal.handed_in) == (down in (0.6, 0.95))
        wire.most = _NO_BOUND
        assert station.ledger.hand_in()
        require_once_each(workshop, station)
        assert {row.state for row in rows(workshop, CardRow)} == {"issued"}
        # The record of the day breaks in the same way, and is told again.
        wire.most = (float("inf"), 0.9 * whole[1])
        with pytest.raises((IssuerRefusedError, IssuerUnavailableError)):
            station.close_day()
        wire.most = _NO_BOUND
        record = station.close_day()
        assert (record.issued, len(record.destroyed)) == (2, 2)
        [day] = rows(workshop, StationDayRow)
        assert (day.station, day.issued) == ("far", 2)
    finally:
        wire.close()
