"""Which proofs a chip announces, and what it gives as one; whether they hold is judged later (SPEC.md, 9.17)."""

import secrets
from typing import Final

from card_layout.errors import AccessError, CardDataError, CardRefusedError
from card_layout.files.data_group_14 import SecurityOptions
from card_layout.files.data_group_15 import ActiveAuthenticationKey
from card_layout.files.security_infos import (
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfos,
)
from card_layout.iso7816.channel import CardChannel, ReadingLimitError
from card_layout.protocols.active_authentication import CHALLENGE_BYTES
from card_layout.protocols.algorithms import SessionCipher, chip_authentication_cipher
from card_layout.protocols.chip_authentication_mapping import ChipAuthenticationMapping
from pki.errors import PkiError
from pki.signed.card_security import CardSecurityObject
from verifier.inspection.snapshot import ChipOutcome
from verifier.reading.evidence import Evidence

__all__ = ["CARD_SECURITY", "announced_keys", "collect_signature", "find_mapped_key"]

CARD_SECURITY: Final = "EF.CardSecurity"

_SECURITY_OPTIONS: Final = "EF.DG14"
_ACTIVE_AUTHENTICATION_KEY: Final = "EF.DG15"


def announced_keys(
    evidence: Evidence,
) -> tuple[tuple[ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo], ...]:
    """What DG14 offers of the chip authentication that we speak, in the order of SPEC.md, 5.12: the strongest first.

    With several keys each has a number, and goes with the info of that number only (9303-11, 9.2.5).
    """
    content = evidence.content(_SECURITY_OPTIONS)
    if content is None:
        return ()
    try:
        infos = SecurityOptions.from_bytes(content).security_infos
    except CardDataError:
        return ()
    keys = infos.chip_authentication_keys
    is_only_key = len(keys) == 1
    offers = [
        (cipher, info, key)
        for info in infos.chip_authentication_infos
        if (
            cipher := chip_authentication_cipher(
                info.protocol, allow_triple_des=evidence.is_opened_by_bac
            )
        )
        for key in keys
        if info.key_id == key.key_id or (is_only_key and None in (info.key_id, key.key_id))
    ]
    return tuple((info, key) for _, info, key in sorted(offers, key=_preference))


def _preference(
    offer: tuple[SessionCipher, ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo],
) -> tuple[bool, int, int]:
    """Smaller is better: AES before 3DES, the longer key of a session, the larger curve; then as DG14 has them."""
    cipher, _, key = offer
    return (
        cipher is SessionCipher.TRIPLE_DES,
        -cipher.key_bytes,
        -key.public_key.curve.field_bytes,
    )


def find_mapped_key(evidence: Evidence, mapping: ChipAuthenticationMapping) -> None:
    """Note the key of EF.CardSecurity that PACE proved, where there is one."""
    content = evidence.content(CARD_SECURITY)
    try:
        signed = CardSecurityObject.from_bytes(content or b"")
        keys = SecurityInfos.from_bytes(signed.content).chip_authentication_keys
    except (CardDataError, PkiError):
        return
    for key in keys:
        if evidence.conversation.proves(mapping, key.public_key):
            evidence.note_chip(ChipOutcome.PROVEN, key)
            return


def collect_signature(evidence: Evidence, channel: CardChannel) -> None:
    """Active authentication, of a chip that has its key in EF.DG15 (SPEC.md, 5.9).

    Raises:
        TransportError: the exchange broke off.
        AccessError: the session is over.
        ReadingLimitError: a bound was reached.
    """
    content = evidence.content(_ACTIVE_AUTHENTICATION_KEY)
    if content is None:
        return
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    evidence.note_active_authentication(challenge, None)
    try:
        public_key = ActiveAuthenticationKey.from_bytes(content).public_key
        signature = evidence.conversation.signature(
            channel, public_key=public_key, challenge=challenge
        )
    except CardRefusedError:
        return
    except (AccessError, ReadingLimitError):
        raise
    except CardDataError:
        # Check 9.14 says so: with a key that cannot be decoded nothing can be verified.
        return
    evidence.note_active_authentication(challenge, signature)
