"""The conversation of a reading with its card, step by step: what is done live, recorded, or played again.

A reading decides what to ask; this is how it asks. The protocols and the bounds of files stand here as methods, so
that a transcript can say where each begins and ends, and a replay can carry them out without a card and without keys.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import Protocol

from card_layout.curves import EcPublicKey
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.active_authentication import request_signature
from card_layout.protocols.basic_access_control import perform_basic_access_control
from card_layout.protocols.chip_authentication import perform_chip_authentication
from card_layout.protocols.chip_authentication_mapping import ChipAuthenticationMapping
from card_layout.protocols.pace import PacePassword, PaceResult, perform_pace
from card_layout.protocols.terminal_authentication import (
    CertificateToShow,
    SessionBinding,
    perform_terminal_authentication,
)
from card_layout.rsa import RsaPublicKey
from card_layout.transport.connection import CardConnection, CardReader
from pki.card_verifiable.credentials import TerminalChain
from pki.card_verifiable.references import HolderReference

__all__ = ["Conversation", "ShownCredentials"]


class ShownCredentials(Protocol):
    """What a terminal can show; `pki.card_verifiable.credentials.TerminalCredentials` is one."""

    @property
    def holder_reference(self) -> HolderReference:
        """Of the terminal's key."""

    def chain_from(self, trust_points: Collection[bytes], *, on: date) -> TerminalChain:
        """A chain that begins under one of the chip's trust points.

        Raises:
            PkiError: there is none.
        """

    def sign(self, message: bytes) -> bytes:
        """The signature of terminal authentication.

        Raises:
            PkiError: the key failed.
        """


class Conversation:
    """A conversation with a card that is there; each method raises what the function that it calls raises."""

    def credentials(self, given: ShownCredentials | None) -> ShownCredentials | None:
        """What the terminal can show, as the reading is to use it."""
        return given

    def connect(self, reader: CardReader) -> CardConnection:
        """Power the card."""
        return reader.connect()

    def cut(self) -> None:
        """Nobody waits for the reading any more: what it does from now on counts for nothing."""

    def open_channel(self, connection: CardConnection, deadline: Callable[[], None]) -> CardChannel:
        """The channel for the whole reading."""
        return CardChannel(connection, deadline=deadline)

    def file(self, name: str) -> AbstractContextManager[None]:
        """Everything inside is the reading of one file."""
        del name
        return nullcontext()

    def pace(
        self, channel: CardChannel, *, pace_info: PaceInfo, password: PacePassword
    ) -> PaceResult:
        """Open the card by PACE."""
        return perform_pace(channel, pace_info=pace_info, password=password)

    def basic_access_control(self, channel: CardChannel, *, information: str) -> None:
        """Open the card by basic access control."""
        perform_basic_access_control(channel, information=information)

    def proves(self, mapping: ChipAuthenticationMapping, key: EcPublicKey) -> bool:
        """Whether PACE proved this static key of the chip."""
        return mapping.proves(key)

    def chip_authentication(
        self,
        channel: CardChannel,
        *,
        info: ChipAuthenticationInfo,
        public_key_info: ChipAuthenticationPublicKeyInfo,
        allow_triple_des: bool,
    ) -> bytes:
        """Agree on new keys with the chip's static key; gives the terminal's ephemeral one."""
        return perform_chip_authentication(
            channel,
            info=info,
            public_key_info=public_key_info,
            allow_triple_des=allow_triple_des,
        )

    def terminal_authentication(
        self,
        channel: CardChannel,
        *,
        chain: Sequence[CertificateToShow],
        holder_reference: bytes,
        binding: SessionBinding,
        sign: Callable[[bytes], bytes],
    ) -> None:
        """Prove the terminal to the chip."""
        perform_terminal_authentication(
            channel,
            chain=chain,
            holder_reference=holder_reference,
            binding=binding,
            sign=sign,
        )

    def signature(
        self, channel: CardChannel, *, public_key: EcPublicKey | RsaPublicKey, challenge: bytes
    ) -> bytes:
        """What the chip signs of a challenge."""
        return request_signature(channel, public_key=public_key, challenge=challenge)
