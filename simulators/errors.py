"""Errors of the simulators, with the exit status that the command line gives them.

SimulatorError
├── ImageError       a card image is not what docs/card-image.md says, or could not be read or written
└── VirtualIccError  no virtual reader took our card, or it went away
"""

__all__ = ["ImageError", "SimulatorError", "VirtualIccError"]


class SimulatorError(Exception):
    """Anything that a simulator could not do; ``code`` is stable, ``hint`` says what may help."""

    default_code = "simulator.failed"
    exit_code = 2

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code if code is not None else self.default_code
        self.hint = hint


class ImageError(SimulatorError):
    """Bytes that are no card image, or a file that cannot be read or written."""

    default_code = "image.malformed"


class VirtualIccError(SimulatorError):
    """The virtual reader driver is not there, or stopped talking to us."""

    default_code = "virtual-icc.no-reader"
