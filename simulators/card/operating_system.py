"""The virtual card: power, dispatch, life cycle, sessions (SPEC.md, 4 to 6).

A command is carried out on values; what it changes in the non-volatile memory is stored, whole, before the card
answers. A command that is refused, or whose memory cannot be stored, has changed nothing.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from card_layout.atr import LifeCycle
from simulators.card import chip_authentication, personalisation
from simulators.card.command import CHAIN, Command
from simulators.card.defects import Defects
from simulators.card.file_system import Selection, locate, may_read, read_binary, select
from simulators.card.non_volatile import NonVolatileMemory
from simulators.card.pace import (
    PACE_ECDH_GM_AES_128,
    PaceExchange,
    can_secret,
    mrz_secret,
    offered_parameters,
)
from simulators.card.reply import Reply
from simulators.card.scp03 import CHALLENGE_BYTES, SECURITY_LEVEL, Scp03Session
from simulators.card.secure_messaging import SecureMessaging
from simulators.card.status import Refused, StatusWord
from simulators.card.templates import read_objects
from simulators.card.timing import answer_seconds
from simulators.card.transmission import Transmission
from simulators.faults import Fault
from simulators.image import CardImage, EcKey, Timing, file_path

__all__ = ["VirtualCard"]

_READING_SIDE = frozenset({LifeCycle.PERSONALISED, LifeCycle.OPERATIONAL})
"""States in which MSE and GENERAL AUTHENTICATE work (SPEC.md, 6.2)."""

_PERSONALISATION_SIDE = frozenset(
    {
        LifeCycle.BLANK,
        LifeCycle.INITIALISED,
        LifeCycle.PERSONALISING,
        LifeCycle.PERSONALISED,
    }
)

_SELECT = 0xA4
_READ_BINARY = 0xB0
_MANAGE_SECURITY_ENVIRONMENT = 0x22
_GENERAL_AUTHENTICATE = 0x86
_GET_RESPONSE = 0xC0
_INITIALIZE_UPDATE = 0x50
_EXTERNAL_AUTHENTICATE = 0x82

_PLAIN = 0x00
_SECURE = 0x0C
_PROPRIETARY = 0x80
_PROPRIETARY_SECURE = 0x84
_CLASSES = frozenset({_PLAIN, _SECURE, _PROPRIETARY, _PROPRIETARY_SECURE})

_MAX_DELAY_SECONDS = 10


@dataclass(slots=True)
class _Volatile:
    """What a reset wipes."""

    wire: Transmission
    selection: Selection = field(default_factory=Selection)
    pace: PaceExchange | None = None
    session: SecureMessaging | None = None
    chip_key: EcKey | None = None
    next_session: SecureMessaging | None = None
    channel: Scp03Session | None = None


class VirtualCard:
    """One card in the world; ``image`` is its memory now.

    Args:
        image: the memory it starts from.
        store: called with the new memory before the answer to every command that changes it.
        random: gives so many random bytes; a transcript replays its own.
        sleep: waits; called only with the timing profile of a chip.
        faults: faults in the card beside those of the image.
    """

    def __init__(
        self,
        image: CardImage,
        *,
        store: Callable[[CardImage], None] | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
        sleep: Callable[[float], None] = time.sleep,
        faults: Sequence[Fault] = (),
    ) -> None:
        self._memory = NonVolatileMemory(image, store)
        self._defects = Defects((*image.faults, *faults))
        self._random = random
        self._sleep = sleep
        self._volatile: _Volatile | None = None
        self._command_number = 0

    @property
    def image(self) -> CardImage:
        """The non-volatile memory as it was last stored."""
        return self._memory.image

    @property
    def _image(self) -> CardImage:
        return self._memory.image

    @property
    def is_powered(self) -> bool:
        """Whether the card has power."""
        return self._volatile is not None

    def power_on(self) -> bytes:
        """Power and reset the card; gives its ATR."""
        self._volatile = _Volatile(wire=Transmission(self._image.limits))
        return self._image.atr

    def reset(self) -> bytes:
        """End every session; gives the ATR of the state that the card is in now."""
        return self.power_on()

    def power_off(self) -> None:
        """Take the power away: what was not stored is gone."""
        self._volatile = None

    def process(self, command: bytes) -> bytes:
        """Answer one command APDU.

        Raises:
            RuntimeError: the card has no power, which is a mistake of the caller.
        """
        volatile = self._volatile
        if volatile is None:
            raise RuntimeError("the card has no power")
        self._command_number += 1
        stored_before = self._image
        try:
            answer = self._receive(volatile, Command.from_bytes(command), len(command))
        except Refused as refusal:
            volatile.wire.drop_chain()
            answer = _status(refusal.status_word)
        if self._image.timing is Timing.CHIP:
            self._sleep(answer_seconds(command, answer, stored_before, self._image))
        return answer

    def _receive(self, volatile: _Volatile, command: Command, wire_bytes: int) -> bytes:
        wire = volatile.wire
        wire.check_length(command, wire_bytes)
        if self._image.state is LifeCycle.TERMINATED:
            raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        if wire.is_waiting and (command.cla, command.ins) == (_PLAIN, _GET_RESPONSE):
            return wire.give_waiting(command)
        wire.drop_waiting()
        cla = command.cla & ~CHAIN
        if volatile.session is not None and cla != _SECURE:
            self._end_session(volatile)
            raise Refused(StatusWord.SECURE_MESSAGING_MISSING)
        if cla not in _CLASSES:
            raise Refused(StatusWord.UNKNOWN_CLASS)
        if cla & _PROPRIETARY and self._image.state not in _PERSONALISATION_SIDE:
            raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        is_pace_step = (command.cla, command.ins) == (_PLAIN | CHAIN, _GENERAL_AUTHENTICATE)
        whole = wire.assemble(command, is_part=command.is_chained and not is_pace_step)
        return _status(StatusWord.SUCCESS) if whole is None else self._dispatch(volatile, whole)

    def _dispatch(self, volatile: _Volatile, command: Command) -> bytes:
        if command.cla == _SECURE:
            return self._carry_out_secure(volatile, command)
        if command.cla == _PROPRIETARY_SECURE:
            return self._carry_out_in_channel(volatile, command)
        volatile.channel = None
        if command.cla == _PROPRIETARY:
            reply = self._begin_channel(volatile, command)
        else:
            reply = self._carry_out(volatile, command, volatile.wire.room(command))
        return volatile.wire.deliver(command, reply.data, reply.status_word)

    # The reading side.

    def _carry_out_secure(self, volatile: _Volatile, command: Command) -> bytes:
        session = volatile.session
        if session is None:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        try:
            inner = session.unwrap(command)
        except Refused:
            self._end_session(volatile)
            raise
        room = SecureMessaging.room(volatile.wire.room(command))
        try:
            reply = self._carry_out(volatile, inner, room)
        except Refused as refusal:
            reply = Reply(status_word=refusal.status_word)
        answer = session.wrap(reply)
        if volatile.next_session is not None:
            # The answer to chip authentication is the last one under the old keys (SPEC.md, 5.4).
            volatile.session, volatile.next_session = volatile.next_session, None
        return volatile.wire.deliver(command, answer, reply.status_word)

    @staticmethod
    def _end_session(volatile: _Volatile) -> None:
        volatile.session = volatile.next_session = volatile.chip_key = volatile.pace = None

    def _carry_out(self, volatile: _Volatile, command: Command, room: int) -> Reply:
        self._defects.check(command, self._command_number)
        pace, volatile.pace = volatile.pace, None
        match command.ins:
            case 0xA4:
                volatile.selection = select(self._image, volatile.selection, command)
                return Reply()
            case 0xB0:
                return self._read_binary(volatile, command, room)
            case 0x22:
                return self._manage_security_environment(volatile, command)
            case 0x86:
                return self._general_authenticate(volatile, command, pace)
            case 0xC0:
                raise Refused(StatusWord.CONDITIONS_OF_USE)
            case _:
                raise Refused(StatusWord.UNKNOWN_INSTRUCTION)

    def _read_binary(self, volatile: _Volatile, command: Command, room: int) -> Reply:
        if command.data:
            raise Refused(StatusWord.WRONG_LENGTH)
        volatile.selection, path, offset = locate(self._image, volatile.selection, command)
        file = self._image.files[path]
        has_password = volatile.session is not None and self._image.state in _READING_SIDE
        if not may_read(file, has_password=has_password):
            raise Refused(StatusWord.SECURITY_STATUS)
        return read_binary(self._defects.content(path, file.data), offset, command, room=room)

    def _manage_security_environment(self, volatile: _Volatile, command: Command) -> Reply:
        if self._image.state not in _READING_SIDE:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        volatile.chip_key = None
        if (command.p1, command.p2) == (0xC1, 0xA4):
            volatile.pace = self._begin_pace(volatile, command.data)
        elif (command.p1, command.p2) == (0x41, 0xA4):
            if volatile.session is None:
                raise Refused(StatusWord.SECURITY_STATUS)
            if volatile.selection.application is None:
                raise Refused(StatusWord.CONDITIONS_OF_USE)
            volatile.chip_key = chip_authentication.choose_key(
                command.data, self._image.keys.chip_authentication
            )
        else:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        return Reply()

    def _begin_pace(self, volatile: _Volatile, data: bytes) -> PaceExchange:
        if volatile.session is not None or volatile.selection.application is not None:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        parts = read_objects(data, required=(0x80, 0x83), optional=(0x84,))
        card_access = self._image.files.get(file_path(None, 0x011C))
        offers = () if card_access is None else offered_parameters(card_access.data)
        if 0x84 in parts:
            offers = tuple(o for o in offers if bytes((o.parameter_id,)) == parts[0x84])
        if parts[0x80] != PACE_ECDH_GM_AES_128 or not offers:
            raise Refused(StatusWord.WRONG_DATA)
        passwords = self._image.secrets
        if parts[0x83] == b"\x01" and passwords.mrz_information is not None:
            key = mrz_secret(passwords.mrz_information)
        elif parts[0x83] == b"\x02" and passwords.can is not None:
            key = can_secret(passwords.can)
        else:
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        return PaceExchange(curve=offers[0].curve, password_key=key, random=self._random)

    def _general_authenticate(
        self, volatile: _Volatile, command: Command, pace: PaceExchange | None
    ) -> Reply:
        if self._image.state not in _READING_SIDE:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        if command.p1 or command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if pace is not None:
            return self._step_pace(volatile, command, pace)
        key, volatile.chip_key = volatile.chip_key, None
        if key is None or volatile.session is None or command.is_chained:
            raise Refused(StatusWord.CONDITIONS_OF_USE)
        volatile.next_session = chip_authentication.agree(command.data, key)
        return Reply(data=chip_authentication.ANSWER)

    def _step_pace(self, volatile: _Volatile, command: Command, pace: PaceExchange) -> Reply:
        if command.is_chained is pace.expects_last:
            raise Refused(
                StatusWord.LAST_OF_CHAIN_EXPECTED
                if pace.expects_last
                else StatusWord.CONDITIONS_OF_USE
            )
        passwords = self._image.secrets
        if not pace.expects_last:
            reply = Reply(data=pace.answer(command.data))
            volatile.pace = pace
            return reply
        if self._image.timing is Timing.CHIP:
            self._sleep(min(passwords.wrong_passwords, _MAX_DELAY_SECONDS))
        try:
            reply = Reply(data=pace.answer(command.data))
        except Refused as refusal:
            if refusal.status_word == StatusWord.AUTHENTICATION_FAILED:
                self._memory.count_wrong_password()
            raise
        self._memory.forget_wrong_passwords()
        volatile.session = pace.secure_messaging()
        return reply

    # The personalisation side.

    def _begin_channel(self, volatile: _Volatile, command: Command) -> Reply:
        """INITIALIZE UPDATE, the only command of class 80."""
        self._defects.check(command, self._command_number)
        if command.ins != _INITIALIZE_UPDATE:
            known = personalisation.INSTRUCTIONS | {_EXTERNAL_AUTHENTICATE}
            raise Refused(
                StatusWord.SECURITY_STATUS
                if command.ins in known
                else StatusWord.UNKNOWN_INSTRUCTION
            )
        keys = self._image.keys.personalisation
        if command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if len(command.data) != CHALLENGE_BYTES:
            raise Refused(StatusWord.WRONG_LENGTH)
        if keys is None or command.p1 not in (0, keys.key_version):
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        volatile.channel = Scp03Session.begin(
            serial=self._image.serial,
            keys=keys,
            host_challenge=command.data,
            card_challenge=self._random(CHALLENGE_BYTES),
        )
        return Reply(data=volatile.channel.initial_answer)

    def _carry_out_in_channel(self, volatile: _Volatile, command: Command) -> bytes:
        channel, volatile.channel = volatile.channel, None
        if channel is None:
            raise Refused(StatusWord.SECURITY_STATUS)
        if not channel.is_open:
            self._authenticate(channel, command)
            volatile.channel = channel
            return _status(StatusWord.SUCCESS)
        inner = channel.unwrap(command)
        volatile.channel = channel
        try:
            self._defects.check(inner, self._command_number)
            memory = personalisation.carry_out(
                inner,
                personalisation.Memory(image=self._image, selection=volatile.selection),
                dek=channel.dek,
                random=self._random,
            )
            self._memory.commit(memory.image)
        except Refused as refusal:
            reply = Reply(status_word=refusal.status_word)
        else:
            volatile.selection = memory.selection
            reply = Reply(data=memory.answer)
        return volatile.wire.deliver(command, channel.wrap(reply), reply.status_word)

    def _authenticate(self, channel: Scp03Session, command: Command) -> None:
        """EXTERNAL AUTHENTICATE; the tenth wrong one in a row terminates the card (SPEC.md, 8.1)."""
        if command.ins != _EXTERNAL_AUTHENTICATE:
            raise Refused(StatusWord.SECURITY_STATUS)
        self._defects.check(command, self._command_number)
        if (command.p1, command.p2) != (SECURITY_LEVEL, 0x00):
            raise Refused(StatusWord.WRONG_PARAMETERS)
        try:
            channel.authenticate(command)
        except Refused as refusal:
            if refusal.status_word != StatusWord.WRONG_LENGTH:
                self._memory.count_wrong_authentication()
            raise
        self._memory.forget_wrong_authentications()


def _status(status_word: int) -> bytes:
    return status_word.to_bytes(2, "big")
