"""What is asked of a keystore that derives for somebody else: which master key, which label, which context."""

from dataclasses import dataclass, field

__all__ = ["Derivation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """One key of ``length`` bytes (1-64) from a master key; see ``Keystore.derive``."""

    key_id: str
    label: bytes
    context: bytes = field(repr=False)
    length: int
