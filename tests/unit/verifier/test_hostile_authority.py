"""Whoever answers in the place of the authority can keep a terminal from renewing, and nothing else."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.request import AuthenticatedRequest, CertificateRequest
from tests.unit.verifier.terminal_hierarchy import Hierarchy, reference
from verifier.errors import VerifierError
from verifier.network.bounded_http import Answer
from verifier.network.terminal_renewal import RenewalRefusedError, _authorities, _certified


@dataclass
class FakeServer:
    """Stands for the client of a server that answers whatever the test says."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, _method: str, path: str, *, max_bytes: int, **_more: object) -> Answer:
        self.asked.append(path)
        status, body = self.answers.get(path, (404, b"{}"))
        assert max_bytes >= 4096
        return Answer(status=status, headers={}, body=body)


LIST = "/v1/terminal-authorities"


def listing(*digests: str) -> bytes:
    return json.dumps({"authorities": [{"digest": item} for item in digests]}).encode()


def test_certificates_are_fetched_by_their_digests_and_known_ones_are_not() -> None:
    hierarchy = Hierarchy()
    root, office = hierarchy.root(), hierarchy.office()
    digests = [sha256(item.to_bytes()).hexdigest() for item in (office, root)]
    server = FakeServer({LIST: (200, listing(*digests)), f"/v1/files/{digests[0]}": (200, office.to_bytes())})  # fmt: skip
    assert _authorities(server, [root]) == [office, root]  # type: ignore[arg-type]
    assert server.asked == [LIST, f"/v1/files/{digests[0]}"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"[]"),
        (200, b'{"authorities": [1]}'),
        (200, b'{"authorities": [{"digest": "../../v1/x"}]}'),
        (200, listing(*["00" * 32] * 61)),
        (500, listing()),
        (200, listing("00" * 32)),
        (200, b"[" * 60000),
    ],
)
def test_a_list_that_is_none_is_refused(status: int, body: bytes) -> None:
    server = FakeServer({LIST: (status, body), f"/v1/files/{'00' * 32}": (200, b"another file")})
    with pytest.raises(VerifierError) as caught:
        _authorities(server, [])  # type: ignore[arg-type]
    assert caught.value.code == "network.answer"


@pytest.fixture
def request_file(tmp_path: Path) -> tuple[Hierarchy, Path]:
    hierarchy = Hierarchy()
    made = AuthenticatedRequest.make(
        CertificateRequest.make(
            hierarchy.signer(reference("GATE1", 2)),
            holder_reference=reference("GATE1", 2),
            authority_reference=reference("OFFICES"),
        ),
        signer=hierarchy.signer(reference("GATE1")),
        reference=reference("GATE1"),
    )
    path = tmp_path / "renewal.cvreq"
    path.write_bytes(made.to_bytes())
    return hierarchy, path


def test_another_key_or_holder_than_was_asked_for_is_refused(
    request_file: tuple[Hierarchy, Path],
) -> None:
    hierarchy, path = request_file

    def answered(holder: str, number: int) -> object:
        certificate = hierarchy.certificate(
            reference(holder, number), reference("OFFICES"), Role.TERMINAL
        )
        server = FakeServer({"/v1/terminal-renewals": (201, certificate.to_bytes())})
        return _certified(server, path.read_bytes(), path)  # type: ignore[arg-type]

    assert answered("GATE1", 2)
    for holder, number in (("GATE1", 3), ("GATE2", 2)):
        with pytest.raises(VerifierError) as caught:
            answered(holder, number)
        assert caught.value.code == "network.answer"
    # The same name over another key.
    hierarchy.signers[reference("GATE1", 2)] = hierarchy.signer(reference("GATE9"))
    with pytest.raises(VerifierError) as caught:
        answered("GATE1", 2)
    assert caught.value.code == "network.answer"
    assert path.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "it was blocked", "code": "terminal.blocked"}', "it was blocked [terminal.blocked]"),
        (b'{"detail": "\\u001b[2Jx", "code": "a.b"}', "\ufffd[2Jx [a.b]"),
        (b"<html>", "it does not say why"),
        (b'{"detail": "' + b"x" * 5000 + b'", "code": "a.b"}', "x" * 300),
    ],
)  # fmt: skip
def test_a_refusal_is_told_within_bounds_and_the_request_is_forgotten(
    request_file: tuple[Hierarchy, Path], body: bytes, said: str
) -> None:
    _, path = request_file
    server = FakeServer({"/v1/terminal-renewals": (403, body)})
    with pytest.raises(RenewalRefusedError) as caught:
        _certified(server, path.read_bytes(), path)  # type: ignore[arg-type]
    assert str(caught.value) == f"the authority does not renew the terminal: {said}"
    assert not path.exists()


def test_a_server_that_is_out_of_order_keeps_the_request_for_later(
    request_file: tuple[Hierarchy, Path],
) -> None:
    _, path = request_file
    server = FakeServer({"/v1/terminal-renewals": (503, b"{}")})
    with pytest.raises(VerifierError) as caught:
        _certified(server, path.read_bytes(), path)  # type: ignore[arg-type]
    assert caught.value.code == "network.answer"
    assert path.exists()
