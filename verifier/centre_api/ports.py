"""What the central service's API needs; ``verifier.bootstrap_centre`` puts it together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from verifier.centre.inspections import InspectionDesk
from verifier.centre.journals import JournalDesk
from verifier.centre.terminals import TerminalGate, TerminalRegister
from verifier.trust.current import LoadedTrust

__all__ = ["CentreServices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreServices:
    """Everything behind the routes.

    ``address`` is what terminals call this service by, as ``https://centre.example``, without a slash at its end; ``files``
    holds the published bundles; ``check`` raises where the database does not answer.
    """

    address: str
    gate: TerminalGate
    register: TerminalRegister
    desk: InspectionDesk
    journals: JournalDesk
    trust: Callable[[], LoadedTrust]
    files: Path
    check: Callable[[], None]
    now: Callable[[], datetime]
