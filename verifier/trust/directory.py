"""The trust directory: ``csca/*.cer``, ``crl/*.crl``, ``stop/*.stop``, ``status/*.status`` (all DER), ``policy.toml`` and ``anchors/*.toml``.

docs/policy.md says what each of them is; ``anchors/`` is what imports of master lists left.

It may hold ``log/log.policy`` and ``proofs/*.tlog-proof`` as well, for cards of signers that a stop list names.

A broken file is an error that names it: nothing is judged with a part of what was meant to be trusted. What is not
there is not trusted: an empty directory refuses every card.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from pki.certificates.anchor_policy import combine_anchors
from pki.certificates.certificate import MAX_CERTIFICATE_BYTES
from pki.certificates.imported_anchors import MAX_IMPORTED_ANCHORS_BYTES, ImportedAnchors
from pki.certificates.trust import Authority, TrustAnchors
from pki.errors import PkiError
from pki.record.transparency_policy import MAX_POLICY_BYTES as MAX_LOG_POLICY_BYTES
from pki.record.transparency_policy import LogPolicy
from pki.signed.status_list import MAX_STATUS_LIST_BYTES
from pki.signed.stop_list import MAX_STOP_LIST_BYTES
from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES, TrustBundle
from verifier.errors import TrustError
from verifier.inspection.policy import MAX_POLICY_BYTES, Policy
from verifier.trust.installed import BUNDLE_FILE, InstalledBundle, current_layout, installed

__all__ = ["Trust", "load_layout", "load_trust", "read_layout_file"]

_MAX_FILES: Final = 256
_MAX_CRL_BYTES: Final = 4 * 1024 * 1024
_MAX_FILE_BYTES: Final = 16 * 1024 * 1024
_MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024
_POLICY_FILE: Final = "policy.toml"
_LOG_POLICY_FILE: Final = "log.policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a terminal trusts and demands."""

    anchors: TrustAnchors
    policy: Policy
    log_policy: LogPolicy | None = None


def load_trust(directory: Path) -> Trust:
    """Read a trust directory: the bundle that is installed in it or, where none is, its own files.

    Raises:
        TrustError: ``trust.missing`` where there is no such directory, ``trust.malformed`` or ``policy.malformed``
            naming the file that is broken.
    """
    if not directory.is_dir():
        raise TrustError(
            f"trust directory {str(directory)!r} is not there",
            code="trust.missing",
            hint="give --trust the directory that `membercard-pki trust export` wrote",
        )
    layout = current_layout(directory)
    found = installed(directory)
    if found is not None:
        _require_unaltered(layout, found)
    return load_layout(layout)


def _require_unaltered(layout: Path, found: InstalledBundle) -> None:
    """What is trusted and demanded is what was signed, file for file: nobody edits a policy at the terminal.

    The bundle's signature was verified when it was installed; that it is still that bundle, its digest says.
    """
    path = layout / BUNDLE_FILE
    data = read_layout_file(path, MAX_TRUST_BUNDLE_BYTES)
    if sha256(data).hexdigest() != found.sha256:
        raise _malformed(path, "is not the bundle that was installed")
    try:
        signed = TrustBundle.read_unproven(data).files
    except PkiError as error:
        raise _malformed(path, str(error)) from error
    for name, content in signed.items():
        if read_layout_file(layout / name) != content:
            raise _malformed(layout / name, "is not the file that was signed")
    there = {file.relative_to(layout).as_posix() for file in layout.rglob("*") if file.is_file()}
    strange = sorted(there - signed.keys() - {BUNDLE_FILE})
    if strange:
        raise _malformed(layout / strange[0], "is not of the bundle that was signed")


def load_layout(directory: Path) -> Trust:
    """Read the files of one directory, whichever bundle counts.

    Raises:
        TrustError: ``trust.malformed`` or ``policy.malformed`` naming the file that is broken.
    """
    certificates = [
        _checked_certificate(path, data)
        for path, data in _files(directory / "csca", ".cer", MAX_CERTIFICATE_BYTES)
    ]
    crls = [
        _checked_crl(path, data) for path, data in _files(directory / "crl", ".crl", _MAX_CRL_BYTES)
    ]
    anchors = _anchors(directory / "csca", certificates, crls)
    policy = _with_imports(directory / "anchors", _policy(directory / _POLICY_FILE))
    anchors = _with_stop_lists(directory / "stop", anchors, policy)
    return Trust(
        anchors=_with_status_lists(directory / "status", anchors, policy),
        policy=policy,
        log_policy=_log_policy(directory / "log" / _LOG_POLICY_FILE),
    )


def _log_policy(path: Path) -> LogPolicy | None:
    if not path.exists():
        return None
    try:
        return LogPolicy.from_bytes(read_layout_file(path, MAX_LOG_POLICY_BYTES))
    except PkiError as error:
        raise _malformed(path, str(error)) from error


def _anchors(path: Path, certificates: list[bytes], crls: list[bytes]) -> TrustAnchors:
    """Together, because a link certificate is admitted by another certificate of the directory."""
    try:
        return TrustAnchors.from_bytes(certificates=certificates, crls=crls)
    except PkiError as error:
        raise _malformed(path, str(error)) from error


def _with_imports(directory: Path, policy: Policy) -> Policy:
    """Imports add authorities to those that policy.toml binds; they never change what it says of one."""
    imported = []
    for path, data in _files(directory, ".toml", MAX_IMPORTED_ANCHORS_BYTES):
        try:
            imported.append(ImportedAnchors.from_bytes(data).anchors)
        except PkiError as error:
            raise _bad_import(path, error) from error
    try:
        return replace(policy, anchors=combine_anchors(policy.anchors, imported))
    except PkiError as error:
        raise _bad_import(directory, error) from error


def _bad_import(path: Path, error: PkiError) -> TrustError:
    return TrustError(f"{path}: {error}", code=error.code, hint="see docs/master-lists.md")


def _with_stop_lists(directory: Path, anchors: TrustAnchors, policy: Policy) -> TrustAnchors:
    """A stop list that cannot be believed stops everything: somebody meant to stop something with it."""
    stop_lists = []
    for path, data in _files(directory, ".stop", MAX_STOP_LIST_BYTES):
        try:
            stop_lists.append(anchors.admit_stop_list(data, scopes=policy.scopes))
        except PkiError as error:
            raise _malformed(path, str(error)) from error
    return replace(anchors, stop_lists=tuple(stop_lists))


def _with_status_lists(directory: Path, anchors: TrustAnchors, policy: Policy) -> TrustAnchors:
    """A status list that cannot be believed stops everything, too: it may be what tells that a card is lost."""
    status_lists = []
    for path, data in _files(directory, ".status", MAX_STATUS_LIST_BYTES):
        try:
            status_lists.append(anchors.admit_status_list(data, scopes=policy.scopes))
        except PkiError as error:
            raise _malformed(path, str(error)) from error
    return replace(anchors, status_lists=tuple(status_lists))


def _checked_certificate(path: Path, data: bytes) -> bytes:
    try:
        Authority.read_unproven(data)
    except PkiError as error:
        raise _malformed(path, str(error)) from error
    return data


def _checked_crl(path: Path, data: bytes) -> bytes:
    try:
        TrustAnchors.from_bytes(certificates=(), crls=(data,))
    except PkiError as error:
        raise _malformed(path, str(error)) from error
    return data


def _policy(path: Path) -> Policy:
    if not path.exists():
        return Policy()
    data = read_layout_file(path, MAX_POLICY_BYTES)
    try:
        return Policy.from_bytes(data)
    except TrustError as error:
        raise TrustError(f"{path}: {error}", code=error.code, hint="see docs/policy.md") from error


def _files(directory: Path, suffix: str, maximum_bytes: int) -> Iterator[tuple[Path, bytes]]:
    """The files of one kind in the order of their names; other files are somebody's notes and are left alone."""
    if not directory.exists():
        return
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() == suffix)
    except OSError as error:
        raise _malformed(directory, f"cannot be listed ({error.strerror})") from error
    if len(paths) > _MAX_FILES:
        raise _malformed(directory, f"holds {len(paths)} files, expected at most {_MAX_FILES}")
    total = 0
    for path in paths:
        data = read_layout_file(path, maximum_bytes)
        total += len(data)
        if total > _MAX_TOTAL_BYTES:
            raise _malformed(
                directory, f"holds more than {_MAX_TOTAL_BYTES} bytes, expected at most that"
            )
        yield path, data


def read_layout_file(path: Path, maximum_bytes: int = _MAX_FILE_BYTES) -> bytes:
    """One file of a trust directory, whole and within bounds.

    Raises:
        TrustError: ``trust.malformed``.
    """
    try:
        # A pipe or a device would never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise _malformed(path, "is not a file")
        with path.open("rb") as file:
            data = file.read(maximum_bytes + 1)
    except OSError as error:
        raise _malformed(path, f"cannot be read ({error.strerror})") from error
    if len(data) > maximum_bytes:
        raise _malformed(path, f"is longer than {maximum_bytes} bytes")
    return data


def _malformed(path: Path, what: str) -> TrustError:
    return TrustError(f"{path}: {what}", code="trust.malformed")
