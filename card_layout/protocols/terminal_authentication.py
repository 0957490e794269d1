"""The terminal's side of terminal authentication, version 1 (TR-03110-3, 2.3 and B.3; SPEC.md, 5.11).

The terminal shows the chip a chain of certificates that ends with its own, and signs a challenge together with the
ephemeral keys of the session, so that the proof is worth nothing in any other one. What the certificates say is
not judged here: that is the PKI's, before anything is sent, and the chip's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique

from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.iso7816 import commands
from card_layout.iso7816.apdu import CommandApdu
from card_layout.iso7816.channel import CardChannel

__all__ = [
    "CHALLENGE_BYTES",
    "CertificateToShow",
    "RefusedStep",
    "SessionBinding",
    "TerminalAuthenticationMalformedError",
    "TerminalRefusedError",
    "compress",
    "perform_terminal_authentication",
]

CHALLENGE_BYTES = 8
"""The length of the chip's challenge rIC (TR-03110-3, B.3)."""

_UNCOMPRESSED = 0x04


@unique
class RefusedStep(Enum):
    """What the chip said no to; the value is the stable code."""

    CHAIN = "terminal-authentication.chain-refused"
    """A certificate, or the key that is to have signed it."""
    TERMINAL = "terminal-authentication.refused"
    """The terminal's key, the challenge, or the signature."""


class TerminalRefusedError(CardRefusedError):
    """The chip said no, and goes on in the same session, without the right."""

    def __init__(self, step: RefusedStep, error: CardRefusedError) -> None:
        super().__init__(
            "the chip refused terminal authentication",
            status_word=error.status_word,
            code=step.value,
        )
        self.step = step


class TerminalAuthenticationMalformedError(CardDataError):
    """The chip answered something that is no answer to this protocol; the session goes on, without the right."""

    default_code = "terminal-authentication.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateToShow:
    """One CV certificate: the reference of the key that signed it, and the value of its 7F21."""

    authority_reference: bytes
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBinding:
    """The keys of one session, uncompressed points, that the terminal's signature is bound to.

    ``chip_key`` is the chip's ephemeral key of PACE, never one that it always has; ``terminal_key`` the terminal's
    ephemeral key of chip authentication, or of PACE with chip-authentication mapping.
    """

    chip_key: bytes
    terminal_key: bytes

    def message(self, challenge: bytes) -> bytes:
        """What is signed: ID_IC || rIC || Comp(PK_PCD)."""
        return compress(self.chip_key) + challenge + compress(self.terminal_key)


def compress(point: bytes) -> bytes:
    """Comp: the x coordinate of an uncompressed point, as long as the field (TR-03110-3, A.2.2.3).

    Raises:
        CardDataError: it is no uncompressed point.
    """
    if len(point) < 3 or len(point) % 2 == 0 or point[0] != _UNCOMPRESSED:
        raise CardDataError(f"got {len(point)} bytes, expected an uncompressed point")
    return point[1 : 1 + len(point) // 2]


def perform_terminal_authentication(
    channel: CardChannel,
    *,
    chain: Sequence[CertificateToShow],
    holder_reference: bytes,
    binding: SessionBinding,
    sign: Callable[[bytes], bytes],
) -> None:
    """Show the chain and prove the terminal's key; the chip then grants what the chain grants.

    Args:
        channel: a session of chip authentication, or of PACE that proved the chip, the application selected.
        chain: the certificates in the order of signing, from the one that a trust point of the chip signed.
        holder_reference: that of the terminal's key, which the last certificate is about.
        binding: the keys of this session.
        sign: makes the signature r || s over a message, with the terminal's key.

    Raises:
        TerminalRefusedError: the chip said no; the session goes on.
        TerminalAuthenticationMalformedError: its challenge is none; the session goes on.
        AccessError: the session broke, or there was none.
        TransportError: the exchange broke off.
    """
    if channel.session is None:
        raise AccessError("terminal authentication needs a secure messaging session, got none")
    for certificate in chain:
        select = commands.set_digital_signature_template(certificate.authority_reference)
        _require(channel, select, RefusedStep.CHAIN)
        _require(channel, commands.verify_certificate(certificate.content), RefusedStep.CHAIN)
    template = commands.set_authentication_template_for_terminal_authentication(holder_reference)
    _require(channel, template, RefusedStep.TERMINAL)
    challenge = _require(channel, commands.get_challenge(CHALLENGE_BYTES), RefusedStep.TERMINAL)
    if len(challenge) != CHALLENGE_BYTES:
        raise TerminalAuthenticationMalformedError(
            f"the chip's challenge has {len(challenge)} bytes, expected {CHALLENGE_BYTES}"
        )
    signature = sign(binding.message(challenge))
    _require(channel, commands.external_authenticate_terminal(signature), RefusedStep.TERMINAL)


def _require(channel: CardChannel, command: CommandApdu, step: RefusedStep) -> bytes:
    try:
        return channel.require(command)
    except CardRefusedError as error:
        raise TerminalRefusedError(step, error) from error
