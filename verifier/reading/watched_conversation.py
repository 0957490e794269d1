"""A live conversation that tells how far the reading is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from card_layout.curves import EcPublicKey
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PaceInfo,
)
from card_layout.iso7816.channel import CardChannel
from card_layout.protocols.chip_authentication_mapping import ChipAuthenticationMapping
from card_layout.protocols.pace import PacePassword, PaceResult
from card_layout.protocols.terminal_authentication import CertificateToShow, SessionBinding
from card_layout.transport.connection import CardConnection, CardReader
from verifier.inspection.snapshot import Phase
from verifier.reading.conversation import Conversation

__all__ = ["PhaseListener", "WatchedConversation"]

PhaseListener = Callable[[Phase, int], None]
"""Is told the phase that begins or goes on, and the number of files asked for; it must not raise."""

_ORDER: Final = tuple(Phase)
_SECURITY_OPTIONS: Final = "EF.DG14"


class WatchedConversation(Conversation):
    """Tells each step before it is done; a phase that was passed is never told again."""

    def __init__(self, tell: PhaseListener) -> None:
        self._tell = tell
        self._phase = Phase.CONNECT
        self._files = 0

    def connect(self, reader: CardReader) -> CardConnection:
        """See ``Conversation``."""
        self._enter(Phase.CONNECT)
        return super().connect(reader)

    def file(self, name: str) -> AbstractContextManager[None]:
        """See ``Conversation``."""
        self._files += 1
        # What the chip's proof is made with is read first, and belongs to it.
        self._enter(Phase.CHIP if name == _SECURITY_OPTIONS else self._phase)
        return super().file(name)

    def pace(
        self, channel: CardChannel, *, pace_info: PaceInfo, password: PacePassword
    ) -> PaceResult:
        """See ``Conversation``."""
        self._enter(Phase.ACCESS)
        return super().pace(channel, pace_info=pace_info, password=password)

    def basic_access_control(self, channel: CardChannel, *, information: str) -> None:
        """See ``Conversation``."""
        self._enter(Phase.ACCESS)
        super().basic_access_control(channel, information=information)

    def proves(self, mapping: ChipAuthenticationMapping, key: EcPublicKey) -> bool:
        """See ``Conversation``."""
        self._enter(Phase.CHIP)
        return super().proves(mapping, key)

    def chip_authentication(
        self,
        channel: CardChannel,
        *,
        info: ChipAuthenticationInfo,
        public_key_info: ChipAuthenticationPublicKeyInfo,
        allow_triple_des: bool,
    ) -> bytes:
        """See ``Conversation``; after it come the files."""
        self._enter(Phase.CHIP)
        key = super().chip_authentication(
            channel,
            info=info,
            public_key_info=public_key_info,
            allow_triple_des=allow_triple_des,
        )
        self._enter(Phase.FILES)
        return key

    def terminal_authentication(
        self,
        channel: CardChannel,
        *,
        chain: Sequence[CertificateToShow],
        holder_reference: bytes,
        binding: SessionBinding,
        sign: Callable[[bytes], bytes],
    ) -> None:
        """See ``Conversation``."""
        self._enter(Phase.FILES)
        super().terminal_authentication(
            channel,
            chain=chain,
            holder_reference=holder_reference,
            binding=binding,
            sign=sign,
        )

    def _enter(self, phase: Phase) -> None:
        self._phase = max(self._phase, phase, key=_ORDER.index)
        self._tell(self._phase, self._files)
