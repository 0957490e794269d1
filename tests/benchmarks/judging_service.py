"""Benchmark of the central service: judging snapshots through HTTP, from enrolled terminals, by one process."""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from simulators.trust_directory import TEST_POLICY
from tests.benchmarks.inspecting import CardStream
from tests.benchmarks.measure import Announce, Record
from tests.unit.verifier.centre_stage import HOLDER, bundle_with_terminals, trust_from
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.bootstrap_centre import open_centre, upgrade_centre
from verifier.services.request_signing import sign_request

__all__ = ["measure_judging_service"]

_ADDRESS = "https://centre.example"
_PATH = "/v1/inspections"
_CARDS = 100
_ROUNDS = 9
_PROMISED = 200.0
_TICKS = os.sysconf("SC_CLK_TCK")

_Request = tuple[bytes, dict[str, str]]


def measure_judging_service(announce: Announce) -> Iterator[Record]:
    """verifier.http.judge: judgements a second of the service's own CPU time, against what is promised."""
    announce(f"verifier.http.judge: {_CARDS} snapshots, {_ROUNDS} rounds")
    stream = CardStream(cards=_CARDS)
    hierarchy = Hierarchy(day=stream.now.date())
    chain = (hierarchy.office(), hierarchy.terminal())
    credentials = hierarchy.credentials(hierarchy.root(), *chain)
    bodies = [stream.read(image)[0].to_json().encode() for image in stream.images]
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as name:
        folder = Path(name)
        bundle = bundle_with_terminals(
            stream.authority, hierarchy, now=stream.now, policy=TEST_POLICY
        )
        trust_from(bundle, folder / "trust")
        url = f"sqlite:///{folder / 'centre.sqlite'}"
        upgrade_centre(url)
        with open_centre(url) as centre:
            centre.register.enrol(HOLDER, organisation="01", now=stream.now)
        with _serving(folder, url) as (process, port):
            rates = []
            for _ in range(_ROUNDS):
                requests: list[_Request] = [
                    (
                        body,
                        sign_request(
                            credentials,
                            chain=chain,
                            method="POST",
                            target=f"{_ADDRESS}{_PATH}",
                            body=body,
                            now=datetime.now(UTC),
                        ),
                    )
                    for body in bodies
                ]
                before = _cpu_seconds(process)
                _send_all(port, requests)
                rates.append(len(requests) / max(1 / _TICKS, _cpu_seconds(process) - before))
    rate = statistics.median(rates)
    yield Record(
        name="verifier.http.judge",
        value=rate,
        unit="judgements/s",
        baseline=_PROMISED,
        ratio=rate / _PROMISED,
        better="higher",
        goal=1.0,
    )


def _send_all(port: int, requests: list[_Request]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        for body, headers in requests:
            connection.request(
                "POST", _PATH, body=body, headers={**headers, "content-type": "application/json"}
            )
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or b'"accepted"' not in content:
                raise AssertionError(content[:300])
    finally:
        connection.close()


@contextmanager
def _serving(folder: Path, url: str) -> Iterator[tuple[int, int]]:
    (folder / "public").mkdir()
    words = [
        str(Path(sys.executable).with_name("membercard-verifier")), "serve", "--database", url,
        "--trust", str(folder / "trust"), "--files", str(folder / "public"),
        "--keys", str(folder / "keys"), "--address", _ADDRESS, "--listen", "127.0.0.1:0",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None:
            raise AssertionError("the service says nothing")
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate()


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
