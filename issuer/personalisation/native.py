"""The dialect ``native``: plans as commands of SPEC.md 8.3 under SCP03."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from card_layout import tlv
from card_layout.atr import LifeCycle, read_life_cycle
from card_layout.curves import CurveError, EcPublicKey, NamedCurve
from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel, ExtendedLengths
from card_layout.iso7816.status_words import StatusWord
from card_layout.profile import CardProfile, FileProfile
from card_layout.transport.connection import CardConnection
from issuer.domain.card import REFERENCE_BYTES, CardReference
from issuer.domain.chip import KeyOrigin, Serial
from issuer.domain.chip_keys import ChipKeySet, WrongKeyTries
from issuer.domain.chip_plan import (
    CreateApplication,
    CreateFile,
    GenerateKeyPair,
    PutPasswords,
    PutReference,
    PutTrustPoints,
    ReplaceKeys,
    SelectApplication,
    SetStatus,
    Step,
    WriteFile,
)
from issuer.domain.production_errors import CardRejectedError
from issuer.errors import IssuerRefusedError
from issuer.personalisation.scp03 import InitializeUpdateResponse, Scp03Session
from issuer.personalisation.scp03_keys import Scp03Keys, Scp03Mode
from issuer.services.production_ports import ChipSighting

__all__ = ["NativeDialect", "card_channel"]

_WRITE_RULE_PERSONALISATION = 0x10
"""Write rule ``10``: personalisation only (SPEC.md 8.4)."""

_KEY_INFORMATION = 0xE0
_TRIES_BYTES = 2
_KNOWS_NO_TRIES = frozenset(
    (
        StatusWord.INSTRUCTION_NOT_SUPPORTED,
        StatusWord.CLASS_NOT_SUPPORTED,
        StatusWord.WRONG_PARAMETERS,
        StatusWord.REFERENCE_NOT_FOUND,
    )
)
"""With these a chip says that it has no such counter to show."""

_PUBLIC_KEY_TEMPLATE = 0x7F49
_OBJECT_IDENTIFIER = 0x06
_POINT = 0x86


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeDialect:
    """How a profile's chips are spoken to; keeps no state of a chip."""

    profile: CardProfile

    def look(self, connection: CardConnection) -> ChipSighting:
        """See ``ChipDialect.look``: the answer to reset tells, and no serial."""
        return ChipSighting(life_cycle=read_life_cycle(connection.atr))

    def open(
        self,
        connection: CardConnection,
        *,
        keys_for: Callable[[Serial, int], ChipKeySet],
        on_tries: Callable[[WrongKeyTries], None] = WrongKeyTries.require_more_than_one,
    ) -> "NativeChip":
        """See ``ChipDialect.open``."""
        channel = card_channel(connection, self.profile)
        tries = _wrong_key_tries(channel)
        if tries is not None:
            on_tries(tries)

        def scp03_keys(chip: InitializeUpdateResponse) -> Scp03Keys:
            return _scp03_keys(keys_for(Serial(chip.serial), chip.key_version))

        session = Scp03Session.open(channel, keys_for=scp03_keys)
        return NativeChip(session=session, profile=self.profile, keys_for=keys_for)

    def prove_locked(self, connection: CardConnection) -> None:
        """See ``ChipDialect.prove_locked``."""
        life_cycle = read_life_cycle(connection.reset())
        if life_cycle is not LifeCycle.OPERATIONAL:
            raise CardRejectedError(
                f"the card's life cycle is {life_cycle!r}, expected operational",
                code="lock.not-effective",
            )
        channel = card_channel(connection, self.profile)
        card_access = self.profile.file("EF.CardAccess")
        attempts: tuple[tuple[str, CommandApdu], ...] = (
            (
                "personalisation",
                # The challenge may be anything: the card must not get as far as using it.
                commands.initialize_update(
                    key_version=0x00, host_challenge=bytes(Scp03Mode.S8.size)
                ),
            ),
            ("a write", _update(card_access, 0, b"\x00")),
        )
        for what, command in attempts:
            status_word = channel.transmit(command).status_word
            if status_word != StatusWord.INSTRUCTION_NOT_SUPPORTED:
                raise CardRejectedError(
                    f"the locked card answered {what} with {status_word:04X}, expected 6D00",
                    code="lock.not-effective",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeChip:
    """A chip under an open channel; see ``OpenedChip``."""

    session: Scp03Session
    profile: CardProfile
    keys_for: Callable[[Serial, int], ChipKeySet] = field(repr=False)

    @property
    def serial(self) -> Serial:
        """See ``OpenedChip.serial``."""
        return Serial(self.session.chip.serial)

    @property
    def key_version(self) -> int:
        """See ``OpenedChip.key_version``."""
        return self.session.chip.key_version

    @property
    def key_origin(self) -> KeyOrigin:
        """See ``OpenedChip.key_origin``."""
        return KeyOrigin.MADE_ON_CHIP

    def card_reference(self) -> CardReference | None:
        """See ``OpenedChip.card_reference``."""
        try:
            reference = self._require(commands.get_card_reference())
        except CardRefusedError as error:
            if error.status_word == StatusWord.REFERENCE_NOT_FOUND:
                return None
            raise
        return CardReference(reference) if len(reference) == REFERENCE_BYTES else None

    def execute(self, step: Step) -> EcPublicKey | None:  # noqa: C901 - one case a kind of step, nothing nested
        """See ``OpenedChip.execute``."""
        match step:
            case ReplaceKeys():
                self._replace_keys(step.key_version)
            case CreateFile():
                self._create_file(step.file)
            case CreateApplication():
                self._create_application(step)
            case SelectApplication():
                self._require(commands.select_application(step.application_identifier))
            case WriteFile():
                for command in self._write_commands(step):
                    self._require(command)
            case GenerateKeyPair():
                return self._generate_key_pair(step)
            case PutReference():
                self._require(commands.put_card_reference(step.reference))
            case PutPasswords():
                self._require(
                    commands.put_passwords(mrz_information=step.mrz_information, can=step.can)
                )
            case PutTrustPoints():
                self._require(
                    commands.put_trust_points(
                        certificates=step.certificates, current_date=step.current_date
                    )
                )
            case SetStatus():
                if step.life_cycle is LifeCycle.INITIALISED:
                    self._require_own_keys_alone()
                self._require(commands.set_status(step.life_cycle))
        return None

    def _require_own_keys_alone(self) -> None:
        """A chip with another key set beside ours could be written by whoever knows that one."""
        versions = _key_versions(self._require(commands.get_key_information()))
        if versions != {self.session.key_version_held}:
            raise IssuerRefusedError(
                f"the chip holds keys of versions {', '.join(f'{each:02X}' for each in sorted(versions))}, "
                f"expected {self.session.key_version_held:02X} alone",
                code="chip.other-keys-left",
            )

    def _replace_keys(self, key_version: int) -> None:
        keys = _scp03_keys(self.keys_for(self.serial, key_version))
        expected = self.profile.personalisation.key_bytes
        if keys.length != expected:
            raise IssuerRefusedError(
                f"the chip's new keys have {8 * keys.length} bits, expected {8 * expected}",
                code="personalisation.key-length",
            )
        self.session.replace_keys(keys, new_key_version=key_version)

    def _create_file(self, file: FileProfile) -> None:
        # 6A89: an earlier, torn initialisation has made it already (SPEC.md 8.5).
        self._require(
            commands.create_elementary_file(
                file_identifier=file.file_identifier,
                short_identifier=file.short_identifier,
                capacity=file.capacity,
                read_rule=file.read,
                write_rule=_WRITE_RULE_PERSONALISATION,
            ),
            StatusWord.SUCCESS,
            StatusWord.FILE_EXISTS,
        )

    def _create_application(self, step: CreateApplication) -> None:
        try:
            self._require(
                commands.create_application(
                    file_identifier=step.file_identifier,
                    application_identifier=step.application_identifier,
                )
            )
        except CardRefusedError as error:
            if error.status_word != StatusWord.FILE_EXISTS:
                raise
            # Creating would have made it current; one that was there has to be selected.
            self._require(commands.select_application(step.application_identifier))

    def _write_commands(self, step: WriteFile) -> Iterator[CommandApdu]:
        """The fewest UPDATE BINARY: the largest chunks that fit, the first of which also selects the file."""
        size = self.session.max_command_data(
            self.profile.max_command_bytes if self.profile.extended_lengths else None
        )
        if step.file.short_identifier is None:
            yield commands.select_elementary_file(step.file.file_identifier)
        for offset in range(0, len(step.content), size):
            yield _update(step.file, offset, step.content[offset : offset + size])

    def _generate_key_pair(self, step: GenerateKeyPair) -> EcPublicKey:
        answer = self._require(
            commands.generate_key_pair(curve=step.curve.oid_bytes, key_id=step.key_id)
        )
        return _public_key(answer, step.curve)

    def _require(self, command: CommandApdu, *expected: int) -> bytes:
        try:
            return self.session.require(command, *expected)
        except CardRefusedError as error:
            if self.session.is_alive:
                raise
            # SPEC.md 8.1: 6982 ends the channel, because a command reached the chip altered.
            raise AccessError(
                f"the chip ended the personalisation channel: {error}",
                code="personalisation.channel-lost",
            ) from error


def card_channel(connection: CardConnection, profile: CardProfile) -> CardChannel:
    """A channel with the lengths that chips of this profile take."""
    channel = CardChannel(connection)
    if profile.extended_lengths:
        channel.extended = ExtendedLengths(
            max_command_bytes=profile.max_command_bytes,
            max_response_bytes=profile.max_response_bytes,
        )
    return channel


def _update(file: FileProfile, offset: int, content: bytes) -> CommandApdu:
    if offset == 0 and file.short_identifier is not None:
        return commands.update_binary_by_short_identifier(file.short_identifier, 0, content)
    return commands.update_binary(offset, content)


def _scp03_keys(keys: ChipKeySet) -> Scp03Keys:
    return Scp03Keys(enc=keys.enc, mac=keys.mac, dek=keys.dek)


def _wrong_key_tries(channel: CardChannel) -> WrongKeyTries | None:
    """What the chip tells before any key is tried on it; ``None`` where it keeps that to itself."""
    response = channel.transmit(commands.get_wrong_authentications())
    if response.status_word in _KNOWS_NO_TRIES:
        return None
    if response.status_word != StatusWord.SUCCESS:
        raise CardRefusedError(
            f"the chip does not tell how many wrong keys it was given (status word {response.status_word:04X})",
            status_word=response.status_word,
            code="personalisation.refused",
        )
    if len(response.data) != _TRIES_BYTES or response.data[1] == 0:
        raise CardDataError(
            f"the count of wrong keys has {len(response.data)} bytes, expected used and limit",
            code="personalisation.malformed",
        )
    return WrongKeyTries(used=response.data[0], limit=response.data[1])


def _key_versions(template: bytes) -> set[int]:
    """The versions in a key information template, ``[E0] { [C0] id, version, type, length ... }`` (GPC, 11.3.3.1)."""
    try:
        objects = tlv.parse(template, expected_tag=_KEY_INFORMATION).children()
    except tlv.TlvError as error:
        raise CardDataError(
            f"the chip's key information is malformed: {error}", code="personalisation.malformed"
        ) from error
    if not objects or any(item.tag != 0xC0 or len(item.value) < 4 for item in objects):
        raise CardDataError(
            "the chip's key information holds other objects than keys",
            code="personalisation.malformed",
        )
    return {item.value[1] for item in objects}


def _public_key(answer: bytes, curve: NamedCurve) -> EcPublicKey:
    """``[7F49] { [06] curve || [86] point }``, the point checked to lie on the curve.

    Raises:
        CurveError: anything else, the point at infinity included.
    """
    try:
        objects = tlv.parse(answer, expected_tag=_PUBLIC_KEY_TEMPLATE).children()
    except tlv.TlvError as error:
        raise CurveError(f"the chip's public key is malformed: {error}") from error
    if [item.tag for item in objects] != [_OBJECT_IDENTIFIER, _POINT]:
        raise CurveError("the chip's public key has other objects than curve and point")
    if objects[0].value != curve.oid_bytes:
        raise CurveError(f"the chip made a key on another curve, expected {curve.oid}")
    return EcPublicKey(curve=curve, point=objects[1].value)
