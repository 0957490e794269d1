"""Bundles over a network: deltas, downloads that go on, and servers that lie."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pki.signed.trust_bundle import TrustBundle
from simulators.authority import TestAuthority
from tests.unit.verifier.bundle_office import BundleOffice, layout_files
from tests.unit.verifier.centre_stage import trust_from
from verifier.errors import TrustError, UsageError, VerifierError
from verifier.network.bounded_http import HttpClient, ServerAddress
from verifier.network.bundle_fetching import Fetched, fetch_bundle
from verifier.trust.bundle_index import BundleIndex
from verifier.trust.installed import installed
from verifier.trust.publishing import publish_bundle

Make = Callable[[int], TrustBundle]


@dataclass
class Server:
    """Serves a directory as any web server would, or as it is told."""

    directory: Path
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    breaks_after: int | None = None
    """The connection is cut after so many bytes of a body, once."""
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    knows_ranges: bool = True
    port: int = 0

    def client(self, *, silence: float = 5, total: float = 20) -> HttpClient:
        address = ServerAddress.from_text(f"http://127.0.0.1:{self.port}", needs_tls=True)
        return HttpClient(address, silence_seconds=silence, total_seconds=total)

    def loaded(self, suffix: str) -> list[dict[str, str]]:
        return [headers for path, headers in self.requests if path.endswith(suffix)]


def _answer(server: Server, request: BaseHTTPRequestHandler) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    server.requests.append((request.path, headers))
    special = server.answers.get(request.path)
    if special is not None:
        special(request)
        return
    path = server.directory / request.path.lstrip("/")
    if not path.is_file():
        request.send_error(404)
        return
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    begin = 0
    if server.knows_ranges and "range" in headers and headers.get("if-range", tag) == tag:
        begin = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    else:
        request.send_response(200)
    request.send_header("ETag", tag)
    request.send_header("Content-Length", str(len(content) - begin))
    request.end_headers()
    body = content[begin:]
    if server.breaks_after is not None and not request.path.endswith(".json"):
        body, server.breaks_after = body[: server.breaks_after], None
    request.wfile.write(body)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path / "public")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(found, self)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture(scope="module")
def office(test_pki: TestAuthority) -> BundleOffice:
    return BundleOffice(test_pki)


@pytest.fixture
def make(office: BundleOffice, test_pki: TestAuthority, now: datetime) -> Make:
    files = layout_files(test_pki, now=now)

    @cache
    def make(number: int) -> TrustBundle:
        # Every signature is another one: the same number is the same bundle.
        return TrustBundle.from_bytes(
            office.bundle(files, at=now + timedelta(seconds=number), number=number)
        )

    return make


@pytest.fixture
def trust(tmp_path: Path, make: Make) -> Path:
    trust_from(make(1), tmp_path / "trust")
    return tmp_path / "trust"


def publish(server: Server, tmp_path: Path, *bundles: TrustBundle) -> BundleIndex:
    found = None
    for bundle in bundles:
        (tmp_path / "signed.bundle").write_bytes(bundle.der)
        found = publish_bundle(tmp_path / "signed.bundle", server.directory)
    assert found is not None
    return found


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(VerifierError) as caught:
        action()
    return caught.value.code


def number_in(trust: Path) -> int:
    found = installed(trust)
    assert found is not None
    return found.number


def test_a_delta_is_fetched_where_there_is_one_for_us(
    server: Server, tmp_path: Path, trust: Path, make: Make
) -> None:
    publish(server, tmp_path, make(1), make(2))
    fetched = fetch_bundle(server.client(), trust)
    assert isinstance(fetched, Fetched)
    assert (fetched.number, fetched.was_delta) == (2, True)
    assert fetched.loaded < len(make(2).der)
    assert number_in(trust) == 2
    assert server.loaded(".bundle") == []
    # The next one finds nothing newer, and loads nothing.
    again = fetch_bundle(server.client(), trust)
    assert (again.report, again.loaded) == (None, 0)


def test_the_whole_bundle_is_fetched_where_no_delta_continues_ours(
    server: Server, tmp_path: Path, trust: Path, make: Make
) -> None:
    publish(server, tmp_path, make(5), make(6))
    fetched = fetch_bundle(server.client(), trust)
    assert (fetched.number, fetched.was_delta) == (6, False)


def test_a_delta_that_is_broken_or_gone_leads_to_the_whole_bundle(
    server: Server, tmp_path: Path, trust: Path, make: Make
) -> None:
    index = publish(server, tmp_path, make(1), make(2))
    (delta,) = index.deltas.values()
    (server.directory / delta.name).write_bytes(bytes(delta.size))
    fetched = fetch_bundle(server.client(), trust)
    assert (fetched.number, fetched.was_delta) == (2, False)
    publish(server, tmp_path, make(3))
    for path in server.directory.glob("*.delta"):
        path.unlink()
    assert fetch_bundle(server.client(), trust).was_delta is False
    assert number_in(trust) == 3


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_download_that_broke_off_goes_on(
    server: Server, tmp_path: Path, trust: Path, make: Make, *, knows_ranges: bool
) -> None:
    publish(server, tmp_path, make(6))
    size = len(make(6).der)
    server.breaks_after = 700
    assert code_of(lambda: fetch_bundle(server.client(), trust)) == "network.failed"
    assert number_in(trust) == 1
    server.knows_ranges = knows_ranges
    fetched = fetch_bundle(server.client(), trust)
    assert number_in(trust) == 6
    first, second = server.loaded(".bundle")
    assert "range" not in first
    assert second["range"] == "bytes=700-"
    assert fetched.loaded == (size - 700 if knows_ranges else size)


def test_what_was_left_and_is_wrong_is_thrown_away_and_fetched_anew(
    server: Server, tmp_path: Path, trust: Path, make: Make
) -> None:
    index = publish(server, tmp_path, make(6))
    folder = trust / "bundles" / ".fetch"
    folder.mkdir(parents=True)
    (folder / index.bundle.sha256).write_bytes(b"x" * 100)
    (folder / ("0" * 64)).write_bytes(b"of a bundle that nobody wants any more")
    assert fetch_bundle(server.client(), trust).number == 6
    assert [headers.get("range") for headers in server.loaded(".bundle")] == ["bytes=100-", None]
    assert not folder.exists()


def test_a_bundle_that_is_not_vouched_for_is_fetched_and_not_installed(
    server: Server, tmp_path: Path, trust: Path, now: datetime
) -> None:
    stranger = TestAuthority.create(now=now - timedelta(days=1), name="TEST CSCA of a stranger")
    bundle = BundleOffice(stranger).bundle(layout_files(stranger, now=now), at=now, number=9)
    publish(server, tmp_path, TrustBundle.from_bytes(bundle))
    code = code_of(lambda: fetch_bundle(server.client(), trust))
    assert code in {
        "trust-bundle.untrusted",
        "bundle.approval-missing",
        "bundle.approvers-malformed",
    }
    assert number_in(trust) == 1


def _says(
    body: bytes, *, status: int = 200, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def _index(**changes: object) -> bytes:
    entry = {"name": "6-a.bundle", "size": 10, "sha256": "0" * 64}
    return json.dumps({"format": 1, "number": 6, "bundle": entry, "deltas": {}, **changes}).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bundle.index-malformed"),
        (b"[" * 60000, "bundle.index-malformed"),
        (b"{}", "bundle.index-malformed"),
        (_index(number="6"), "bundle.index-malformed"),
        (_index(number=True), "bundle.index-malformed"),
        (
            _index(bundle={"name": "../x.bundle", "size": 1, "sha256": "0" * 64}),
            "bundle.index-malformed",
        ),
        (
            _index(bundle={"name": "a.bundle", "size": 2**40, "sha256": "0" * 64}),
            "bundle.index-malformed",
        ),
        (_index(deltas={"x": {}}), "bundle.index-malformed"),
        (_index(deltas=[]), "bundle.index-malformed"),
        (b"x" * 70000, "network.too-long"),
        (_index(), "network.answer"),
    ],
)
def test_an_index_that_is_none_changes_nothing(
    server: Server, trust: Path, body: bytes, code: str
) -> None:
    server.answers["/index.json"] = _says(body)
    assert code_of(lambda: fetch_bundle(server.client(), trust)) == code
    assert number_in(trust) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_says(b"", status=302, Location="http://127.0.0.1:1/"), "network.answer"),
        (_says(b"", status=500), "network.answer"),
        (_says(b"1234567890", Content_Encoding="gzip"), "network.answer"),
        (_says(b"12345678901"), "network.too-long"),
        (_says(b"1234567890"), "bundle.fetched-wrong"),
        (_says(b"12345", Content_Length="10"), "network.failed"),
        (_says(b"x", status=206, Content_Range="bytes 5-5/10"), "network.answer"),
        (_says(b"", status=416), "bundle.fetched-wrong"),
    ],
)
def test_a_server_that_lies_about_a_file_changes_nothing(
    server: Server, trust: Path, answer: Callable[[BaseHTTPRequestHandler], None], code: str
) -> None:
    server.answers |= {"/index.json": _says(_index()), "/6-a.bundle": answer}
    assert code_of(lambda: fetch_bundle(server.client(), trust)) == code
    assert number_in(trust) == 1


def test_a_server_that_is_silent_or_endless_is_left(server: Server, trust: Path) -> None:
    waiting = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while not waiting.wait(0.02):
                request.wfile.write(b" ")
                request.wfile.flush()
        except OSError:
            return

    server.answers["/index.json"] = lambda _request: waiting.wait(20) and None
    assert code_of(lambda: fetch_bundle(server.client(silence=0.1), trust)) == "network.too-slow"
    server.answers["/index.json"] = trickle
    assert code_of(lambda: fetch_bundle(server.client(total=0.3), trust)) == "network.too-slow"
    waiting.set()


def test_nobody_there_is_a_network_error(trust: Path) -> None:
    client = HttpClient(ServerAddress.from_text("http://127.0.0.1:1", needs_tls=True))
    assert code_of(lambda: fetch_bundle(client, trust)) == "network.failed"


@pytest.mark.parametrize(
    "text",
    [
        "centre.example",
        "ftp://centre.example",
        "https://user:secret@centre.example",
        "https://centre.example/?a=1",
        "https://centre.example/#a",
        "https://centre.example:99999",
        "https://" + "a" * 3000,
        "https://cen tre.example",
        "http://centre.example",
    ],
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerAddress.from_text(text, needs_tls=True)
    assert caught.value.code == "network.address"


def test_a_bundle_is_published_once_and_old_ones_go(
    server: Server, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.trust.publishing._KEPT", 2)
    index = publish(server, tmp_path, *map(make, (1, 2, 3, 4)))
    assert index.number == 4
    names = sorted(path.name.partition("-")[0] for path in server.directory.glob("*.bundle"))
    assert names == ["2", "3", "4"]
    assert len(index.deltas) == 2
    assert BundleIndex.from_bytes(index.to_bytes()) == index
    with pytest.raises(TrustError) as caught:
        publish(server, tmp_path, make(4))
    assert caught.value.code == "bundle.not-newer"
