"""Reading a card: from the first byte to a snapshot, with the fewest commands and within bounds (SPEC.md, 4 and 5).

The order is: ATR, EF.CardAccess, EF.ATR/INFO, PACE, the application, EF.DG14, chip authentication, and then every
other file under the keys that only the genuine chip has; the first answer under them is its proof. Nothing is
judged here. Whatever the chip does ends in a snapshot that says how far the reading came.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.errors import (
    AccessError,
    CardDataError,
    CardError,
    CardRefusedError,
    TransportError,
)
from card_layout.files.atr_info import AtrInfo
from card_layout.files.card_access import CardAccess
from card_layout.files.data_groups import TAG_OF_GROUP
from card_layout.files.security_infos import ChipAuthenticationPublicKeyInfo, PaceInfo
from card_layout.iso7816.channel import CardChannel, ExtendedLengths, ReadingLimitError
from card_layout.iso7816.status_words import StatusWord
from card_layout.profile import AccessRule, CardProfile
from card_layout.protocols.file_reading import (
    read_card_access,
    read_file,
    read_file_to_end,
    select_application,
)
from card_layout.protocols.pace import PaceUnsupportedError, WrongPasswordError
from card_layout.protocols.terminal_authentication import SessionBinding
from card_layout.transport.connection import CardConnection, CardReader
from verifier.inspection.access_checks import usable_pace_infos
from verifier.inspection.snapshot import (
    MAX_FILE_BYTES,
    AccessOutcome,
    AccessPath,
    CardSnapshot,
    ChipOutcome,
    FileOutcome,
    Phase,
)
from verifier.reading.bounded import Deadline, run_bounded
from verifier.reading.chip_proofs import (
    announced_keys,
    collect_signature,
    find_mapped_key,
)
from verifier.reading.conversation import Conversation
from verifier.reading.evidence import Evidence
from verifier.reading.file_names import CARD_SECURITY_FILE, FileName
from verifier.reading.named_groups import named_groups
from verifier.reading.terminal_proof import TerminalAccess, TerminalProof
from verifier.services.card_password import CardPassword

__all__ = ["MAX_SECONDS", "read_card"]

logger = logging.getLogger(__name__)

MAX_SECONDS: Final = 10.0
"""How long an inspection may take (SPEC.md, 4.8)."""

_ATR_INFO: Final = ("EF.ATR/INFO", 0x01)
_MAX_ATR_INFO_BYTES: Final = 1024
_CARD_ACCESS: Final = "EF.CardAccess"
_COMMON_DATA: Final = "EF.COM"
_SECURITY_OBJECT: Final = "EF.SOD"
_SECURITY_OPTIONS: Final = "EF.DG14"
_TRUST_POINTS: Final = "EF.CVCA"
_PROTECTED_BY_TEMPLATE: Final = frozenset({3, 4})
"""Data groups that ICAO Doc 9303 keeps for terminals with a right, whatever the profile says (SPEC.md, 10.1)."""

_NO_TERMINAL_ACCESS: Final = TerminalAccess()
_LIVE: Final = Conversation()
_GROUP_NUMBERS: Final = {f"EF.DG{number}": number for number in TAG_OF_GROUP}

_OPENING_STATES: Final = (None, LifeCycle.OPERATIONAL, LifeCycle.PERSONALISED)
"""States in which a chip opens a session (SPEC.md, 6.2); one that tells none is asked."""


class _ReadingOverError(Exception):
    """The reading ends here, in good order: ``code`` is what the snapshot says about it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_card(
    reader: CardReader,
    *,
    password: CardPassword,
    profile: CardProfile,
    pace_parameter_ids: frozenset[int],
    now: datetime,
    monotonic: Callable[[], float],
    max_seconds: float = MAX_SECONDS,
    allow_bac: bool = False,
    terminal: TerminalAccess = _NO_TERMINAL_ACCESS,
    conversation: Conversation = _LIVE,
) -> CardSnapshot:
    """Read the card in the reader; nothing that it does raises.

    Args:
        reader: where the card is.
        password: what opens it.
        profile: the files to ask for.
        pace_parameter_ids: the domain parameters that policy allows for PACE.
        now: the time that the snapshot bears.
        monotonic: a clock in seconds, for the bounds and the durations.
        max_seconds: the end of patience.
        allow_bac: whether policy names basic access control, for a chip without EF.CardAccess (SPEC.md, 5.7).
        terminal: what the terminal can show to a chip that keeps files for terminals with a right (SPEC.md, 5.11).
        conversation: how it is asked: live, recorded, or played again from a transcript.
    """
    deadline = Deadline(max_seconds, monotonic)
    reading = _Reading(
        password=password,
        profile=profile,
        pace_parameter_ids=pace_parameter_ids,
        monotonic=monotonic,
        deadline=deadline,
        allow_bac=allow_bac,
        terminal=replace(terminal, credentials=conversation.credentials(terminal.credentials)),
        today=now.astimezone(UTC).date(),
        conversation=conversation,
    )
    run_bounded(
        reading.run,
        reader=reader,
        deadline=deadline,
        cut=lambda: reading.evidence.seal(ReadingLimitError.default_code),
    )
    return reading.evidence.snapshot(profile=profile.name, read_at=now)


class _Reading:
    """One reading under way; every step leaves its evidence behind, so that it may break off anywhere."""

    def __init__(
        self,
        *,
        password: CardPassword,
        profile: CardProfile,
        pace_parameter_ids: frozenset[int],
        monotonic: Callable[[], float],
        deadline: Deadline,
        allow_bac: bool,
        terminal: TerminalAccess,
        today: date,
        conversation: Conversation,
    ) -> None:
        self._password = password
        self._profile = profile
        self._files = {
            file.name: FileName(
                name=file.name,
                short_identifier=file.short_identifier,
                file_identifier=file.file_identifier,
            )
            for file in profile.application_files
        }
        self._pace_parameter_ids = pace_parameter_ids
        self._deadline = deadline
        self._allow_bac = allow_bac
        self._is_chip_done = False
        self.evidence = Evidence(monotonic, conversation)
        self._chip_key: bytes | None = None
        self._terminal_key: bytes | None = None
        self._terminal = TerminalProof(
            access=terminal,
            protected=_PROTECTED_BY_TEMPLATE
            | {
                file.data_group
                for file in profile.application_files
                if file.data_group is not None and file.read is AccessRule.TERMINAL
            },
            today=today,
            evidence=self.evidence,
        )

    def run(self, reader: CardReader) -> None:
        """All phases; what breaks them off becomes the snapshot's problem."""
        try:
            with self.evidence.timed(Phase.CONNECT):
                connection = self.evidence.conversation.connect(reader)
            try:
                self._read(connection)
            finally:
                connection.close()
        except _ReadingOverError as over:
            self.evidence.break_off(over.code)
        except CardError as error:
            self.evidence.break_off(error.code)
        except Exception as error:  # noqa: BLE001 - whatever a chip makes break, a report follows; it refuses the card
            # Only the kind of the error is logged: its text may hold data of the card.
            logger.error("reading broke with %s", type(error).__name__)  # noqa: TRY400 - a traceback may hold card data
            self.evidence.break_off("reading.broken")

    def _read(self, connection: CardConnection) -> None:
        channel = self.evidence.conversation.open_channel(connection, self._deadline.check)
        self.evidence.begin(channel)
        with self.evidence.timed(Phase.ACCESS):
            pace_info = self._read_pace_info(channel)
            self._read_atr_info(channel)
            self._enter(channel, pace_info)
        with self.evidence.timed(Phase.CHIP):
            self._read_file(channel, self._file(_SECURITY_OPTIONS))
            is_proven = self._authenticate_chip(channel)
        with self.evidence.timed(Phase.FILES):
            if not is_proven:
                # The session went with the attempt. The data may still be genuine: read it in a new one.
                channel.reset()
                self._enter(channel, pace_info)
            self._terminal.perform(channel, self._binding())
            self._read_files(channel)
            collect_signature(self.evidence, channel)
        self.evidence.complete()

    def _binding(self) -> SessionBinding | None:
        """The keys of the session; ``None`` after basic access control, or where the chip proved nothing in it."""
        if self._chip_key is None or self._terminal_key is None:
            return None
        return SessionBinding(chip_key=self._chip_key, terminal_key=self._terminal_key)

    def _read_pace_info(self, channel: CardChannel) -> PaceInfo | None:
        """EF.CardAccess, and from it the way in; ``None`` means basic access control.

        A card without the file gets no other command, unless the policy names basic access control and there is
        a machine-readable zone to do it with (SPEC.md, 9.2).
        """
        content = self.evidence.of_file(
            _CARD_ACCESS, lambda: read_card_access(channel, maximum_bytes=MAX_FILE_BYTES)
        )
        if self._life_cycle() not in _OPENING_STATES:
            raise _ReadingOverError("card.not-operational")
        outcome = self.evidence.outcome(_CARD_ACCESS)
        if (
            outcome is FileOutcome.ABSENT
            and self._allow_bac
            and self._password.information is not None
        ):
            return None
        if outcome in (FileOutcome.ABSENT, FileOutcome.REFUSED):
            raise _ReadingOverError("access.pace-required")
        if content is None:
            raise _ReadingOverError("access.card-access-malformed")
        try:
            infos = CardAccess.from_bytes(content).security_infos.pace_infos
        except CardDataError as error:
            raise _ReadingOverError("access.card-access-malformed") from error
        if not infos:
            raise _ReadingOverError("access.pace-required")
        usable = usable_pace_infos(infos, self._pace_parameter_ids)
        if not usable:
            raise _ReadingOverError("access.pace-unsupported")
        return usable[0]

    def _life_cycle(self) -> LifeCycle | None:
        try:
            return read_life_cycle(self.evidence.atr or b"")
        except CardDataError:
            return None

    def _read_atr_info(self, channel: CardChannel) -> None:
        """EF.ATR/INFO allows longer commands; whatever is wrong with it, short ones always work (SPEC.md, 4.1)."""
        name, short_identifier = _ATR_INFO
        content = self.evidence.of_file(
            name,
            lambda: read_file_to_end(
                channel, short_identifier=short_identifier, maximum_bytes=_MAX_ATR_INFO_BYTES
            ),
        )
        if content is None:
            return
        try:
            info = AtrInfo.from_bytes(content)
            if info.max_command_bytes is not None and info.max_response_bytes is not None:
                channel.extended = ExtendedLengths(
                    max_command_bytes=info.max_command_bytes,
                    max_response_bytes=info.max_response_bytes,
                )
        except CardDataError:
            channel.extended = None

    def _enter(self, channel: CardChannel, pace_info: PaceInfo | None) -> None:
        """Open the card and select its application, in the order that the way in wants."""
        if pace_info is None:
            self._select_application(channel)
            self._open_by_basic_access_control(channel, self._password.information or "")
        else:
            self._open(channel, pace_info)
            self._select_application(channel)

    def _open_by_basic_access_control(self, channel: CardChannel, information: str) -> None:
        self.evidence.note_access(AccessPath.BAC, AccessOutcome.BROKEN_OFF, None)
        try:
            self.evidence.conversation.basic_access_control(channel, information=information)
        except (TransportError, ReadingLimitError):
            raise
        except WrongPasswordError:
            self.evidence.note_access(AccessPath.BAC, AccessOutcome.WRONG_PASSWORD, None)
            raise
        except CardError as error:
            self.evidence.note_access(AccessPath.BAC, AccessOutcome.FAILED, None)
            raise _ReadingOverError("access.bac-failed") from error
        self.evidence.note_access(AccessPath.BAC, AccessOutcome.SUCCEEDED, None)

    def _open(self, channel: CardChannel, pace_info: PaceInfo) -> None:
        self.evidence.note_access(self._password.path, AccessOutcome.BROKEN_OFF, pace_info)
        try:
            pace = self.evidence.conversation.pace
            result = pace(channel, pace_info=pace_info, password=self._password.secret)
        except (TransportError, ReadingLimitError):
            raise
        except WrongPasswordError:
            self.evidence.note_access(self._password.path, AccessOutcome.WRONG_PASSWORD, pace_info)
            raise
        except PaceUnsupportedError:
            self.evidence.forget_access()
            raise
        except CardError as error:
            self.evidence.note_access(self._password.path, AccessOutcome.FAILED, pace_info)
            raise _ReadingOverError("access.pace-failed") from error
        self.evidence.note_access(self._password.path, AccessOutcome.SUCCEEDED, pace_info)
        self._chip_key, self._terminal_key = result.chip_public_key, None
        if result.chip_authentication_mapping is not None:
            # Until a key is found the chip counts as one that did not prove what it announced.
            self.evidence.note_chip(ChipOutcome.FAILED, None)
            self._is_chip_done = True
            self._terminal_key = result.own_public_key
            self._read_file(channel, CARD_SECURITY_FILE)
            find_mapped_key(self.evidence, result.chip_authentication_mapping)

    def _select_application(self, channel: CardChannel) -> None:
        try:
            select_application(channel, self._profile.application_identifier)
        except CardRefusedError as error:
            if error.status_word != StatusWord.NOT_FOUND:
                raise
            # Without the application there is nothing that could be signed (SPEC.md, 9.3).
            self.evidence.note_file(_SECURITY_OBJECT, FileOutcome.ABSENT)
            raise _ReadingOverError("security-object.missing") from error

    def _authenticate_chip(self, channel: CardChannel) -> bool:
        """Chip authentication, and the read that proves it; false where it cost the session (SPEC.md, 5.4)."""
        for info, key in () if self._is_chip_done else announced_keys(self.evidence):
            self.evidence.note_chip(ChipOutcome.NOT_ATTEMPTED, key)
            try:
                self._terminal_key = self.evidence.conversation.chip_authentication(
                    channel,
                    info=info,
                    public_key_info=key,
                    allow_triple_des=self.evidence.is_opened_by_bac,
                )
            except CardRefusedError:
                # The old session goes on: a chip may have given up one of several keys.
                self.evidence.note_chip(ChipOutcome.REFUSED_BY_CHIP, key)
                continue
            except AccessError:
                self.evidence.note_chip(ChipOutcome.FAILED, key)
                return False
            return self._prove_by_reading(channel, key)
        return True

    def _prove_by_reading(self, channel: CardChannel, key: ChipAuthenticationPublicKeyInfo) -> bool:
        # EF.COM has to be read anyway: it is the first command under the new keys.
        try:
            self._read_file(channel, self._file(_COMMON_DATA))
        except AccessError:
            self.evidence.note_chip(ChipOutcome.FAILED, key)
            return False
        self.evidence.note_chip(ChipOutcome.PROVEN, key)
        return True

    def _read_files(self, channel: CardChannel) -> None:
        """EF.COM, EF.SOD, every data group of the profile, and whatever else these two name."""
        self._read_file(channel, self._file(_COMMON_DATA))
        self._read_file(channel, self._file(_SECURITY_OBJECT))
        for file in self._files.values():
            if file.name != _TRUST_POINTS:
                # Terminal authentication reads EF.CVCA, where the chip announces it.
                self._read_file(channel, file)
        for number in sorted(named_groups(self.evidence)):
            self._read_file(channel, self._file(f"EF.DG{number}"))
        if self._password.information is not None:
            self.evidence.compare_password(self._password.information)

    def _file(self, name: str) -> FileName:
        file = self._files.get(name)
        if file is not None:
            return file
        # ICAO 9303-10, 3.11: a data group's number is its short identifier, and the last byte of its FID.
        number = int(name.removeprefix("EF.DG"))
        return FileName(name=name, short_identifier=number, file_identifier=0x0100 | number)

    def _read_file(self, channel: CardChannel, file: FileName) -> None:
        if self.evidence.outcome(file.name) is not None:
            return
        number = _GROUP_NUMBERS.get(file.name)
        reason = None if number is None else self._terminal.reason_to_leave_out(number)
        if reason is not None:
            self.evidence.note_file(file.name, FileOutcome.NOT_REQUESTED, code=reason)
            return
        self.evidence.of_file(
            file.name,
            lambda: read_file(
                channel,
                short_identifier=file.short_identifier,
                file_identifier=file.file_identifier,
                maximum_bytes=MAX_FILE_BYTES,
            ),
        )
        if channel.has_refused_short_identifiers:
            self.evidence.note_fallback("reading.short-identifier-refused")
        if number is not None:
            self._terminal.note_refusal(number)
