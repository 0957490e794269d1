"""What of a home goes into a backup, and where it is found."""

import os
import stat
from pathlib import Path
from typing import Final

from pki.backup.archive import Source
from pki.backup.manifest import REQUESTS_PATH
from pki.errors import RecordError
from pki.home import Home

__all__ = ["ROOT_KEYSTORE", "SETTINGS", "collect_sources", "root_keystore_in_backup"]

SETTINGS: Final = "settings.toml"
ROOT_KEYSTORE: Final = "root-keystore"
"""Where the root's keystore stands in a backup if it lies outside the home."""

_LEFT_OUT: Final = frozenset(
    {"service.sqlite", "service.sqlite-wal", "service.sqlite-shm", "snapshots"}
)
"""The database is copied by its own means; snapshots are made anew from the journal."""

_PUBLIC: Final = frozenset(
    {
        "certificates",
        "crl",
        "stop",
        "card-verifiable",
        "master-list",
        "status",
        "bundle",
        "checkpoint",
    }
)
_RESERVED: Final = REQUESTS_PATH.split("/", maxsplit=1)[0]


def collect_sources(home: Home) -> list[Source]:
    """Every file of a home but the database, snapshots, the PIN file and what is unfinished; ordered by name.

    Raises:
        RecordError: ``backup.unreadable``; ``backup.unsuitable``: there is a link, or something that is no file.
    """
    settings = home.settings()
    sources = _walk(home.directory, "", left_out=settings.pin_file)
    root = settings.root_keystore
    if (
        root is not None
        and root_keystore_in_backup(home) == ROOT_KEYSTORE
        and not any(source.path.startswith(f"{ROOT_KEYSTORE}/") for source in sources)
    ):
        sources += _walk(root, f"{ROOT_KEYSTORE}/", left_out=settings.pin_file)
    return sorted(sources, key=lambda source: source.path)


def root_keystore_in_backup(home: Home) -> str | None:
    """The directory of the root's keystore in the backup; ``None`` if there is none, or its medium is not there."""
    root = home.settings().root_keystore
    if root is None or not root.is_dir():
        return None
    directory = home.directory.resolve()
    if root.resolve().is_relative_to(directory):
        return root.resolve().relative_to(directory).as_posix()
    return ROOT_KEYSTORE


def _walk(directory: Path, prefix: str, *, left_out: Path) -> list[Source]:
    sources: list[Source] = []
    try:
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = Path(entry.path)
            is_top = not prefix
            # Hidden files are what a killed process was about to rename.
            if entry.name.startswith(".") or (is_top and entry.name in _LEFT_OUT):
                continue
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                if is_top and entry.name == _RESERVED:
                    raise _unsuitable(path, "its name is the database's in a backup")
                sources += _walk(path, f"{prefix}{entry.name}/", left_out=left_out)
            elif stat.S_ISREG(mode):
                if path.resolve() != left_out.resolve():
                    sources.append(
                        Source(
                            path=prefix + entry.name, mode=_mode(prefix + entry.name), origin=path
                        )
                    )
            elif not stat.S_ISSOCK(mode):
                raise _unsuitable(path, "it is a link or no file")
    except OSError as error:
        raise RecordError(
            f"{directory} cannot be read: {error.strerror}", code="backup.unreadable"
        ) from error
    return sources


def _mode(path: str) -> int:
    return 0o644 if path.split("/", maxsplit=1)[0] in _PUBLIC else 0o600


def _unsuitable(path: Path, reason: str) -> RecordError:
    return RecordError(
        f"{path} cannot be in a backup: {reason}",
        code="backup.unsuitable",
        hint="put it elsewhere: a home holds what the program has put there",
    )
