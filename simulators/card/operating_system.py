"""The virtual card: power, dispatch, life cycle, sessions (SPEC.md, 4 to 6).

A command is carried out on values; what it changes in the non-volatile memory is stored, whole, before the card
answers. A command that is refused, or whose memory cannot be stored, has changed nothing.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from card_layout.atr import LifeCycle
from simulators.card import personalisation
from simulators.card.command import CHAIN, Command
from simulators.card.defects import Defects
from simulators.card.jmrtd_applet import JmrtdApplet
from simulators.card.key_sets import find_key_set
from simulators.card.non_volatile import MAX_WRONG_AUTHENTICATIONS, NonVolatileMemory
from simulators.card.reading_side import ReadingSide
from simulators.card.reply import Reply
from simulators.card.scp03 import SECURITY_LEVEL, Scp03Session
from simulators.card.status import Refused, StatusWord
from simulators.card.timing import answer_seconds
from simulators.card.transmission import Transmission
from simulators.faults import Fault
from simulators.image import Applet, CardImage, Timing

__all__ = ["VirtualCard"]

_PERSONALISATION_SIDE = frozenset(
    {
        LifeCycle.BLANK,
        LifeCycle.INITIALISED,
        LifeCycle.PERSONALISING,
        LifeCycle.PERSONALISED,
    }
)

_GENERAL_AUTHENTICATE = 0x86
_GET_RESPONSE = 0xC0
_INITIALIZE_UPDATE = 0x50
_EXTERNAL_AUTHENTICATE = 0x82
_GET_WRONG_AUTHENTICATIONS = (0xCA, 0x01, 0x04)

_PLAIN = 0x00
_SECURE = 0x0C
_PROPRIETARY = 0x80
_PROPRIETARY_SECURE = 0x84
_CLASSES = frozenset({_PLAIN, _SECURE, _PROPRIETARY, _PROPRIETARY_SECURE})


@dataclass(slots=True)
class _Volatile:
    """What a reset wipes."""

    wire: Transmission
    reading: ReadingSide
    channel: Scp03Session | None = None
    java_card: JmrtdApplet | None = None


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
        reading = ReadingSide(
            memory=self._memory,
            random=self._random,
            sleep=self._sleep,
            content=self._defects.content,
        )
        is_java_card = self._image.applet is Applet.JMRTD
        self._volatile = _Volatile(
            wire=Transmission(self._image.limits),
            reading=reading,
            java_card=JmrtdApplet(memory=self._memory, reading=reading) if is_java_card else None,
        )
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
        if self._image.timing is not Timing.OFF:
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
        if volatile.java_card is not None:
            return self._receive_as_java_card(volatile, volatile.java_card, command)
        cla = command.cla & ~CHAIN
        if volatile.reading.session is not None and cla != _SECURE:
            volatile.reading.end_session()
            raise Refused(StatusWord.SECURE_MESSAGING_MISSING)
        if cla not in _CLASSES:
            raise Refused(StatusWord.UNKNOWN_CLASS)
        if cla & _PROPRIETARY and self._image.state not in _PERSONALISATION_SIDE:
            raise Refused(StatusWord.UNKNOWN_INSTRUCTION)
        is_pace_step = command.ins == _GENERAL_AUTHENTICATE and (
            command.cla == _PLAIN | CHAIN
            or (command.cla == _SECURE | CHAIN and volatile.reading.expects_pace_step)
        )
        whole = wire.assemble(command, is_part=command.is_chained and not is_pace_step)
        return _status(StatusWord.SUCCESS) if whole is None else self._dispatch(volatile, whole)

    def _receive_as_java_card(
        self, volatile: _Volatile, applet: JmrtdApplet, command: Command
    ) -> bytes:
        """A chip with the passport applet knows no chains, and one kind of session (SPEC.md, 11)."""
        if command.cla == _SECURE and applet.is_selected:
            if volatile.reading.session is None:
                raise Refused(StatusWord.SECURE_MESSAGING_UNKNOWN)
            return self._carry_out_secure(volatile, command)
        if command.cla not in (_PLAIN, _PROPRIETARY):
            raise Refused(StatusWord.UNKNOWN_CLASS)
        if volatile.reading.session is not None:
            volatile.reading.end_session()
            raise Refused(StatusWord.SECURE_MESSAGING_MISSING)
        reply = self._carry_out(volatile, command, volatile.wire.room(command))
        return volatile.wire.deliver(command, reply.data, reply.status_word)

    def _dispatch(self, volatile: _Volatile, command: Command) -> bytes:
        if command.cla & ~CHAIN == _SECURE:
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
        session = volatile.reading.session
        if session is None:
            raise Refused(StatusWord.SECURE_MESSAGING_WRONG)
        try:
            inner = session.unwrap(command)
        except Refused:
            volatile.reading.end_session()
            raise
        try:
            reply = self._carry_out(volatile, inner, session.room(volatile.wire.room(command)))
        except Refused as refusal:
            reply = Reply(status_word=refusal.status_word)
        answer = session.wrap(reply)
        volatile.reading.change_session()
        return volatile.wire.deliver(command, answer, reply.status_word)

    def _carry_out(self, volatile: _Volatile, command: Command, room: int) -> Reply:
        self._defects.check(command, self._command_number)
        if volatile.java_card is not None:
            is_protected = volatile.reading.session is not None
            return volatile.java_card.carry_out(command, room, is_protected=is_protected)
        return volatile.reading.carry_out(command, room)

    # The personalisation side.

    def _begin_channel(self, volatile: _Volatile, command: Command) -> Reply:
        """INITIALIZE UPDATE, the only command of class 80 but for the count of wrong keys."""
        self._defects.check(command, self._command_number)
        if (command.ins, command.p1, command.p2) == _GET_WRONG_AUTHENTICATIONS:
            return self._tell_wrong_authentications(command)
        if command.ins != _INITIALIZE_UPDATE:
            known = personalisation.INSTRUCTIONS | {_EXTERNAL_AUTHENTICATE}
            raise Refused(
                StatusWord.SECURITY_STATUS
                if command.ins in known
                else StatusWord.UNKNOWN_INSTRUCTION
            )
        keys = self._image.keys
        if command.p2:
            raise Refused(StatusWord.WRONG_PARAMETERS)
        if len(command.data) != keys.challenge_bytes:
            raise Refused(StatusWord.WRONG_LENGTH)
        volatile.channel = Scp03Session.begin(
            serial=self._image.serial,
            keys=find_key_set(keys, command.p1),
            host_challenge=command.data,
            card_challenge=self._random(keys.challenge_bytes),
        )
        return Reply(data=volatile.channel.initial_answer)

    def _tell_wrong_authentications(self, command: Command) -> Reply:
        """How many there were in a row, and how many there may be: for people to see before the next one."""
        keys = self._image.keys.personalisation
        if command.data:
            raise Refused(StatusWord.WRONG_LENGTH)
        if keys is None:
            raise Refused(StatusWord.REFERENCE_NOT_FOUND)
        return Reply(data=bytes((keys.wrong_authentications, MAX_WRONG_AUTHENTICATIONS)))

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
                personalisation.Memory(image=self._image, selection=volatile.reading.selection),
                dek=channel.dek,
                random=self._random,
            )
            self._memory.commit(memory.image)
        except Refused as refusal:
            reply = Reply(status_word=refusal.status_word)
        else:
            volatile.reading.selection = memory.selection
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
