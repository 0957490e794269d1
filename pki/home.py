"""The home directory of an authority: settings, keystore, journal, published certificates and CRLs.

settings.toml   where the PIN file is, and the root's keystore if a quorum opens it
keystore/       the keys (pki.keys.open)
root-keystore/  the CSCA's keys, where a quorum opens them (pki.ceremony); it may lie elsewhere
ceremonies/     ID/transcript.jsonl: what was done in each ceremony
operators/      NAME/: each operator's own key, under the operator's own PIN
journal.jsonl   everything that was signed, or was about to be (pki.record.journal)
snapshots/      what the journal adds up to at an entry; made anew at will (pki.record.snapshot)
log/            the transparency log's hashes (pki.record.transparency_store)
checkpoint      the log's newest signed checkpoint, for others to keep
checkpoints/    SIZE.checkpoint: checkpoints with the cosignatures of witnesses, which prove how old a record is
status-lists/   NUMBER.status: every status list that was issued, for the check of the next one
certificates/   NAME.cer, crl/NAME.crl, stop/NAME.stop, master-list/NAME.ml, status/NAME.status and
                status/NAME-NUMBER.delta, bundle/NAME.bundle and bundle/NAME-NUMBER.delta, card-verifiable/NAME.cvcert: copies of what the journal holds, for others to fetch
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pki.durable import create_file, replace_file
from pki.errors import RecordError
from pki.keys.open import read_pin_file
from pki.services.operator_page import OperatorPage
from pki.signed.status_list import MAX_STATUS_LIST_BYTES
from pki.signed.trust_bundle import MAX_TRUST_BUNDLE_BYTES

__all__ = ["Home", "HomeSettings"]

_FORMAT: Final = 1
_MAX_SETTINGS_BYTES: Final = 65536
_PAGE_KEYS: Final = ("origin", "rp_id")
_MAX_CHECKPOINT_BYTES: Final = 65537
"""One more than a note may have, so that a longer one is refused and not cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeSettings:
    """What a home remembers between commands; both paths are absolute.

    ``root_keystore`` is there in a home whose CSCA's keys are opened by a quorum in ceremonies, ``operator_page`` where
    operators may sign with WebAuthn.
    """

    pin_file: Path
    root_keystore: Path | None = None
    operator_page: OperatorPage | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """One home directory; it need not exist yet."""

    directory: Path

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.directory / "journal.jsonl"

    @property
    def log(self) -> Path:
        """The transparency log's directory."""
        return self.directory / "log"

    @property
    def snapshots(self) -> Path:
        """Where snapshots of the journal are, which are never needed."""
        return self.directory / "snapshots"

    @property
    def keystore(self) -> Path:
        """The keystore's directory."""
        return self.directory / "keystore"

    @property
    def ceremonies(self) -> Path:
        """Where the transcripts of ceremonies are."""
        return self.directory / "ceremonies"

    @property
    def operators(self) -> Path:
        """Where operators' keys lie by default, each in a keystore of its own."""
        return self.directory / "operators"

    @property
    def service_database(self) -> Path:
        """Where the service's database is, unless another one was named."""
        return self.directory / "service.sqlite"

    @property
    def exists(self) -> bool:
        """Whether this is a home already."""
        return self._settings_file.exists()

    @property
    def _settings_file(self) -> Path:
        return self.directory / "settings.toml"

    def create(self, settings: HomeSettings) -> None:
        """Make the directory and write its settings.

        Raises:
            RecordError: ``home.exists``, ``home.unusable``.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.directory.chmod(0o700)
            create_file(self._settings_file, _settings_bytes(settings))
        except FileExistsError as error:
            raise RecordError(f"{self.directory} is a home already", code="home.exists") from error
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def change(self, settings: HomeSettings) -> None:
        """Write other settings over those that are there.

        Raises:
            RecordError: ``home.missing``, ``home.unusable``.
        """
        self.settings()
        self.replace_settings(settings)

    def replace_settings(self, settings: HomeSettings) -> None:
        """Write other settings, for a home that was moved.

        Raises:
            RecordError: ``home.unusable``.
        """
        try:
            replace_file(self._settings_file, _settings_bytes(settings))
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def settings(self) -> HomeSettings:
        """Read the settings.

        Raises:
            RecordError: ``home.missing``, ``home.unusable``.
        """
        if not self.exists:
            raise RecordError(
                f"{self.directory} is no home of an authority",
                code="home.missing",
                hint="membercard-pki --home DIR authority create",
            )
        try:
            with self._settings_file.open("rb") as file:
                found = tomllib.loads(file.read(_MAX_SETTINGS_BYTES).decode())
        except (OSError, ValueError, RecursionError) as error:
            raise _unusable(self.directory, error) from error
        pin_file = found.get("pin_file")
        root_keystore = found.get("root_keystore")
        page = found.get("operator_page")
        if (
            found.get("format") != _FORMAT
            or not isinstance(pin_file, str)
            or not isinstance(root_keystore, str | None)
            or not isinstance(page, dict | None)
            or not (page is None or all(isinstance(page.get(key), str) for key in _PAGE_KEYS))
        ):
            raise RecordError(
                f"{self._settings_file} is not of format {_FORMAT}", code="home.unusable"
            )
        return HomeSettings(
            pin_file=Path(pin_file),
            root_keystore=None if root_keystore is None else Path(root_keystore),
            operator_page=(
                None
                if page is None
                else OperatorPage.checked(origin=page["origin"], rp_id=page["rp_id"])
            ),
        )

    def read_pin(self, given: Path | None) -> str:
        """The PIN from the file given, or from the one that the home remembers.

        Raises:
            KeystoreError: ``keystore.pin-file``.
            RecordError: ``home.missing``, ``home.unusable``.
        """
        settings = self.settings()
        return read_pin_file(given if given is not None else settings.pin_file)

    def publish_certificate(self, name: str, der: bytes) -> None:
        """See ``pki.services.publication.Publication``."""
        self._publish(self.directory / "certificates" / f"{name}.cer", der)

    def publish_crl(self, name: str, der: bytes) -> None:
        """See ``pki.services.publication.Publication``."""
        self._publish(self.directory / "crl" / f"{name}.crl", der)

    def publish_checkpoint(self, note: bytes) -> None:
        """See ``pki.services.log_keeper.CheckpointShelf``."""
        self._publish(self._checkpoint_file, note)

    def read_checkpoint(self) -> bytes | None:
        """See ``pki.services.log_keeper.CheckpointShelf``."""
        try:
            return _read_bounded(self._checkpoint_file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def publish_cosigned(self, size: int, note: bytes) -> None:
        """Keep a checkpoint of so many leaves with the cosignatures of witnesses.

        Raises:
            RecordError: ``home.unusable``.
        """
        self._publish(self._cosigned / f"{size:018}.checkpoint", note)

    def read_cosigned(self) -> tuple[bytes, ...]:
        """The checkpoints with cosignatures, by their size.

        Raises:
            RecordError: ``home.unusable``.
        """
        if not self._cosigned.exists():
            return ()
        try:
            return tuple(
                _read_bounded(path) for path in sorted(self._cosigned.glob("*.checkpoint"))
            )
        except OSError as error:
            raise _unusable(self.directory, error) from error

    @property
    def _cosigned(self) -> Path:
        return self.directory / "checkpoints"

    def set_checkpoint_aside(self) -> None:
        """Keep the newest checkpoint as ``checkpoint.before-restore``: the log's next epoch has none yet.

        Raises:
            RecordError: ``home.unusable``.
        """
        try:
            if self._checkpoint_file.exists():
                aside = self._checkpoint_file.with_name("checkpoint.before-restore")
                self._checkpoint_file.replace(aside)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    @property
    def _checkpoint_file(self) -> Path:
        return self.directory / "checkpoint"

    def publish_cv_certificate(self, name: str, content: bytes) -> None:
        """See ``pki.services.terminal_authority.CvPublication``."""
        self._publish(self.directory / "card-verifiable" / f"{name}.cvcert", content)

    def publish_stop_list(self, name: str, der: bytes) -> None:
        """See ``pki.services.publication.Publication``."""
        self._publish(self.directory / "stop" / f"{name}.stop", der)

    def publish_master_list(self, name: str, der: bytes) -> None:
        """See ``pki.services.publication.Publication``."""
        self._publish(self.directory / "master-list" / f"{name}.ml", der)

    def keep_status_list(self, number: int, der: bytes) -> None:
        """See ``pki.services.status_lists.StatusListShelf``."""
        self._publish(self._kept_status_list(number), der)

    def kept_status_list(self, number: int) -> bytes | None:
        """See ``pki.services.status_lists.StatusListShelf``."""
        return self._read_kept(self._kept_status_list(number), MAX_STATUS_LIST_BYTES)

    def publish_status_list(self, name: str, der: bytes) -> None:
        """See ``pki.services.status_lists.StatusListShelf``."""
        self._publish(self.directory / "status" / f"{name}.status", der)

    def publish_status_delta(self, name: str, number: int, data: bytes) -> None:
        """See ``pki.services.status_lists.StatusListShelf``."""
        self._publish(self.directory / "status" / f"{name}-{number}.delta", data)

    def publish_status_token(self, list_id: bytes, token: bytes) -> None:
        """See ``pki.services.status_tokens.StatusTokenShelf``."""
        self._publish(self.directory / "status" / "tokens" / list_id.hex(), token)

    def published_trust_bundle(self, name: str) -> bytes | None:
        """See ``pki.services.trust_bundles.TrustBundleShelf``."""
        return self._read_kept(self._trust_bundle(name), MAX_TRUST_BUNDLE_BYTES)

    def publish_trust_bundle(self, name: str, der: bytes) -> None:
        """See ``pki.services.trust_bundles.TrustBundleShelf``."""
        self._publish(self._trust_bundle(name), der)

    def publish_trust_delta(self, name: str, number: int, data: bytes) -> None:
        """See ``pki.services.trust_bundles.TrustBundleShelf``."""
        self._publish(self.directory / "bundle" / f"{name}-{number}.delta", data)

    def _trust_bundle(self, name: str) -> Path:
        return self.directory / "bundle" / f"{name}.bundle"

    def _read_kept(self, path: Path, maximum_bytes: int) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(maximum_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def _kept_status_list(self, number: int) -> Path:
        return self.directory / "status-lists" / f"{number:019}.status"

    def _publish(self, path: Path, der: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.read_bytes() == der:
                return
            replace_file(path, der, mode=0o644)
        except OSError as error:
            raise _unusable(self.directory, error) from error


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_CHECKPOINT_BYTES)


def _settings_bytes(settings: HomeSettings) -> bytes:
    lines = [f"format = {_FORMAT}", f"pin_file = {_toml_text(settings.pin_file)}"]
    if settings.root_keystore is not None:
        lines.append(f"root_keystore = {_toml_text(settings.root_keystore)}")
    page = settings.operator_page
    if page is not None:
        lines += [
            "[operator_page]",
            f"origin = {_toml_text(page.origin)}",
            f"rp_id = {_toml_text(page.rp_id)}",
        ]
    return ("\n".join(lines) + "\n").encode()


def _toml_text(value: Path | str) -> str:
    # A JSON text is a TOML basic string, too.
    return json.dumps(str(value), ensure_ascii=False)


def _unusable(directory: Path, error: Exception) -> RecordError:
    reason = error.strerror if isinstance(error, OSError) else "its settings cannot be read"
    return RecordError(f"home {directory} cannot be used: {reason}", code="home.unusable")
