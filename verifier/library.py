"""The verifier for other programs: one card, one call.

Whoever inspects card after card opens a ``Verifier`` once instead (``verifier.bootstrap.open_verifier``): it keeps what it
trusts, and the helper that decodes pictures.
"""

from datetime import datetime
from pathlib import Path

from card_layout.transport.connection import CardReader
from card_layout.transport.readers import open_reader
from verifier.bootstrap import DEFAULT_PROFILE, open_verifier
from verifier.inspection.report import Report, Verdict
from verifier.services.card_password import CardPassword

__all__ = ["CardPassword", "Report", "Verdict", "inspect"]


def inspect(
    reader: str | CardReader,
    password: CardPassword,
    *,
    trust: Path,
    profile: str = DEFAULT_PROFILE,
    purpose: str | None = None,
    at: datetime | None = None,
) -> Report:
    """Read and judge the card in a reader.

    Args:
        reader: a reader, or its name: that of PC/SC or a part of it, or ``scheme:rest`` for one that a package adds.
        password: what is printed on the card: ``CardPassword.from_can("123456")``, ``.from_mrz(...)``.
        trust: the trust directory.
        profile: the name of the card profile.
        purpose: one of the policy's purposes; its default one otherwise.
        at: judge at this time (aware) instead of now.

    Returns:
        The report. Whatever the card did is in it, under a stable code (docs/codes.md); ``accepted`` says that the card is
        genuine and counts, and never that it belongs to the person who brought it.

    Raises:
        TrustError: the trust directory or its policy is broken, or does not know the purpose.
        CardDataError: there is no such profile.
        TransportError: there is no such reader.
    """
    found = open_reader(reader) if isinstance(reader, str) else reader
    with open_verifier(
        reader_name=found.name,
        trust_directory=trust,
        profile_name=profile,
        purpose=purpose,
        at=at,
        find_reader=lambda _name: found,
    ) as terminal:
        return terminal.inspect(found, password).report
