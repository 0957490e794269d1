"""The pictures that come with a member list: files of one directory."""

import os
import stat
import unicodedata
from pathlib import Path

from issuer.domain.portrait import MAX_PICTURE_BYTES, require_picture_size
from issuer.errors import IssuerDataError, IssuerUnavailableError

__all__ = ["MAX_PICTURE_BYTES", "FolderPortraitSource"]


class FolderPortraitSource:
    """Reads pictures by file name, from this directory and from nowhere else."""

    def __init__(self, directory: Path) -> None:
        """Remember the directory.

        Raises:
            IssuerUnavailableError: there is none (``portraits.unavailable``).
        """
        if not directory.is_dir():
            raise IssuerUnavailableError(
                f"{directory} is not a directory", code="portraits.unavailable"
            )
        self._directory = directory

    def read(self, name: str) -> bytes:
        """The picture with this file name, in whichever normalisation form the disk keeps names.

        Raises:
            IssuerDataError: ``portrait.name``, ``portrait.missing``, ``portrait.too-large`` or
                ``portrait.unreadable``.
        """
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise IssuerDataError(
                "the portrait is not the name of a file within the portraits directory",
                code="portrait.name",
            )
        forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
        for form in dict.fromkeys(forms):
            try:
                # A link would lead out of the directory, and a named pipe would keep us waiting for ever.
                descriptor = os.open(
                    self._directory / form,
                    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                )
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise IssuerDataError(
                    "the portrait's file cannot be opened", code="portrait.unreadable"
                ) from error
            return _read_bounded(descriptor)
        raise IssuerDataError(
            "the portraits directory has no file with this name", code="portrait.missing"
        )


def _read_bounded(descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IssuerDataError("the portrait is not a file", code="portrait.unreadable")
    try:
        with os.fdopen(descriptor, "rb") as file:
            picture = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise IssuerDataError(
            "the portrait's file cannot be read", code="portrait.unreadable"
        ) from error
    require_picture_size(picture)
    return picture
