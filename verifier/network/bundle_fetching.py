"""Fetching the newest bundle: the delta where there is one for us, else the whole; a broken download goes on where it was.

1. ``index.json`` says what there is. Nothing newer: nothing is loaded.
2. The file is loaded into ``bundles/.fetch/DIGEST``, named by the digest that the index promises. What is there already is
   not loaded again: the rest is asked for by its range, on the condition that the file is still the same (If-Range).
3. A file with another digest than promised is thrown away; it is loaded once more as a whole where it had been continued.
4. What was loaded is judged and installed as from a stick (`verifier.trust.bundle_install`).

A hostile server can keep the terminal from news, and nothing else.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from verifier.errors import TrustError, VerifierError
from verifier.network.bounded_http import HttpClient, NetworkError
from verifier.trust.approvals import Approval
from verifier.trust.bundle_index import (
    INDEX_FILE,
    MAX_INDEX_BYTES,
    BundleIndex,
    PublishedFile,
)
from verifier.trust.bundle_install import (
    BundleReport,
    install_bundle,
    read_bundle,
    read_bundle_file,
)
from verifier.trust.installed import BUNDLES, installed

__all__ = ["Fetched", "fetch_bundle"]

_FOLDER: Final = ".fetch"
_OK: Final = 200
_PARTIAL: Final = 206
_GONE: Final = frozenset({404, 410})
_RANGE_WRONG: Final = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of it: ``report`` is ``None`` where the installed bundle is the newest; ``loaded`` bytes came over the network."""

    number: int
    report: BundleReport | None
    was_delta: bool
    loaded: int


def fetch_bundle(client: HttpClient, trust: Path, approvals: Sequence[Approval] = ()) -> Fetched:
    """Bring a trust directory to the newest bundle that a server has.

    Raises:
        NetworkError: it could not be fetched; what was loaded of it is kept for the next time.
        TrustError: ``bundle.index-malformed``, ``bundle.fetched-wrong``, and as ``install_bundle``: nothing has changed.
    """
    answer = client.ask("GET", f"/{INDEX_FILE}", max_bytes=MAX_INDEX_BYTES)
    if answer.status != _OK:
        raise NetworkError(
            f"the index of bundles was answered with status {answer.status}", code="network.answer"
        )
    index = BundleIndex.from_bytes(answer.body)
    before = installed(trust)
    if before is not None and index.number <= before.number:
        return Fetched(number=before.number, report=None, was_delta=False, loaded=0)
    folder = trust / BUNDLES / _FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_others(folder, index)
    except OSError as error:
        raise _unwritable(folder, error) from error
    delta = None if before is None else index.deltas.get(before.sha256)
    loaded = 0
    if delta is not None:
        try:
            path, loaded = _load(client, delta, folder)
            report = _install(path, trust, approvals)
        except (TrustError, _MissingError):
            # A delta that leads nowhere is no reason to stay behind: the whole bundle says what is wrong, if anything.
            delta = None
    if delta is None:
        try:
            path, more = _load(client, index.bundle, folder)
        except _MissingError as error:
            raise NetworkError(
                f"{index.bundle.name} is named by the index and not there", code="network.answer"
            ) from error
        loaded += more
        report = _install(path, trust, approvals)
    shutil.rmtree(folder, ignore_errors=True)
    return Fetched(
        number=report.bundle.number, report=report, was_delta=delta is not None, loaded=loaded
    )


def _forget_others(folder: Path, index: BundleIndex) -> None:
    """What was begun of bundles that are not the newest any more."""
    wanted = {index.bundle.sha256, *(item.sha256 for item in index.deltas.values())}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def _install(path: Path, trust: Path, approvals: Sequence[Approval]) -> BundleReport:
    try:
        return install_bundle(read_bundle(read_bundle_file(path), trust), trust, approvals)
    except VerifierError as error:
        # What lacks an approval may be installed later, and need not be loaded again.
        if error.code != "bundle.approval-missing":
            path.unlink(missing_ok=True)
        raise


def _load(client: HttpClient, wanted: PublishedFile, folder: Path) -> tuple[Path, int]:
    """The file with exactly the promised bytes, and how many of them came now."""
    path = folder / wanted.sha256
    loaded = 0
    for _ in range(2):
        was_there = path.stat().st_size if path.exists() else 0
        if was_there < wanted.size:
            loaded += _continue(client, wanted, path, was_there)
        if _digest(path) == wanted.sha256:
            return path, loaded
        path.unlink(missing_ok=True)
        if was_there == 0:
            break
    raise TrustError(
        f"{wanted.name} is not the file that the index promises", code="bundle.fetched-wrong"
    )


def _continue(client: HttpClient, wanted: PublishedFile, path: Path, was_there: int) -> int:
    try:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.seek(was_there)
            download = _Download(file=file, wanted=wanted, was_there=was_there)
            client.download(
                f"/{wanted.name}",
                # Our service's entity tags are digests; where a server has others, the whole file comes.
                headers={"Range": f"bytes={was_there}-", "If-Range": f'"{wanted.sha256}"'}
                if was_there
                else {},
                max_bytes=wanted.size,
                on_headers=download.begin,
                on_chunk=download.keep,
            )
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error
    return download.loaded


@dataclass(slots=True, kw_only=True)
class _Download:
    """One file as it comes in, behind what was there."""

    file: BinaryIO
    wanted: PublishedFile
    was_there: int
    loaded: int = 0

    def begin(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether the body is the file, or the rest of it."""
        if status in _GONE:
            raise _MissingError
        if status in (_OK, _RANGE_WRONG):
            self.file.seek(0)
            self.file.truncate()
            return status == _OK
        begins = headers.get("content-range", "").startswith(f"bytes {self.was_there}-")
        if status != _PARTIAL or not begins:
            raise NetworkError(
                f"{self.wanted.name} was answered with status {status}", code="network.answer"
            )
        return True

    def keep(self, chunk: bytes) -> None:
        """The next bytes; more than were promised are not written."""
        if self.file.tell() + len(chunk) > self.wanted.size:
            raise NetworkError(
                f"{self.wanted.name} has more than {self.wanted.size} bytes",
                code="network.too-long",
            )
        self.file.write(chunk)
        self.loaded += len(chunk)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unwritable(path, error) from error


class _MissingError(Exception):
    """The server does not have the file."""


def _unwritable(path: Path, error: OSError) -> TrustError:
    return TrustError(f"{path} cannot be written: {error.strerror}", code="bundle.unwritable")
