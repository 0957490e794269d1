"""What the terminal proves to a chip, and which files it may then ask for (SPEC.md, 5.11 and 10).

Nothing is asked for that the chip would have to refuse: whether a right is there is known before anything is sent.
What the chip says is noted, never judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from card_layout.errors import AccessError, CardDataError, CardError
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.terminal_authentication_info import TerminalAuthenticationInfo
from card_layout.files.trust_points import TrustPoints
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from card_layout.protocols.file_reading import read_file_to_end
from card_layout.protocols.terminal_authentication import (
    CertificateToShow,
    SessionBinding,
    TerminalAuthenticationMalformedError,
    TerminalRefusedError,
)
from pki.card_verifiable.credentials import TerminalChain
from pki.errors import PkiError
from verifier.inspection.snapshot import ChipOutcome, FileOutcome
from verifier.inspection.terminal_evidence import TerminalEvidence, TerminalOutcome
from verifier.reading.conversation import ShownCredentials
from verifier.reading.evidence import Evidence

__all__ = ["NO_NEED", "NO_RIGHT", "REFUSED_DESPITE_RIGHT", "TerminalAccess", "TerminalProof"]

NO_RIGHT: Final = "data-group.no-right"
NO_NEED: Final = "data-group.not-needed"
REFUSED_DESPITE_RIGHT: Final = "data-group.refused-despite-right"

_TRUST_POINTS: Final = "EF.CVCA"
_SECURITY_OPTIONS: Final = "EF.DG14"
_FILE_IDENTIFIER: Final = 0x011C
_SHORT_IDENTIFIER: Final = 0x1C
_MAX_TRUST_POINTS_BYTES: Final = 255
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalAccess:
    """What a terminal can show, and which protected data groups its purpose needs; ``None``: all that it may read."""

    credentials: ShownCredentials | None = None
    needed: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalProof:
    """Terminal authentication of one reading; ``protected`` are the data groups that the profile keeps back."""

    access: TerminalAccess
    protected: frozenset[int]
    today: date
    evidence: Evidence = field(repr=False)

    @property
    def info(self) -> TerminalAuthenticationInfo | None:
        """What EF.DG14 announces: version 1 where it can be chosen; ``None`` where nothing is announced."""
        try:
            infos = SecurityOptions.from_bytes(
                self.evidence.content(_SECURITY_OPTIONS) or b""
            ).security_infos.terminal_authentication_infos
        except CardDataError:
            return None
        spoken = [item for item in infos if item.version == _VERSION]
        return next(iter((*spoken, *infos)), None)

    def perform(self, channel: CardChannel, binding: SessionBinding | None) -> None:
        """Read EF.CVCA, choose a chain, prove the terminal; ``binding`` is ``None`` in a session that has none.

        Raises:
            TransportError: the exchange broke off.
            AccessError: the session is over.
            ReadingLimitError: a bound was reached.
        """
        info = self.info
        if info is None:
            return
        trust_points = self._read_trust_points(channel, info)
        try:
            chain = self._choose(info, trust_points, binding)
        except _NotAttemptedError as error:
            self.evidence.note_terminal(
                TerminalEvidence(outcome=TerminalOutcome.NOT_ATTEMPTED, code=error.code)
            )
            return
        credentials = self.access.credentials
        if credentials is not None and binding is not None:
            self._show(channel, chain, credentials, binding)

    def reason_to_leave_out(self, number: int) -> str | None:
        """Why a data group is not asked for; ``None`` where it is.

        A chip that announces no terminal authentication protects nothing by it.
        """
        if number not in self.protected or self.info is None:
            return None
        if not self._needs(number):
            return NO_NEED
        terminal = self.evidence.terminal
        is_in = terminal is not None and terminal.outcome is TerminalOutcome.SUCCEEDED
        return None if terminal is not None and is_in and number in terminal.granted else NO_RIGHT

    def note_refusal(self, number: int) -> None:
        """Give a protected file a code of its own that the chip did not give although the terminal may read it."""
        name = f"EF.DG{number}"
        if (
            number in self.protected
            and self.info is not None
            and self.evidence.outcome(name) is FileOutcome.REFUSED
        ):
            self.evidence.note_file(name, FileOutcome.REFUSED, code=REFUSED_DESPITE_RIGHT)

    def _needs(self, number: int) -> bool:
        return self.access.needed is None or number in self.access.needed

    def _read_trust_points(
        self, channel: CardChannel, info: TerminalAuthenticationInfo
    ) -> tuple[bytes, ...]:
        """What EF.CVCA names; nothing where it names nothing, and check 9.21 says so."""
        content = self.evidence.of_file(
            _TRUST_POINTS,
            lambda: read_file_to_end(
                channel,
                short_identifier=_SHORT_IDENTIFIER
                if info.file_identifier is None
                else info.short_identifier,
                file_identifier=info.file_identifier or _FILE_IDENTIFIER,
                maximum_bytes=_MAX_TRUST_POINTS_BYTES,
            ),
        )
        try:
            return () if content is None else TrustPoints.from_bytes(content).references
        except CardDataError:
            return ()

    def _choose(
        self,
        info: TerminalAuthenticationInfo,
        trust_points: tuple[bytes, ...],
        binding: SessionBinding | None,
    ) -> TerminalChain:
        credentials = self.access.credentials
        if credentials is None:
            raise _NotAttemptedError("terminal-authentication.no-credentials")
        if (
            info.version != _VERSION
            or binding is None
            or self.evidence.chip_outcome is not ChipOutcome.PROVEN
        ):
            # TR-03110-3, 2.3: a terminal proves itself to a chip that has proven itself, and to none other.
            raise _NotAttemptedError("terminal-authentication.not-possible")
        if not any(map(self._needs, self.protected)):
            raise _NotAttemptedError("terminal-authentication.not-needed")
        if not trust_points:
            raise _NotAttemptedError("terminal-authentication.trust-points-malformed")
        try:
            chain = credentials.chain_from(trust_points, on=self.today)
        except PkiError as error:
            raise _NotAttemptedError(error.code) from error
        if not any(map(self._needs, chain.data_groups & self.protected)):
            raise _NotAttemptedError("terminal-authentication.no-right")
        return chain

    def _show(
        self,
        channel: CardChannel,
        chain: TerminalChain,
        credentials: ShownCredentials,
        binding: SessionBinding,
    ) -> None:
        evidence = TerminalEvidence(
            outcome=TerminalOutcome.FAILED,
            code="terminal-authentication.broken-off",
            trust_point=chain.trust_point.text,
            chain=tuple(item.body.holder_reference.text for item in chain.certificates),
            granted=tuple(sorted(chain.data_groups)),
        )
        self.evidence.note_terminal(evidence)
        try:
            self.evidence.conversation.terminal_authentication(
                channel,
                chain=list(_to_show(chain)),
                holder_reference=credentials.holder_reference.to_bytes(),
                binding=binding,
                sign=credentials.sign,
            )
        except TerminalRefusedError as error:
            evidence = replace(evidence, outcome=TerminalOutcome.REFUSED_BY_CHIP, code=error.code)
        except (AccessError, ReadingLimitError):
            raise
        except TerminalAuthenticationMalformedError as error:
            evidence = replace(evidence, code=error.code)
        except CardDataError:
            evidence = replace(evidence, code=TerminalAuthenticationMalformedError.default_code)
        except PkiError:
            # The key's trouble is the terminal's: the card is read without it.
            evidence = replace(evidence, code="terminal-authentication.key-failed")
        else:
            evidence = replace(evidence, outcome=TerminalOutcome.SUCCEEDED, code=None)
        self.evidence.note_terminal(evidence)


class _NotAttemptedError(CardError):
    """Nothing was sent; the code tells why."""

    def __init__(self, code: str) -> None:
        super().__init__(code, code=code)


def _to_show(chain: TerminalChain) -> Iterable[CertificateToShow]:
    for certificate, encoded in zip(chain.certificates, chain.encoded, strict=True):
        yield CertificateToShow(
            authority_reference=certificate.body.authority_reference.to_bytes(),
            content=encoded,
        )
