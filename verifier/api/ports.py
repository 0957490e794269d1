"""What the page and the interface need of the terminal: given by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass

from verifier.services.terminal import Terminal

__all__ = ["PageServices", "ProgramLookup", "ProgramRight"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRight:
    """A paired program, and whether it is told whose card it is."""

    name: str
    may_see_holder: bool


ProgramLookup = Callable[[str], ProgramRight | None]
"""The program of a token; ``None`` where it is nobody's, or the list of programs cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageServices:
    """One terminal, what it is for, and who may ask it."""

    terminal: Terminal
    terminal_name: str
    purpose: str
    version: str
    reader_names: Callable[[], tuple[str, ...]]
    program_of: ProgramLookup
