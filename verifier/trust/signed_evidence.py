"""A terminal's lasting signature over what it keeps of a refused card: who read it, provable after years.

It is one more request of the terminal's key (verifier.services.request_signing), to an address that no service has. What a
chip proves, it proves to the terminal alone; with its signature the terminal answers for that it has seen the proof.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.chain import judge_chain
from pki.card_verifiable.public_key import verify_plain_signature
from pki.errors import PkiError, PkiRefusedError
from verifier.errors import TrustError
from verifier.services.request_signing import RequestSignatureError, SignedRequest, sign_request
from verifier.trust.credentials import CurrentCredentials
from verifier.trust.refused_cards import RefusedCard, RefusedCardError

__all__ = ["signed_by_terminal", "terminal_that_signed"]

_METHOD: Final = "POST"
_TARGET: Final = "urn:membercard:refused-card"


def signed_by_terminal(card: RefusedCard, credentials: CurrentCredentials) -> RefusedCard:
    """The same with the terminal's signature; without one where its certificates are not valid that day.

    Raises:
        TrustError: ``terminal.key-unavailable``: the key or its token failed.
    """
    try:
        chain = credentials.own_chain(on=card.judged_at.astimezone(UTC).date())
    except PkiRefusedError:
        # Nobody would believe it; the card is kept all the same.
        return card
    try:
        headers = sign_request(
            credentials.held,
            chain=chain.certificates,
            method=_METHOD,
            target=_TARGET,
            body=card.signed_bytes(),
            now=card.judged_at,
        )
    except PkiError as error:
        raise TrustError(str(error), code="terminal.key-unavailable") from error
    return replace(card, signature=headers)


def terminal_that_signed(card: RefusedCard, roots: Sequence[CvCertificate]) -> str | None:
    """The holder reference of the terminal whose signature it bears, below one of these CVCAs; ``None`` where it bears none.

    Raises:
        RefusedCardError: ``refused-card.signature``: it bears one that does not hold.
    """
    if card.signature is None:
        return None
    try:
        request = SignedRequest.read(
            card.signature, method=_METHOD, target=_TARGET, body=card.signed_bytes()
        )
        if request is None:
            raise _invalid("it has none of the members of one")
        _check_time(request.made_at, card.judged_at)
        judged = judge_chain(request.certificates, anchors=roots, on=request.made_at.date())
        body = judged.certificate.body
        if body.holder_reference.text != request.key_id:
            raise _invalid("the key that is named is not that of the certificate")
        verify_plain_signature(
            judged.public_key,
            body.public_key.algorithm,
            signature=request.signature,
            message=request.message,
            name=f"what {request.key_id} kept",
        )
    except (RequestSignatureError, PkiError) as error:
        raise _invalid(str(error)) from error
    return request.key_id


def _check_time(made_at: datetime, judged_at: datetime) -> None:
    if made_at != judged_at.astimezone(UTC).replace(microsecond=0):
        raise _invalid("it was made at another time than the card was judged")


def _invalid(what: str) -> RefusedCardError:
    return RefusedCardError(
        f"the terminal's signature does not hold: {what}", code="refused-card.signature"
    )
