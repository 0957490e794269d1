"""Renewing a terminal's certificate over the authority's HTTP API, by the word of its present key.

1. The certificates above terminals are fetched by their digests, and what came has them.
2. Where the certificate ends soon, the next key is made in the terminal's own keystore, and the request is on disk before it
   is sent: an answer that was lost is asked for again with the same key, and the authority gives the same certificate.
3. Certificate, chain and key are judged together, then written; a running terminal shows them to the next card.

A terminal that is not in good standing gets nothing, and what it has ends by itself.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from card_layout.errors import CardDataError
from pki.card_verifiable.authorisation import Role
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.request import AuthenticatedRequest, read_request
from pki.card_verifiable.structure import MAX_ENCODED_BYTES
from pki.durable import create_file
from pki.errors import PkiError
from pki.home import Home
from pki.keys.keystore import Keystore
from pki.keys.open import open_keystore
from pki.services.open_record import open_record
from pki.services.recorder import Recorder
from pki.services.terminal_export import export_terminal, read_certificates
from pki.services.terminal_requests import TerminalRequestService
from verifier.errors import TrustError, VerifierError
from verifier.network.bounded_http import HttpClient, NetworkError
from verifier.trust.credentials import CredentialsSource

__all__ = ["RenewalRefusedError", "Renewed", "renew_terminal"]

_MAX_LIST_BYTES: Final = 65536
_MAX_AUTHORITIES: Final = 60
_PENDING: Final = "renewal.cvreq"
_CERTIFICATES: Final = "certificates"
_OCTETS: Final = "application/octet-stream"
_OK: Final = 200
_CREATED: Final = 201
_REFUSALS: Final = frozenset({400, 403, 409, 422})


class RenewalRefusedError(VerifierError):
    """The authority does not renew the terminal; its own code stands in the text."""

    default_code = "terminal.renewal-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What the terminal shows from now on, and whether the certificate is a new one."""

    reference: str
    expires: date
    is_new: bool
    authority: str


def renew_terminal(
    client: HttpClient,
    source: CredentialsSource,
    *,
    days_before: int,
    now: Callable[[], datetime],
) -> Renewed:
    """Bring a terminal's directory, which is its own home, up to date; renew it where it ends within so many days.

    Raises:
        RenewalRefusedError: the authority refused: the terminal was blocked, its certificate ended, and the like.
        NetworkError: the authority could not be asked, or answered something else.
        TrustError: ``terminal.missing``, ``terminal.malformed``, ``terminal.key-unavailable``.
    """
    directory = source.directory
    home = Home(directory)
    if not home.exists or not (directory / _CERTIFICATES).is_dir():
        raise TrustError(
            f"{directory} is no terminal's own home with its certificates",
            code="terminal.missing",
            hint="`membercard-pki terminal export --out HOME` writes them into the home",
        )
    with _as_trust_errors(directory):
        held = read_certificates(directory / _CERTIFICATES)
        own = next((item for item in held if item.body.authorisation.role is Role.TERMINAL), None)
        if own is None:
            raise TrustError(
                f"{directory} holds no terminal's certificate", code="terminal.malformed"
            )
    authorities = _authorities(client, held)
    remaining = own.body.expiration_date - now().astimezone(UTC).date()
    pending = directory / _PENDING
    is_due = pending.exists() or remaining.days <= days_before
    with (
        _as_trust_errors(directory),
        open_record(home) as journal,
        _keystore(home, source.pin_file) as keystore,
    ):
        certificate = own
        if is_due:
            recorder = Recorder(journal=journal, state=journal.state, now=now)
            request = _request(pending, own, keystore, recorder)
            certificate = _certified(client, request, pending)
        export_terminal(
            certificate,
            chain=(*authorities, *_above(held)),
            keystore=keystore,
            keystore_directory=home.keystore,
            directory=directory,
        )
        pending.unlink(missing_ok=True)
    body = certificate.body
    return Renewed(
        reference=body.holder_reference.text,
        expires=body.expiration_date,
        is_new=is_due,
        authority=body.authority_reference.text,
    )


def _authorities(client: HttpClient, held: Sequence[CvCertificate]) -> list[CvCertificate]:
    """What stands above terminals now; files that are here already are not fetched again."""
    answer = client.ask("GET", "/v1/terminal-authorities", max_bytes=_MAX_LIST_BYTES)
    known = {sha256(item.to_bytes()).hexdigest(): item for item in held}
    try:
        found: Any = json.loads(answer.body)
        digests = [str(item["digest"]) for item in found["authorities"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _no_answer(answer.status) from error
    if (
        answer.status != _OK
        or len(digests) > _MAX_AUTHORITIES
        or not all(len(item) == 64 and set(item) <= set("0123456789abcdef") for item in digests)
    ):
        raise _no_answer(answer.status)
    return [known.get(digest) or _fetched(client, digest) for digest in digests]


def _fetched(client: HttpClient, digest: str) -> CvCertificate:
    answer = client.ask("GET", f"/v1/files/{digest}", max_bytes=MAX_ENCODED_BYTES)
    if answer.status != _OK or sha256(answer.body).hexdigest() != digest:
        raise _no_answer(answer.status)
    try:
        return CvCertificate.from_bytes(answer.body)
    except PkiError as error:
        raise _no_answer(answer.status) from error


def _above(held: Sequence[CvCertificate]) -> list[CvCertificate]:
    """Roots and links that an authority does not list any more may still be what cards trust."""
    return [item for item in held if item.body.authorisation.role is Role.CVCA]


def _request(pending: Path, own: CvCertificate, keystore: Keystore, recorder: Recorder) -> bytes:
    """The request that was on its way, or a new one with a new key."""
    if pending.exists():
        with pending.open("rb") as file:
            return file.read(MAX_ENCODED_BYTES + 1)
    service = TerminalRequestService(keystore=keystore, recorder=recorder)
    encoded = service.request_next(own).to_bytes()
    create_file(pending, encoded)
    return encoded


def _certified(client: HttpClient, request: bytes, pending: Path) -> CvCertificate:
    answer = client.ask(
        "POST",
        "/v1/terminal-renewals",
        body=request,
        headers={"content-type": _OCTETS},
        max_bytes=_MAX_LIST_BYTES,
    )
    if answer.status in _REFUSALS:
        # Whatever is wrong with this request stays wrong; where the terminal is still good, the next one has another key.
        pending.unlink(missing_ok=True)
        raise RenewalRefusedError(
            f"the authority does not renew the terminal: {_told(answer.body)}",
            hint="ask whoever runs the authority: `membercard-pki terminal issue` begins anew",
        )
    if answer.status != _CREATED:
        raise _no_answer(answer.status)
    asked = read_request(request)
    try:
        certificate = CvCertificate.from_bytes(answer.body)
    except PkiError as error:
        raise _no_answer(answer.status) from error
    if (
        not isinstance(asked, AuthenticatedRequest)
        or certificate.body.holder_reference != asked.request.body.holder_reference
        or certificate.body.public_key.point != asked.request.body.public_key.point
    ):
        raise NetworkError(
            "the authority certified another key than was asked for", code="network.answer"
        )
    return certificate


def _told(body: bytes) -> str:
    """What a problem document says, bounded and without anything that steers a terminal."""
    try:
        found = json.loads(body)
        text = f"{found['detail']} [{found['code']}]"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "it does not say why"
    return "".join(character if character.isprintable() else "\ufffd" for character in text)[:300]


@contextmanager
def _keystore(home: Home, pin_file: Path) -> Iterator[Keystore]:
    keystore = open_keystore(home.keystore, pin=home.read_pin(pin_file))
    try:
        yield keystore
    finally:
        keystore.close()


@contextmanager
def _as_trust_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrustError(
            f"{directory} cannot be used: {error.strerror}", code="terminal.malformed"
        ) from error
    except (PkiError, CardDataError) as error:
        is_key = error.code.startswith(("keystore.", "pin.", "token."))
        raise TrustError(
            f"{directory}: {error} [{error.code}]",
            code="terminal.key-unavailable" if is_key else "terminal.malformed",
        ) from error


def _no_answer(status: int) -> NetworkError:
    return NetworkError(
        f"the answer with status {status} is none of the authority's", code="network.answer"
    )
