"""A terminal's requests to the centre, signed with the key of its CV certificate."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Protocol

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from pki.errors import PkiError
from pki.services.terminal_export import read_certificates
from verifier.errors import TrustError, VerifierError
from verifier.network.bounded_http import HttpClient, NetworkError
from verifier.services.journal_chain import JournalHead, JournalLine
from verifier.services.journal_page import MAX_PAGE_RECORDS, JournalPage
from verifier.services.request_signing import sign_request
from verifier.trust.credentials import CredentialsSource, open_credentials

__all__ = ["CentreClient", "CentreRefusedError", "Uploaded", "UploadedJournal", "centre_client", "report_health", "upload_journal"]  # fmt: skip

_MAX_ANSWER_BYTES: Final = 1 << 20
_JSON: Final = "application/json"


class CentreRefusedError(VerifierError):
    """The centre refused a request; the code is the one that it gave."""

    default_code = "centre.refused"


class UploadedJournal(Protocol):
    """A terminal's journal."""

    @property
    def terminal(self) -> str:
        """Whose it is."""

    @property
    def begin(self) -> JournalHead:
        """Behind which record it begins."""

    @property
    def release(self) -> bytes:
        """What takes the terminal's key off its pseudonyms."""

    def lines(self, *, behind: int = 0) -> Iterator[JournalLine]:
        """Its records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """Where the centre's copy ends now, and how many records were new there."""

    sequence: int
    taken: int


class CentreClient:
    """Signs and sends; every answer that is none of success is an error with the centre's own code."""

    def __init__(
        self,
        client: HttpClient,
        *,
        credentials: TerminalCredentials,
        chain: Sequence[CvCertificate],
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._chain = chain
        self._now = now

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """One request; ``path`` begins with /v1.

        Raises:
            CentreRefusedError: the centre's own refusal.
            NetworkError: no answer, or none of the centre's.
            KeystoreError: the terminal's key failed.
        """
        headers = sign_request(
            self._credentials,
            chain=self._chain,
            method=method,
            target=f"{self._client.address.text}{path}",
            body=body or b"",
            now=self._now(),
        )
        if body is not None:
            headers["content-type"] = _JSON
        answer = self._client.ask(
            method, path, body=body, headers=headers, max_bytes=_MAX_ANSWER_BYTES
        )
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise _no_answer(answer.status) from error
        if not isinstance(found, dict):
            raise _no_answer(answer.status)
        if not 200 <= answer.status < 300:
            code, detail = found.get("code"), found.get("detail")
            if not isinstance(code, str) or not isinstance(detail, str) or len(code) > 80:
                raise _no_answer(answer.status)
            hint = found.get("hint")
            raise CentreRefusedError(
                detail[:500], code=code, hint=hint[:500] if isinstance(hint, str) else None
            )
        return found


@contextmanager
def centre_client(
    client: HttpClient, source: CredentialsSource, *, now: Callable[[], datetime]
) -> Iterator[CentreClient]:
    """A client with the key and the certificates of a terminal's directory.

    Raises:
        TrustError: ``terminal.missing``, ``terminal.malformed``, ``terminal.key-unavailable``, ``terminal.expired``.
    """
    with open_credentials(source) as credentials:
        try:
            held = read_certificates(source.directory / "certificates")
            roots = [item.body.holder_reference for item in held if item.body.is_self_signed]
            chain = credentials.chain_from(
                [item.to_bytes() for item in roots], on=now().astimezone(UTC).date()
            )
        except PkiError as error:
            raise TrustError(
                f"{source.directory}: {error}",
                code="terminal.expired",
                hint="renew it: membercard-verifier terminal renew",
            ) from error
        yield CentreClient(client, credentials=credentials, chain=chain.certificates, now=now)


def report_health(
    centre: CentreClient, *, version: str, bundle_number: int | None, journal_sequence: int
) -> int | None:
    """Say how this terminal is; gives the number of the centre's own bundle.

    Raises:
        CentreRefusedError, NetworkError, KeystoreError: it was not heard.
    """
    document = {
        "version": version,
        "bundle_number": bundle_number,
        "journal_sequence": journal_sequence,
    }
    answer = centre.ask("POST", "/v1/terminals/self/health", json.dumps(document).encode())
    number = answer.get("newest_bundle")
    return number if isinstance(number, int) else None


def upload_journal(centre: CentreClient, journal: UploadedJournal) -> Uploaded:
    """Send everything that the centre does not have; what was sent and not answered is sent again.

    Raises:
        CentreRefusedError, NetworkError, KeystoreError: what was taken stays taken.
    """
    path = f"/v1/journals/{journal.terminal}"
    end = _head(centre.ask("GET", path))
    begin = journal.begin
    # Where this journal begins behind the centre's copy, the rest was let go of before it was sent.
    if begin.sequence > end.sequence:
        end = begin
    taken = 0
    lines = journal.lines(behind=end.sequence)
    while records := list(islice(lines, MAX_PAGE_RECORDS)):
        page = JournalPage(
            begin=end,
            dropped=begin.sequence,
            release=journal.release,
            bodies=tuple(record.body for record in records),
        )
        answer = centre.ask("POST", f"{path}/records", page.to_bytes())
        taken += answer["taken"] if isinstance(answer.get("taken"), int) else 0
        end = _head(answer)
        if end != records[-1].head:
            raise NetworkError(
                f"the centre's copy ends at record {end.sequence}, expected {records[-1].sequence}",
                code="network.answer",
            )
    return Uploaded(sequence=end.sequence, taken=taken)


def _head(answer: dict[str, Any]) -> JournalHead:
    sequence, digest = answer.get("sequence"), answer.get("digest")
    try:
        if (
            type(sequence) is int
            and sequence >= 0
            and isinstance(digest, str)
            and len(digest) == 64
        ):
            return JournalHead(sequence=sequence, digest=bytes.fromhex(digest))
    except ValueError as error:
        raise NetworkError("the centre gave no end of a journal", code="network.answer") from error
    raise NetworkError("the centre gave no end of a journal", code="network.answer")


def _no_answer(status: int) -> NetworkError:
    return NetworkError(
        f"the answer with status {status} is none of a centre", code="network.answer"
    )
