"""What a terminal can do with the card: select, read, open and prove (SPEC.md, 4.3, 5 and 6.2)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card import (
    active_authentication,
    basic_access,
    chip_authentication,
    terminal_authentication,
)
from simulators.card.chip_authentication import Agreement, ChosenKey
from simulators.card.command import Command
from simulators.card.file_system import Selection, locate_to_read, may_read, read_binary, select
from simulators.card.non_volatile import NonVolatileMemory
from simulators.card.pace import PaceExchange, password_key
from simulators.card.pace_offers import Mapping, PaceOffer, offered_parameters
from simulators.card.passwords import (
    OPENING,
    Password,
    initial_tries,
    secret_of,
    tries_left,
    tries_warning,
)
from simulators.card.reply import Reply
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects
from simulators.card.terminal_authentication import TerminalAuthentication
from simulators.image import PIN_TRIES, CardImage, EcKey, Timing, file_path

__all__ = ["ReadingSide"]

_STATES = frozenset({LifeCycle.PERSONALISED, LifeCycle.OPERATIONAL})
"""States in which MSE and GENERAL AUTHENTICATE work (SPEC.md, 6.2)."""

_MAX_DELAY_SECONDS = 10
_PIN_REFERENCE = bytes((Password.PIN.value,))


@dataclass(slots=True, kw_only=True)
class ReadingSide:
    """The session and everything else that a reset wipes; ``content`` is what reading a file gives.

    Args:
        memory: the non-volatile memory.
        random: gives so many random bytes.
        sleep: waits; called only with the timing profile of a chip.
        content: gives the content of a file as this card shows it.
    """

    memory: NonVolatileMemory
    random: Callable[[int], bytes] = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    content: Callable[[str, bytes], bytes]
    selection: Selection = field(default_factory=Selection)
    session: SecureMessaging | None = None
    _pace: PaceExchange | None = None
    _chip_key: ChosenKey | None = None
    _next_session: SecureMessaging | None = None
    _challenge: bytes | None = None
    _chip_ephemeral_key: bytes | None = None
    _terminal: TerminalAuthentication | None = None
    _password: Password | None = None
    _opened_by: Password | None = None
    _pace_refusal: int = StatusWord.CONDITIONS_OF_USE
    _is_session_over: bool = False

    @property
    def _image(self) -> CardImage:
        return self.memory.image

    @property
    def expects_pace_step(self) -> bool:
        """Whether a run of PACE was begun, or refused for a blocked password."""
        return self._pace is not None or self._pace_refusal == StatusWord.BLOCKED

    def end_session(self) -> None:
        """Forget the session, its keys, and what was begun in it."""
        self.session = self._next_session = self._chip_key = self._pace = self._opened_by = None
        self._chip_ephemeral_key = self._terminal = None
        self._is_session_over = False

    def change_session(self) -> None:
        """From the next command on new keys hold, where this one agreed on them (SPEC.md, 5.4 and 5.5)."""
        if self._is_session_over:
            self.end_session()
        if self._next_session is not None:
            self.session, self._next_session = self._next_session, None

    def carry_out(self, command: Command, room: int) -> Reply:
        """One command that came in plain, or out of secure messaging.

        Raises:
            Refused: with the status word of SPEC.md, 4.4.
        """
        pace, self._pace = self._pace, None
        refusal, self._pace_refusal = self._pace_refusal, StatusWord.CONDITIONS_OF_USE
        challenge, self._challenge = self._challenge, None
        match command.ins:
            case 0xA4:
                reply = self._select(command)
            case 0xB0 | 0xB1:
                reply = self._read_binary(command, room)
            case 0x22:
                reply = self._manage_security_environment(command)
            case 0x86:
                reply = self._general_authenticate(command, pace, refusal)
            case 0xC0:
                raise Refused(StatusWord.CONDITIONS_OF_USE)
            case _:
                reply = self._carry_out_optional(command, challenge)
        return reply

    def _carry_out_optional(self, command: Command, challenge: bytes | None) -> Reply:
        """The instructions that a card knows only where its image has what they need."""
        match command.ins:
            case 0x84 if self._meets_terminals:
                reply = self._get_challenge_for_terminal(command)
            case 0x82 if self._meets_terminals:
                reply = self._authenticate_terminal(command, challenge)
            case 0x2A if self._image.trust_points:
                reply = self._verify_certificate(command)
            case 0x84 if self._has_basic_access_control:
                reply = self._get_challenge(command)
            case 0x82 if self._has_basic_access_control:
                reply = self._external_authenticate(command, challenge)
            case 0x88 if self._image.keys.active_authentication is not None:
                reply = self._internal_authenticate(command)
            case 0x2C if self._image.secrets.puk is not None:
                reply = self._reset_retry_counter(command)
            case _:
                raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        return reply

    def _select(self, command: Command) -> Reply:
        before = self.selection
        self.selection = select(self._image, before, command)
        if self._terminal is not None and self.selection.file is None:
            # An application that is selected anew begins without a terminal (TR-03105-3.2, ISO7816_K_18).
            self._terminal.forget()
        return Reply()

    def _read_binary(self, command: Command, room: int) -> Reply:
        self.selection, path, offset = locate_to_read(self._image, self.selection, command)
        file = self._image.files[path]
        has_password = self._opened_by in OPENING and self._image.state in _STATES
        terminal = self._terminal
        # Quality control compares every file before the lock (SPEC.md, 8.4).
        is_compared = self._image.state is LifeCycle.PERSONALISED
        has_right = is_compared or (terminal is not None and terminal.rights.opens(path))
        if not may_read(file, has_password=has_password, has_terminal_right=has_right):
            raise Refused(StatusWord.SECURITY_STATUS)
        return read_binary(self.content(path, file.data), offset, command, room=room)

    def _manage_security_environment(self, command: Command) -> Reply:
        self._require_state()
        self._chip_key = None
        if (command.p1, command.p2) == (0xC1, 0xA4):
            return Reply(status_word=self._begin_pace(command.data))
        if (command.p1, command.p2) == (0x41, 0xA4):
            self._require_session_in_application()
            self._chip_key = chip_authentication.choose_key(
                command.data, self._image.keys.chip_authentication
            )
        elif (command.p1, command.p2) == (0x41, 0xA6):
            self._require_session_in_application()
            self._follow(
                chip_authentication.agree_in_one_step(
                    command.data, self._image.keys.chip_authentication
                )
            )
        elif command.p1 == 0x81 and command.p2 in (0xB6, 0xA4) and self._image.trust_points:
            terminal = self._require_proven_chip()
            if command.p2 == 0xB6:
                terminal.select_verification_key(command.data)
            else:
                terminal.select_authentication_key(command.data)
        else:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        return Reply()

    def _begin_pace(self, data: bytes) -> int:
        """Carry out MSE:Set AT; the status word warns of a password that was wrong before (TR-03110-3, B.11.1)."""
        if self.selection.application is not None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        parts = read_objects(data, required=(0x80, 0x83), optional=(0x84,))
        is_resuming = self._opened_by is Password.CAN and parts[0x83] == _PIN_REFERENCE
        if self.session is not None and not is_resuming:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        offer = self._choose_offer(parts[0x80], parts.get(0x84))
        password, secret = self._find_password(parts[0x83])
        tries = tries_left(self._image.secrets, password)
        if tries == 0:
            self._pace_refusal = StatusWord.BLOCKED
            return tries_warning(0)
        if password is Password.PIN and tries == 1 and not is_resuming:
            # The last try is suspended until the CAN shows that the card itself is at hand.
            return tries_warning(1)
        self._password = password
        self._pace = PaceExchange(
            offer=offer,
            password_key=password_key(secret, offer.algorithm),
            random=self.random,
            chip_key=self._mapping_key(offer.curve),
        )
        is_full = tries is None or tries == initial_tries(password)
        return StatusWord.SUCCESS if is_full else tries_warning(tries or 0)

    def _find_password(self, reference: bytes) -> tuple[Password, bytes]:
        for password in Password:
            if reference == bytes((password.value,)):
                secret = secret_of(self._image.secrets, password)
                if secret is not None:
                    return password, secret
        raise Refused(StatusWord.REFERENCE_NOT_FOUND)

    def _mapping_key(self, curve: NamedCurve) -> EcKey | None:
        """The chip authentication key that chip authentication mapping proves over a curve."""
        keys = [key for key in self._image.keys.chip_authentication if key.curve is curve]
        return keys[0] if keys else None

    def _choose_offer(self, protocol: bytes, parameter_id: bytes | None) -> PaceOffer:
        """The one that MSE:Set AT names; the parameters may be left out where there is but one set for the protocol."""
        card_access = self._image.files.get(file_path(None, 0x011C))
        offers = () if card_access is None else offered_parameters(card_access.data)
        fitting = [
            offer
            for offer in offers
            if offer.protocol == protocol
            and (offer.mapping is not Mapping.CHIP_AUTHENTICATION or self._mapping_key(offer.curve))
        ]
        if parameter_id is not None:
            fitting = [offer for offer in fitting if bytes((offer.parameter_id,)) == parameter_id]
        if not fitting:
            raise Refused(StatusWord.WRONG_DATA)
        if len(set(fitting)) > 1:
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        return fitting[0]

    def _general_authenticate(
        self, command: Command, pace: PaceExchange | None, refusal: int
    ) -> Reply:
        self._require_state()
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if pace is not None:
            try:
                return self._step_pace(command, pace)
            except Refused:
                self._is_session_over = self.session is not None
                raise
        key, self._chip_key = self._chip_key, None
        if key is None or self.session is None or command.is_chained:
            raise Refused(refusal)
        self._follow(chip_authentication.agree(command.data, key))
        return Reply(data=chip_authentication.ANSWER)

    def _step_pace(self, command: Command, pace: PaceExchange) -> Reply:
        if command.is_chained is pace.expects_last:
            raise Refused(
                StatusWord.LAST_OF_CHAIN_EXPECTED
                if pace.expects_last
                else StatusWord.CONDITIONS_OF_USE
            )
        if not pace.expects_last:
            reply = Reply(data=pace.answer(command.data))
            self._pace = pace
            return reply
        password = self._password
        if password is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        confirm = self._confirm if tries_left(self._image.secrets, password) is None else self._try
        reply = confirm(command, pace, password)
        if self.session is None:
            self.session = pace.secure_messaging()
        else:
            self._next_session = pace.secure_messaging()
        self._opened_by = password
        self._chip_ephemeral_key, self._terminal = pace.own_key, None
        if pace.proves_chip:
            self._meet_terminal(pace.other_key)
        return reply

    def _follow(self, agreement: Agreement) -> None:
        """Chip authentication is done: its session comes next, and a terminal may prove itself in it."""
        self._next_session = agreement.session
        self._meet_terminal(agreement.terminal_key)

    def _meet_terminal(self, terminal_key: bytes) -> None:
        """Await terminal authentication; a session that had one gets no other, and new keys take its rights away."""
        if self._chip_ephemeral_key is None:
            return
        self._terminal = TerminalAuthentication(
            memory=self.memory,
            chip_key=self._chip_ephemeral_key,
            terminal_key=terminal_key,
            is_spent=self._terminal is not None and self._terminal.is_spent,
        )

    def _confirm(self, command: Command, pace: PaceExchange, _password: Password) -> Reply:
        """The last step with a password that nothing blocks: each wrong one makes the card slower (SPEC.md, 5.1)."""
        self._wait_after_wrong_passwords()
        try:
            reply = Reply(data=pace.answer(command.data))
        except Refused as refusal:
            if refusal.status_word == StatusWord.AUTHENTICATION_FAILED:
                self.memory.count_wrong_password()
            raise
        self.memory.forget_wrong_passwords()
        return reply

    def _try(self, command: Command, pace: PaceExchange, password: Password) -> Reply:
        """The last step with a password that can be blocked: the try is spent before the token is looked at."""
        before = tries_left(self._image.secrets, password) or 0
        self.memory.set_tries(password, before - 1)
        try:
            reply = Reply(data=pace.answer(command.data))
        except Refused as refusal:
            if refusal.status_word != StatusWord.AUTHENTICATION_FAILED:
                self.memory.set_tries(password, before)
                raise
            raise Refused(tries_warning(before - 1)) from refusal
        self.memory.set_tries(password, initial_tries(password) or 0)
        return reply

    def _reset_retry_counter(self, command: Command) -> Reply:
        """Unblock the PIN, in a session that the PUK opened (TR-03110-3, B.11.9)."""
        self._require_state()
        if (command.p1, command.p2) != (0x03, Password.PIN.value):
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if command.data:
            raise Refused(StatusWord.WRONG_LENGTH)
        if self._opened_by is not Password.PUK or self._image.secrets.pin is None:
            raise Refused(StatusWord.SECURITY_STATUS)
        self.memory.set_tries(Password.PIN, PIN_TRIES)
        return Reply()

    def _internal_authenticate(self, command: Command) -> Reply:
        key = self._image.keys.active_authentication
        self._require_state()
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        self._require_session_in_application()
        if key is None:
            raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        if len(command.data) != active_authentication.CHALLENGE_BYTES:
            raise Refused(StatusWord.WRONG_LENGTH)
        return Reply(data=active_authentication.sign(key, command.data, self.random))

    @property
    def _meets_terminals(self) -> bool:
        """Whether GET CHALLENGE and EXTERNAL AUTHENTICATE are those of terminal authentication."""
        return bool(self._image.trust_points) and (
            self.session is not None or not self._has_basic_access_control
        )

    def _require_proven_chip(self) -> TerminalAuthentication:
        """Terminals authenticate after PACE and chip authentication only (TR-03110-3, B.3)."""
        self._require_state()
        self._require_session_in_application()
        if self._terminal is None:
            raise Refused(StatusWord.SECURITY_STATUS)
        return self._terminal

    def _verify_certificate(self, command: Command) -> Reply:
        terminal = self._require_proven_chip()
        if (command.p1, command.p2) != (0x00, 0xBE):
            raise Refused(StatusWord.WRONG_PARAMETERS)
        terminal.verify_certificate(command.data)
        return Reply()

    def _get_challenge_for_terminal(self, command: Command) -> Reply:
        """The nonce that the terminal signs, which serves for the next command alone."""
        self._require_proven_chip().require_unspent()
        self._challenge = self._draw_challenge(command, terminal_authentication.CHALLENGE_BYTES)
        return Reply(data=self._challenge)

    def _authenticate_terminal(self, command: Command, challenge: bytes | None) -> Reply:
        terminal = self._require_proven_chip()
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        terminal.authenticate(command.data, challenge)
        return Reply()

    def _draw_challenge(self, command: Command, size: int) -> bytes:
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if command.data or (command.expected_length != size and not command.asks_for_all):
            raise Refused(StatusWord.WRONG_LENGTH)
        return self.random(size)

    @property
    def _has_basic_access_control(self) -> bool:
        passwords = self._image.secrets
        return passwords.basic_access_control and passwords.mrz_information is not None

    def _get_challenge(self, command: Command) -> Reply:
        """The card's nonce, which serves for the next command alone."""
        self._require_no_session_in_application(command)
        self._challenge = self._draw_challenge(command, basic_access.CHALLENGE_BYTES)
        return Reply(data=self._challenge)

    def _external_authenticate(self, command: Command, challenge: bytes | None) -> Reply:
        self._require_no_session_in_application(command)
        information = self._image.secrets.mrz_information
        if challenge is None or information is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        if len(command.data) != basic_access.CRYPTOGRAM_BYTES:
            raise Refused(StatusWord.WRONG_LENGTH)
        self._wait_after_wrong_passwords()
        try:
            answer, session = basic_access.authenticate(
                command.data, information=information, challenge=challenge, random=self.random
            )
        except Refused:
            self.memory.count_wrong_password()
            raise
        self.memory.forget_wrong_passwords()
        self.session, self._opened_by = session, Password.MRZ
        return Reply(data=answer)

    def _require_no_session_in_application(self, command: Command) -> None:
        self._require_state()
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if self.session is not None or self.selection.application is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)

    def _require_session_in_application(self) -> None:
        if self._opened_by not in OPENING:
            raise Refused(StatusWord.SECURITY_STATUS)
        if self.selection.application is None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)

    def _wait_after_wrong_passwords(self) -> None:
        """Each wrong password in a row makes the next answer a second slower (SPEC.md, 5.1)."""
        if self._image.timing is not Timing.OFF:
            self.sleep(min(self._image.secrets.wrong_passwords, _MAX_DELAY_SECONDS))

    def _require_state(self) -> None:
        if self._image.state not in _STATES:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
