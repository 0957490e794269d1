"""Installing a trust bundle: whole or not at all, only forwards, and only what is vouched for.

1. Read the bundle, or compose it from a delta and the bundle that is installed.
2. Its number is higher than the installed one's.
3. Unpack it beside, durably, and load it as a terminal would: what cannot be loaded is not installed.
4. An authority that is trusted *now* has certified its signer; where the bundle brings new anchors, two people approve.
5. Name the directory, then replace ``bundle.json``: that one rename installs it.
6. Clear away what no terminal uses any more, but for the bundle before.

A process that dies anywhere leaves the old bundle or the new one, and the same command ends what it began.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pki.durable import replace_file, sync_directory
from pki.errors import PkiError
from pki.record.lock import lock_exclusively
from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES, TrustBundle
from pki.signed.trust_bundle_delta import TrustBundleDelta
from verifier.errors import TrustError
from verifier.trust.anchor_set import anchor_lines
from verifier.trust.approvals import Approval, Approvers, statement
from verifier.trust.directory import Trust, load_layout
from verifier.trust.installed import (
    BUNDLE_FILE,
    BUNDLES,
    POINTER,
    InstalledBundle,
    current_layout,
    installed,
)

__all__ = [
    "BundleReport",
    "install_bundle",
    "new_anchors_of",
    "read_bundle",
    "read_bundle_file",
    "verify_bundle",
]

_STAGE: Final = ".new"
_LOCK: Final = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """What a bundle would change, or has changed, in a trust directory."""

    bundle: TrustBundle
    before: InstalledBundle | None
    new_anchors: tuple[str, ...]
    approved_by: tuple[str, ...]


def read_bundle(data: bytes, directory: Path) -> TrustBundle:
    """A whole bundle, or the one to which a delta leads from the bundle that is installed in the directory.

    Raises:
        TrustError: ``trust-bundle.malformed``, ``trust-delta.malformed``, ``trust-delta.other-base``.
    """
    try:
        delta = _delta(data)
        if delta is None:
            return TrustBundle.from_bytes(data)
        base = read_bundle_file(current_layout(directory) / BUNDLE_FILE)
        return delta.apply(TrustBundle.from_bytes(base))
    except PkiError as error:
        raise TrustError(str(error), code=error.code, hint=error.hint) from error


def new_anchors_of(bundle: TrustBundle, directory: Path) -> tuple[str, ...]:
    """What all trust stands on in a bundle, and does not yet in the directory.

    Raises:
        TrustError: ``trust.malformed``, ``policy.malformed``, ``bundle.unwritable``.
    """
    with _locked(directory), _staged(bundle, directory) as stage:
        return _new_anchors(directory, stage)


def verify_bundle(
    bundle: TrustBundle, directory: Path, approvals: Sequence[Approval] = ()
) -> BundleReport:
    """Steps 2 to 4, and nothing stays behind: what would it change, and would it be let in?

    Raises:
        TrustError: as ``install_bundle``.
    """
    with _locked(directory), _staged(bundle, directory) as stage:
        return _weigh(bundle, directory, stage, approvals)


def install_bundle(
    bundle: TrustBundle, directory: Path, approvals: Sequence[Approval] = ()
) -> BundleReport:
    """Make a bundle the one that counts.

    Raises:
        TrustError: ``bundle.not-newer``, ``trust-bundle.untrusted``, ``bundle.approval-missing``,
            ``bundle.approval-invalid``, ``trust.malformed``, ``policy.malformed``, ``bundle.unwritable``: the bundle of
            before goes on counting.
    """
    with _locked(directory), _staged(bundle, directory) as stage:
        report = _weigh(bundle, directory, stage, approvals)
        found = InstalledBundle(
            number=bundle.number,
            sha256=bundle.fingerprint,
            this_update=bundle.this_update,
            next_update=bundle.next_update,
        )
        final = directory / BUNDLES / found.directory
        try:
            if final.exists():
                # A process died between naming it and making it count.
                shutil.rmtree(final)
            stage.rename(final)
            sync_directory(final.parent)
            replace_file(directory / POINTER, found.to_bytes(), mode=0o644)
        except OSError as error:
            raise _unwritable(directory, error) from error
        kept = {found.directory}
        if report.before is not None:
            kept.add(report.before.directory)
        _clear(directory, kept)
    return report


def read_bundle_file(path: Path) -> bytes:
    """A file that holds a bundle or a delta, within bounds.

    Raises:
        TrustError: ``trust.malformed``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TRUST_BUNDLE_BYTES + 1)
    except OSError as error:
        raise TrustError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_TRUST_BUNDLE_BYTES:
        raise TrustError(f"{path}: is longer than {MAX_TRUST_BUNDLE_BYTES} bytes")
    return data


def _delta(data: bytes) -> TrustBundleDelta | None:
    """``None`` for a whole bundle, and for what is neither: reading that as a bundle says why."""
    try:
        return TrustBundleDelta.from_bytes(data)
    except PkiError:
        return None


def _weigh(
    bundle: TrustBundle, directory: Path, stage: Path, approvals: Sequence[Approval]
) -> BundleReport:
    before = installed(directory)
    if before is not None and bundle.number <= before.number:
        raise TrustError(
            f"the bundle has number {bundle.number}, expected more than {before.number}, which is installed",
            code="bundle.not-newer",
            hint="a terminal never goes back to an older bundle",
        )
    wanted = load_layout(stage)
    held = load_layout(current_layout(directory))
    new = _new_anchors(directory, stage)
    approved_by: tuple[str, ...] = ()
    if new:
        stated = statement(bundle.fingerprint, new)
        approved_by = Approvers.read(directory).require_two(approvals, stated)
        if _is_vouched(bundle, held):
            return _report(bundle, before, new, approved_by)
        _require_vouched(bundle, wanted)
    else:
        _require_vouched(bundle, held)
    return _report(bundle, before, new, approved_by)


def _new_anchors(directory: Path, stage: Path) -> tuple[str, ...]:
    held = current_layout(directory)
    new = anchor_lines(load_layout(stage), stage) - anchor_lines(load_layout(held), held)
    return tuple(sorted(new))


def _report(
    bundle: TrustBundle,
    before: InstalledBundle | None,
    new: tuple[str, ...],
    approved_by: tuple[str, ...],
) -> BundleReport:
    return BundleReport(bundle=bundle, before=before, new_anchors=new, approved_by=approved_by)


def _require_vouched(bundle: TrustBundle, trust: Trust) -> None:
    try:
        trust.anchors.admit_trust_bundle(bundle, scopes=trust.policy.scopes)
    except PkiError as error:
        raise TrustError(str(error), code=error.code) from error


def _is_vouched(bundle: TrustBundle, trust: Trust) -> bool:
    try:
        _require_vouched(bundle, trust)
    except TrustError:
        return False
    return True


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _LOCK).open("ab")
    except OSError as error:
        raise _unwritable(directory, error) from error
    with file:
        try:
            lock_exclusively(file, name=f"trust directory {str(directory)!r}")
        except PkiError as error:
            raise TrustError(str(error), code="bundle.locked") from error
        yield


@contextmanager
def _staged(bundle: TrustBundle, directory: Path) -> Iterator[Path]:
    """The bundle unpacked beside what counts; nothing of it is left where it does not come to count."""
    bundles = directory / BUNDLES
    stage = bundles / _STAGE
    try:
        bundles.mkdir(parents=True, exist_ok=True)
        if stage.exists():
            shutil.rmtree(stage)
        stage.mkdir()
        _unpack({**bundle.files, BUNDLE_FILE: bundle.der}, stage)
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _unpack(files: Mapping[str, bytes], stage: Path) -> None:
    folders = {stage}
    for name, content in files.items():
        path = stage / name
        path.parent.mkdir(exist_ok=True)
        folders.add(path.parent)
        replace_file(path, content, mode=0o644)
    for folder in folders:
        sync_directory(folder)


def _clear(directory: Path, kept: set[str]) -> None:
    """Whatever cannot be removed now is removed after the next installation."""
    for path in (directory / BUNDLES).iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _unwritable(directory: Path, error: OSError) -> TrustError:
    return TrustError(
        f"trust directory {str(directory)!r} cannot be written: {error.strerror}",
        code="bundle.unwritable",
    )
