"""A trust directory on disk as the PKI's commands see it, and what imports of master lists leave in it.

csca/           NAME.cer: authorities; import_NAME_CC_FINGERPRINT.cer: those that an import put there
crl/ stop/      CRLs, stop lists
policy.toml     what people bind authorities to; never written here
anchors/        NAME.toml: what an import binds its certificates to (pki.certificates.imported_anchors)
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pki.bounded_files import read_bounded, read_folder
from pki.certificates.anchor_policy import (
    MAX_POLICY_BYTES,
    combine_anchors,
    malformed,
    read_policy_anchors,
    read_table,
)
from pki.certificates.anchor_scope import AnchorScope
from pki.certificates.certificate import MAX_CERTIFICATE_BYTES, MAX_LIST_BYTES
from pki.certificates.imported_anchors import MAX_IMPORTED_ANCHORS_BYTES, ImportedAnchors
from pki.durable import replace_file, sync_directory
from pki.errors import PkiRefusedError, RecordError
from pki.record.lock import lock_exclusively
from pki.services.master_list_import import DirectoryContents, ImportPlan
from pki.services.master_list_reading import ListedCertificate
from pki.signed.stop_list import MAX_STOP_LIST_BYTES

__all__ = ["TrustDirectory"]

_IMPORTED: Final = "import_"


@dataclass(frozen=True, slots=True)
class TrustDirectory:
    """One directory; it need not exist yet."""

    path: Path

    @property
    def has_policy(self) -> bool:
        """Whether a terminal would find a policy here."""
        return (self.path / "policy.toml").exists()

    def certificates(self) -> tuple[bytes, ...]:
        """DER, all of ``csca/``.

        Raises:
            PkiDataError: ``certificate.unreadable``.
        """
        return tuple(self._authorities().values())

    def crls(self) -> tuple[bytes, ...]:
        """DER, all of ``crl/``.

        Raises:
            PkiDataError: ``certificate.unreadable``.
        """
        return tuple(read_folder(self.path / "crl", ".crl", MAX_LIST_BYTES).values())

    def stop_lists(self) -> tuple[bytes, ...]:
        """DER, all of ``stop/``.

        Raises:
            PkiDataError: ``certificate.unreadable``.
        """
        return tuple(read_folder(self.path / "stop", ".stop", MAX_STOP_LIST_BYTES).values())

    def policy_anchors(self) -> Mapping[str, AnchorScope] | None:
        """What policy.toml binds; ``None`` where it binds nothing, or is not there.

        Raises:
            PkiDataError: ``policy.malformed``, ``certificate.unreadable``.
        """
        if not self.has_policy:
            return None
        return read_policy_anchors(read_bounded(self.path / "policy.toml", MAX_POLICY_BYTES))

    def purposes_without(self, check: str) -> tuple[str, ...]:
        """The purposes for which policy.toml accepts cards without this check; none where there is no policy.

        Raises:
            PkiDataError: ``policy.malformed``, ``certificate.unreadable``.
        """
        if not self.has_policy:
            return ()
        content = read_bounded(self.path / "policy.toml", MAX_POLICY_BYTES)
        purposes = read_table(content, MAX_POLICY_BYTES, "policy.toml").get("purposes")
        tables = purposes if isinstance(purposes, dict) else {}
        return tuple(name for name, table in tables.items() if not _requires(table, check))

    def contents(self, name: str, *, is_trust: bool) -> DirectoryContents:
        """What there is but for the import of this name; ``is_trust`` tells that terminals read the directory.

        Raises:
            PkiRefusedError: ``master-list.trust-unbound``: terminals would trust what is imported for everything.
            PkiDataError: ``policy.malformed``, ``certificate.unreadable``.
        """
        bound = self.policy_anchors()
        if is_trust and bound is None:
            raise PkiRefusedError(
                f"policy.toml of {str(self.path)!r} binds no authority, so that whatever is put there "
                "would be trusted for member cards",
                code="master-list.trust-unbound",
                hint="write [[anchors]] for the authorities that are there: docs/policy.md",
            )
        imports = self._imports()
        previous = imports.pop(name, None)
        anchors = combine_anchors(bound or {}, [item.anchors for item in imports.values()])
        found = self._authorities()
        return DirectoryContents(
            certificates=tuple(
                der for file_name, der in found.items() if not file_name.startswith(_IMPORTED)
            ),
            imported=sum(
                file_name.startswith(_IMPORTED) and not file_name.startswith(_prefix(name))
                for file_name in found
            ),
            anchors=anchors or {},
            previous=previous,
        )

    def install(self, plan: ImportPlan) -> None:
        """Put a plan into effect; a crash anywhere leaves the last import or this one, and the same command ends it.

        Nothing that stands in ``csca/`` without a binding is trusted for anything. So certificates come first, roots before
        links; then the one file that binds them; then what is not wanted any more goes, links before roots.

        Raises:
            RecordError: ``trust.unwritable``.
        """
        csca, anchors = self.path / "csca", self.path / "anchors"
        prefix = _prefix(plan.record.name)
        wanted = {_file_name(plan.record.name, item): item.der for item in plan.certificates}
        try:
            csca.mkdir(parents=True, exist_ok=True)
            anchors.mkdir(parents=True, exist_ok=True)
            for name, der in wanted.items():
                path = csca / name
                if not path.exists() or path.read_bytes() != der:
                    replace_file(path, der, mode=0o644)
            replace_file(anchors / f"{plan.record.name}.toml", plan.record.to_bytes(), mode=0o644)
            unwanted = [
                path
                for path in csca.iterdir()
                if path.name.startswith(prefix) and path.name not in wanted
            ]
            for path in sorted(unwanted, key=lambda item: (not _is_link(item.name), item.name)):
                path.unlink()
            sync_directory(csca)
        except OSError as error:
            raise RecordError(
                f"trust directory {str(self.path)!r} cannot be written: {error.strerror}",
                code="trust.unwritable",
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One import at a time.

        Raises:
            RecordError: ``record.locked``, ``trust.unwritable``.
        """
        try:
            (self.path / "anchors").mkdir(parents=True, exist_ok=True)
            file = (self.path / "anchors" / ".lock").open("ab")
        except OSError as error:
            raise RecordError(
                f"trust directory {str(self.path)!r} cannot be written: {error.strerror}",
                code="trust.unwritable",
            ) from error
        with file:
            lock_exclusively(file, name=f"trust directory {str(self.path)!r}")
            yield

    def _authorities(self) -> dict[str, bytes]:
        return read_folder(self.path / "csca", ".cer", MAX_CERTIFICATE_BYTES)

    def _imports(self) -> dict[str, ImportedAnchors]:
        files = read_folder(self.path / "anchors", ".toml", MAX_IMPORTED_ANCHORS_BYTES)
        found = {name: ImportedAnchors.from_bytes(data) for name, data in files.items()}
        for name, item in found.items():
            if name != f"{item.name}.toml":
                raise malformed(f"imported anchors {name!r} are called {item.name!r} inside")
        return {item.name: item for item in found.values()}


def _requires(purpose: object, check: str) -> bool:
    checks = purpose.get("required_checks") if isinstance(purpose, dict) else None
    return isinstance(checks, list) and check in checks


def _prefix(name: str) -> str:
    return f"{_IMPORTED}{name}_"


def _file_name(name: str, item: ListedCertificate) -> str:
    kind = "link" if item.is_link else "root"
    return f"{_prefix(name)}{item.country}_{item.fingerprint[:32]}_{kind}.cer"


def _is_link(file_name: str) -> bool:
    return file_name.endswith("_link.cer")
