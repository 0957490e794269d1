"""Decoding the portrait, which is a picture from whoever made the chip, outside of this process."""

import subprocess
import sys
from typing import Final

from verifier.errors import VerifierError
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.reading.portrait_process import MAX_INPUT_BYTES

__all__ = ["PortraitError", "decode_portrait", "try_portrait"]

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MAX_OUTPUT_BYTES: Final = 32 * 1024 * 1024
_MAX_SECONDS: Final = 10.0


class PortraitError(VerifierError):
    """There is no picture to show; the verdict does not depend on it."""

    default_code = "portrait.unreadable"


class _DecoderUnavailableError(PortraitError):
    """The decoder cannot be started, which says nothing about the picture."""


def try_portrait(image: bytes) -> PortraitOutcome:
    """Whether a picture can be decoded within its bounds: the evidence of SPEC.md, 9.23."""
    try:
        decode_portrait(image)
    except _DecoderUnavailableError:
        return PortraitOutcome.NOT_DECODED
    except PortraitError:
        return PortraitOutcome.UNDECODABLE
    return PortraitOutcome.DECODED


def decode_portrait(image: bytes, *, max_seconds: float = _MAX_SECONDS) -> bytes:
    """A JPEG or JPEG 2000 picture as PNG, without anything but its pixels.

    Raises:
        PortraitError: it is too long, cannot be decoded, has too many pixels, or takes too long.
    """
    if len(image) > MAX_INPUT_BYTES:
        raise PortraitError(
            f"the portrait has {len(image)} bytes, expected at most {MAX_INPUT_BYTES}"
        )
    try:
        # Our own module, by the interpreter that runs us; -I keeps the surroundings out of it.
        result = subprocess.run(
            [sys.executable, "-I", "-m", "verifier.reading.portrait_process"],
            input=image,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PortraitError(
            f"the portrait takes longer than {max_seconds:g} s to decode"
        ) from error
    except OSError as error:
        raise _DecoderUnavailableError(
            f"the portrait's decoder cannot be started ({error.strerror})"
        ) from error
    png = result.stdout
    if result.returncode != 0 or not png.startswith(_PNG_SIGNATURE) or len(png) > _MAX_OUTPUT_BYTES:
        raise PortraitError("the portrait cannot be decoded within its bounds")
    return png
