"""Decoding the portrait, which is a picture from whoever made the chip, outside of this process."""

import subprocess
import sys
from contextlib import suppress
from typing import Final

from verifier.errors import VerifierError
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.reading.portrait_process import MAX_INPUT_BYTES

__all__ = ["PortraitDecoder", "PortraitError", "decode_portrait"]

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MAX_OUTPUT_BYTES: Final = 32 * 1024 * 1024
_MAX_SECONDS: Final = 10.0


class PortraitError(VerifierError):
    """There is no picture to show; the verdict does not depend on it."""

    default_code = "portrait.unreadable"


class _DecoderUnavailableError(PortraitError):
    """The decoder cannot be started, which says nothing about the picture."""


class PortraitDecoder:
    """Tries one picture after another, each in a process of its own, which is started before its picture is there.

    What starting takes is so spent while the card is read. A process that nobody needed ends with ``close``, and with
    this one: it waits for input that has then ended.
    """

    def __init__(self, *, max_seconds: float = _MAX_SECONDS) -> None:
        self._max_seconds = max_seconds
        self._waiting: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Start the process of the next picture; one that cannot be started is said by ``try_portrait``."""
        if self._waiting is None:
            with suppress(PortraitError):
                self._waiting = _start()

    def try_portrait(self, image: bytes) -> PortraitOutcome:
        """Whether a picture can be decoded within its bounds: the evidence of SPEC.md, 9.23."""
        outcome, _ = self.decode(image)
        return outcome

    def decode(self, image: bytes) -> tuple[PortraitOutcome, bytes | None]:
        """The same, and the picture as PNG where there is one."""
        process, self._waiting = self._waiting, None
        try:
            png = _decode(_start() if process is None else process, image, self._max_seconds)
        except _DecoderUnavailableError:
            return PortraitOutcome.NOT_DECODED, None
        except PortraitError:
            return PortraitOutcome.UNDECODABLE, None
        return PortraitOutcome.DECODED, png

    def close(self) -> None:
        """End the process that still waits; closing twice is harmless."""
        process, self._waiting = self._waiting, None
        if process is not None:
            _end(process)


def decode_portrait(image: bytes, *, max_seconds: float = _MAX_SECONDS) -> bytes:
    """A JPEG or JPEG 2000 picture as PNG, without anything but its pixels.

    Raises:
        PortraitError: it is too long, cannot be decoded, has too many pixels, or takes too long.
    """
    return _decode(_start(), image, max_seconds)


def _start() -> subprocess.Popen[bytes]:
    try:
        # Our own module, by the interpreter that runs us; -I keeps the surroundings out of it.
        return subprocess.Popen(
            [sys.executable, "-I", "-m", "verifier.reading.portrait_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise _DecoderUnavailableError(
            f"the portrait's decoder cannot be started ({error.strerror})"
        ) from error


def _decode(process: subprocess.Popen[bytes], image: bytes, max_seconds: float) -> bytes:
    try:
        if len(image) > MAX_INPUT_BYTES:
            raise PortraitError(
                f"the portrait has {len(image)} bytes, expected at most {MAX_INPUT_BYTES}"
            )
        png, _ = process.communicate(image, timeout=max_seconds)
    except subprocess.TimeoutExpired as error:
        raise PortraitError(
            f"the portrait takes longer than {max_seconds:g} s to decode"
        ) from error
    finally:
        _end(process)
    if (
        process.returncode != 0
        or not png.startswith(_PNG_SIGNATURE)
        or len(png) > _MAX_OUTPUT_BYTES
    ):
        raise PortraitError("the portrait cannot be decoded within its bounds")
    return png


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it is left over, whether it ended by itself or not."""
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
