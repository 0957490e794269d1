"""The composition root of the terminal: reader, reading, journal and page put together."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from card_layout.errors import CardError
from card_layout.transport.connection import CardReader
from card_layout.transport.readers import list_readers, open_reader
from verifier.bootstrap import DEFAULT_PROFILE, Verifier, open_verifier
from verifier.db.journal import SqlInspectionJournal
from verifier.db.schema import check_migrations
from verifier.inspection.explained_material import Material
from verifier.inspection.explanation import explain_inspection
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.report import Verdict
from verifier.inspection.snapshot import Phase
from verifier.reading.awaited_reader import AwaitedReader
from verifier.reading.watched_conversation import WatchedConversation
from verifier.services.card_identity import card_identity, chip_identity
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import Inspection
from verifier.services.terminal import Terminal
from verifier.services.terminal_ports import Examined, ProgressListener
from verifier.services.terminal_state import Progress, ReadingStep
from verifier.trust.changes import fingerprint_of
from verifier.trust.credentials import CredentialsSource
from verifier.trust.installed import installed
from verifier.trust.refused_cards import RefusedCard, RefusedCards
from verifier.trust.signed_evidence import signed_by_terminal
from verifier.trust.terminal_home import TerminalHome

__all__ = ["OpenTerminal", "check_database", "open_journal", "open_terminal", "reader_names"]

_STEPS: Final = {
    Phase.CONNECT: ReadingStep.CONNECT,
    Phase.ACCESS: ReadingStep.ACCESS,
    Phase.CHIP: ReadingStep.CHIP,
    Phase.FILES: ReadingStep.FILES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTerminal:
    """A terminal ready to run, and its home."""

    terminal: Terminal
    journal: SqlInspectionJournal
    home: TerminalHome
    name: str
    purpose: str


@contextmanager
def open_terminal(
    *,
    reader_name: str,
    trust_directory: Path,
    home: TerminalHome,
    profile_name: str = DEFAULT_PROFILE,
    purpose: str | None = None,
    credentials: CredentialsSource | None = None,
    keep_refused: Path | None = None,
    find_reader: Callable[[str], CardReader] = open_reader,
) -> Iterator[OpenTerminal]:
    """Load what is trusted, open the journal, and watch for a reader of that name, there now or later.

    ``keep_refused`` is the certificate of the office to which snapshots of refused cards are sealed, below the home.
    ``find_reader`` finds it by its name, as often as it was gone.

    Raises:
        TrustError: the trust directory or its policy is broken, or does not know the purpose.
        VerifierError: the home or its journal cannot be used.
    """
    home.prepare()
    refused = None if keep_refused is None else RefusedCards.open(home.refused, keep_refused)
    with (
        open_verifier(
            reader_name=reader_name,
            trust_directory=trust_directory,
            profile_name=profile_name,
            purpose=purpose,
            credentials=credentials,
            find_reader=lambda name: AwaitedReader(name, find=find_reader),
        ) as verifier,
        open_journal(home) as journal,
    ):

        def keep_for(days: int) -> None:
            journal.keep_for(days, known_past=verifier.clock.known_past)
            if refused is not None:
                refused.drop_older_than(
                    days, now=verifier.clock.known_past(), told=verifier.clock.now()
                )

        keep_for(verifier.rules.policy.journal_days)
        # The first picture's decoder is ready before the first card.
        verifier.decoder.prepare()
        chosen = purpose or verifier.rules.policy.default_purpose or ""
        yield OpenTerminal(
            terminal=Terminal(
                reader=verifier.reader,
                examine=_Examination(
                    verifier, trust_directory, chosen, keep_for=keep_for, refused=refused
                ),
                journal=journal,
                clock=verifier.clock,
            ),
            journal=journal,
            home=home,
            name=home.terminal_name(),
            purpose=chosen,
        )


@contextmanager
def open_journal(home: TerminalHome) -> Iterator[SqlInspectionJournal]:
    """The journal of a home.

    Raises:
        VerifierError: it cannot be used, or is another terminal's.
    """
    home.prepare()
    journal = SqlInspectionJournal.open(
        home.journal, terminal=home.terminal_name(), key=home.journal_key()
    )
    with closing(journal):
        yield journal


def check_database() -> None:
    """Compare the migrations of the terminal's database with its tables.

    Raises:
        VerifierError: they differ.
    """
    check_migrations()


def reader_names() -> tuple[str, ...]:
    """The PC/SC readers of this computer; none where PC/SC is not there or fails."""
    try:
        return list_readers()
    except CardError:
        return ()


class _Examination:
    """Implements ``Examiner`` with the reading and the inspection."""

    def __init__(
        self,
        verifier: Verifier,
        trust_directory: Path,
        purpose: str,
        *,
        keep_for: Callable[[int], None],
        refused: RefusedCards | None,
    ) -> None:
        self._refused = refused
        self._keep_for = keep_for
        self._verifier = verifier
        self._reader = verifier.reader
        self._trust_directory = trust_directory
        self._trusted = fingerprint_of(trust_directory)
        self._purpose = purpose

    def __call__(self, password: CardPassword, tell: ProgressListener) -> Examined:
        self._renew_trust()
        pictures: list[bytes] = []

        def try_portrait(image: bytes) -> PortraitOutcome:
            tell(Progress(step=ReadingStep.JUDGE))
            outcome, png = self._verifier.decoder.decode(image)
            if png is not None:
                pictures.append(png)
            return outcome

        inspection = self._verifier.inspect(
            self._reader,
            password,
            conversation=WatchedConversation(
                lambda phase, files: tell(Progress(step=_STEPS[phase], files=files))
            ),
            try_portrait=try_portrait,
        )
        report, rules = inspection.report, self._verifier.rules
        self._keep_refused(inspection)
        explanation = explain_inspection(
            Material(
                snapshot=inspection.snapshot,
                policy=rules.policy,
                trust=rules.anchors,
                now=report.judged_at,
            ),
            report,
        )
        return Examined(
            report=report,
            explanation=explanation,
            purpose=self._purpose,
            card=card_identity(inspection.snapshot),
            chip=chip_identity(inspection.snapshot),
            portrait=pictures[0] if pictures and report.verdict is Verdict.ACCEPTED else None,
        )

    def _keep_refused(self, inspection: Inspection) -> None:
        """As with the journal: nothing is shown of a refused card that should have been kept and was not."""
        report = inspection.report
        if self._refused is None or report.verdict is not Verdict.REFUSED:
            return
        bundle = installed(self._trust_directory)
        card = RefusedCard(
            judged_at=report.judged_at,
            purpose=self._verifier.rules.purpose,
            bundle=None if bundle is None else bundle.sha256,
            report=report.to_json(show_unverified=True),
            snapshot=inspection.snapshot,
        )
        credentials = self._verifier.credentials
        self._refused.keep(card if credentials is None else signed_by_terminal(card, credentials))

    def _renew_trust(self) -> None:
        """Lists that came since the last card count for this one; with a broken directory nothing is judged."""
        found = fingerprint_of(self._trust_directory)
        if found == self._trusted:
            return
        self._verifier = self._verifier.renewed(self._trust_directory)
        self._keep_for(self._verifier.rules.policy.journal_days)
        self._trusted = found
