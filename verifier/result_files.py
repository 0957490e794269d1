"""What is kept of each card where somebody asked for it: the report, and the portrait as a picture."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from verifier.errors import VerifierError
from verifier.inspection.holder import read_portrait
from verifier.inspection.report import Verdict
from verifier.reading.portrait_decoding import PortraitError, decode_portrait
from verifier.services.inspect_batch import BatchEntry
from verifier.services.inspect_card import Inspection

__all__ = ["ResultFiles", "document", "write_private"]


def document(inspection: Inspection, *, show_unverified: bool) -> dict[str, object]:
    """The report as JSON, with the time that judging took."""
    return inspection.report.to_json(
        show_unverified=show_unverified, judge_seconds=inspection.judge_seconds
    )


class ResultFiles:
    """Saves what was asked to be kept of each card."""

    def __init__(
        self,
        *,
        portraits: Path | None,
        reports: Path | None,
        show_unverified: bool,
        complain: Callable[[VerifierError], None],
    ) -> None:
        """Make the directories that are missing.

        Raises:
            VerifierError: ``output.failed``.
        """
        self._portraits = portraits
        self._reports = reports
        self._show_unverified = show_unverified
        self._complain = complain
        for directory in (portraits, reports):
            if directory is not None:
                _or_output_error(directory, lambda path: path.mkdir(parents=True, exist_ok=True))

    def __call__(self, entry: BatchEntry, inspection: Inspection) -> None:
        """Write report and portrait; a picture that cannot be decoded is only complained about.

        Raises:
            VerifierError: ``output.failed``.
        """
        if self._reports is not None:
            result = document(inspection, show_unverified=self._show_unverified)
            text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
            write_private(self._reports / f"{entry.label}.json", text.encode())
        if self._portraits is not None and (
            self._show_unverified or inspection.report.verdict is Verdict.ACCEPTED
        ):
            image = read_portrait(inspection.snapshot)
            if image is None:
                return
            try:
                write_private(self._portraits / f"{entry.label}.png", decode_portrait(image))
            except PortraitError as error:
                self._complain(PortraitError(f"{entry.label}: {error}", code=error.code))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that is readable by its owner only.

    Raises:
        VerifierError: ``output.failed``.
    """

    def write(target: Path) -> None:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # A file that was there before may have been readable by others.
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)

    _or_output_error(path, write)


def _or_output_error(path: Path, act: Callable[[Path], Any]) -> None:
    try:
        act(path)
    except OSError as error:
        raise VerifierError(
            f"{str(path)!r} cannot be written ({error.strerror})", code="output.failed"
        ) from error
