"""Puts the signing of cards together: over a test PKI's home in this process, or through the signer process."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from card_layout.profile import CardProfile
from issuer.bootstrap import RegisterHome
from issuer.bootstrap_production import ProductionHome, trust_point_shelf
from issuer.errors import IssuerRefusedError
from issuer.services.production_ports import CardLedger
from issuer.services.sign_cards import CardPolicy, CardSigning
from issuer.signing_crew import SigningCrew, signing_crew
from pki.services.document_signer import DocumentSigner
from pki.services.open_signer import open_document_signer
from pki.signed.authorisation import BatchAuthorisation
from pki.signer_service.client import SocketDocumentSigner

__all__ = ["SigningHome", "card_signing", "require_signer_process"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningHome:
    """Card production of one home directory, as it signs."""

    production: ProductionHome

    @contextlib.contextmanager
    def signing(
        self, *, pki: Path, pin_file: Path | None, signer_id: str | None
    ) -> Iterator[CardSigning]:
        """The use case that signs cards in this process, over a test PKI's home that nobody else uses meanwhile.

        Raises:
            PkiRefusedError: ``authorisation.missing``: it is no test authority.
            PkiError: the PKI cannot be opened.
        """
        # From here on no key of the issuer is needed, and one PKCS#11 library serves one thread.
        self.production.keystore.close()
        with open_document_signer(pki, pin_file=pin_file, signer_id=signer_id) as signer:
            if not signer.is_test:
                raise IssuerRefusedError(
                    f"{pki} is no test authority: its cards are signed with an authorisation by two",
                    code="authorisation.missing",
                    hint="batches sign BATCH --signer-socket PATH",
                )
            yield self._signing_with(signer)

    @contextlib.contextmanager
    def signing_through(
        self, socket: Path, authorisation: BatchAuthorisation
    ) -> Iterator[SigningCrew]:
        """A crew that signs cards through the signer process, under an authorisation.

        Raises:
            IssuerRefusedError: ``profile.development``.
            PkiError: the signer cannot be reached, or refuses.
        """
        self.require_signer_process()
        self.production.keystore.close()
        # A connection that is open here must not be open in a member of the crew, too.
        self.production.opened.database.close()

        @contextlib.contextmanager
        def member() -> Iterator[CardSigning]:
            with SocketDocumentSigner(socket, authorisation=authorisation.to_bytes()) as signer:
                yield self._signing_with(signer, authorisation=authorisation.digest)

        with signing_crew(member, cards=self.production.cards) as crew:
            yield crew

    def require_signer_process(self) -> None:
        """Let pass only a profile whose cards the signer process signs.

        Raises:
            IssuerRefusedError: ``profile.development``.
        """
        require_signer_process(self.production.profile)

    def _signing_with(
        self, signer: DocumentSigner, *, authorisation: bytes | None = None
    ) -> CardSigning:
        return card_signing(
            self.production.opened,
            cards=self.production.cards,
            signer=signer,
            profile=self.production.profile,
            authorisation=authorisation,
        )


def require_signer_process(profile: CardProfile) -> None:
    """Let pass only a profile whose cards the signer process signs.

    Raises:
        IssuerRefusedError: ``profile.development``.
    """
    if profile.is_development:
        raise IssuerRefusedError(
            f"cards of profile {profile.name} are signed by a test authority only",
            code="profile.development",
            hint="batches sign BATCH --pki TEST-PKI",
        )


def card_signing(
    opened: RegisterHome,
    *,
    cards: CardLedger,
    signer: DocumentSigner,
    profile: CardProfile,
    authorisation: bytes | None,
) -> CardSigning:
    """The use case that signs the cards of a home, under the authorisation with this digest."""
    return CardSigning(
        cards=cards,
        register=opened.register,
        portraits=opened.portraits,
        signer=signer,
        profile=profile,
        policy=CardPolicy(
            validity_years=opened.settings.card_validity_years,
            personalisation_system=opened.settings.personalisation_system,
            trust_points=trust_point_shelf(opened.home).for_new_cards(today=_now().date()),
        ),
        clock=_now,
        authorisation=authorisation,
    )


def _now() -> datetime:
    return datetime.now(UTC)
