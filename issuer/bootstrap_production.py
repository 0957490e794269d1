"""Puts card production together: keystore, ledgers, dialect and readers behind the ports."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from card_layout.curves import NamedCurve
from card_layout.profile import CardProfile, load_profile
from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_keys import (
    KEYSTORE_DIRECTORY,
    derive_card_sealer,
    derive_register_sealer,
    open_issuer_keystore,
)
from issuer.db.card_ledger import SqlCardLedger, SqlCardRegister
from issuer.db.card_vault import CardVault
from issuer.db.register import SqlRegister
from issuer.db.stock_ledger import SqlStockLedger
from issuer.domain.card_number import CardNumberScheme
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.personalisation.chip_keys import (
    CARD_DATA_KEY_ID,
    PERSONALISATION_KEY_ID,
    TRANSPORT_KEY_ID,
    KeystoreThread,
)
from issuer.personalisation.sealed_keys import STATION_KEY_ID
from issuer.personalisation.trust_points import TrustPointShelf
from issuer.services.production_ports import CardLedger, CardRegister, StockLedger
from issuer.services.stock_desk import StockDesk
from issuer.services.stock_room import StockRoom
from issuer.settings import remember
from pki.card_verifiable.certificate import CvCertificate
from pki.keys.keystore import AgreementKeystore
from pki.keys.open import (
    KeystoreKind,
    create_keystore,
    create_pin_file,
    keystore_warning,
)
from pki.signed.certification_request import encode_certification_request

__all__ = [
    "KeystoreSummary",
    "ProductionHome",
    "ProductionOffice",
    "create_keys",
    "import_transport_key",
    "import_trust_points",
    "open_production_home",
    "open_production_office",
    "request_station",
    "trust_point_shelf",
]

_TRUST_POINTS_DIRECTORY = "trust-points"
_MAX_KEY_FILE_BYTES = 1024
_TRANSPORT_KEY_CHARACTERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class KeystoreSummary:
    """What a keystore holds, and what people must know of it."""

    key_ids: tuple[str, ...]
    warning: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionOffice:
    """What can be looked at and recorded without any key."""

    scheme: CardNumberScheme
    stock: StockLedger
    cards: CardRegister
    room: StockRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductionHome:
    """Card production of one home directory, its keystore open in a thread of its own."""

    opened: RegisterHome
    profile: CardProfile
    cards: CardLedger
    keystore: KeystoreThread
    vault: CardVault = field(repr=False)

    def trust_points(self) -> Mapping[bytes, bytes]:
        """The CVCA certificates at hand, by their reference."""
        return trust_point_shelf(self.opened.home).by_reference()


def create_keys(
    home: Path, *, kind: KeystoreKind, pin_file: Path, is_sealed: bool = False
) -> KeystoreSummary:
    """Make the issuer's keystore with its master keys, and remember where its PIN lies.

    With ``is_sealed`` no master key of chips is made: their keys come in sealed files.

    Raises:
        KeystoreError: there is one already, or it cannot be made.
    """
    with open_register_home(home):
        # A home directory that is none must be refused before a key is made.
        pass
    pin = create_pin_file(pin_file)
    directory = home / KEYSTORE_DIRECTORY
    with contextlib.closing(create_keystore(directory, kind=kind, pin=pin)) as keystore:
        for key_id in (
            (CARD_DATA_KEY_ID,) if is_sealed else (PERSONALISATION_KEY_ID, CARD_DATA_KEY_ID)
        ):
            keystore.create_master_key(key_id=key_id)
        summary = _summary(directory, keystore)
    remember(home, {"keystore": {"pin_file": str(pin_file.absolute())}})
    return summary


def import_transport_key(home: Path, path: Path) -> KeystoreSummary:
    """Take in the chip maker's transport master key: a file of 64 hexadecimal digits.

    Raises:
        IssuerUnavailableError: the file cannot be read, or is not one (``transport-key.malformed``).
        KeystoreError: the keystore cannot be opened, or holds a transport key already.
    """
    value = _read_transport_key(path)
    with (
        open_register_home(home) as opened,
        contextlib.closing(_open_keystore(opened)) as keystore,
    ):
        keystore.import_master_key(key_id=TRANSPORT_KEY_ID, value=value)
        return _summary(home / KEYSTORE_DIRECTORY, keystore)


def import_trust_points(home: Path, paths: Sequence[Path]) -> tuple[CvCertificate, ...]:
    """Take in CVCA certificates that new cards are to trust; give back what is on the shelf, the newest first.

    Raises:
        IssuerUnavailableError, IssuerRefusedError, PkiError: as ``TrustPointShelf.add``.
    """
    with open_register_home(home):
        # A home directory that is none must be refused before anything is written.
        pass
    shelf = trust_point_shelf(home)
    for path in paths:
        shelf.add(path, today=_now().date())
    return shelf.held()


def request_station(home: Path, out: Path, *, name: str) -> None:
    """Make this station's key, if there is none, and write the request (PKCS#10) for its certificate.

    Raises:
        IssuerUnavailableError: ``personalisation.request-unwritable``.
        KeystoreError: the keystore cannot be opened, or the key not be made.
    """
    with (
        open_register_home(home) as opened,
        contextlib.closing(_open_keystore(opened)) as keystore,
    ):
        if STATION_KEY_ID not in keystore.key_ids():
            keystore.create_agreement_key(key_id=STATION_KEY_ID, curve=NamedCurve.SECP256R1)
        request = encode_certification_request(keystore.signer(STATION_KEY_ID), common_name=name)
    try:
        out.write_bytes(request)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{out} cannot be written: {error.strerror}", code="personalisation.request-unwritable"
        ) from error


@contextlib.contextmanager
def open_production_office(home: Path) -> Iterator[ProductionOffice]:
    """Stock and register of cards, for which no key is needed.

    Raises:
        IssuerUnavailableError: home, settings or database are not to be had.
    """
    with open_register_home(home) as opened:
        yield ProductionOffice(
            scheme=opened.scheme,
            stock=SqlStockLedger(opened.database),
            cards=SqlCardRegister(opened.database, _now),
            # The room alone: a station has no memory to spare for what makes reports of the stock.
            room=StockRoom(desk=StockDesk(register=opened.register, clock=_now)),
        )


@contextlib.contextmanager
def open_production_home(
    home: Path, *, allow_development_cards: bool = False
) -> Iterator[ProductionHome]:
    """Card production of a home directory; database and keystore are closed at the end.

    Raises:
        IssuerRefusedError: the card profile is for development, and that was not allowed (``profile.development``).
        IssuerUnavailableError: home, settings or database are not to be had.
        KeystoreError: the keystore cannot be opened.
        CardDataError: the card profile of the settings cannot be loaded.
    """
    with open_register_home(home) as opened:
        profile = load_profile(opened.settings.card_profile)
        if profile.is_development and not allow_development_cards:
            raise IssuerRefusedError(
                f"cards of profile {profile.name} are for development and for nobody's pocket",
                code="profile.development",
                hint="membercard-issuer --allow-development-cards ...",
            )
        with contextlib.closing(KeystoreThread(lambda: _open_keystore(opened))) as keystore:
            vault = CardVault(sealer=keystore.call(derive_card_sealer), portraits=opened.portraits)
            register_sealer = keystore.call(derive_register_sealer)
            yield ProductionHome(
                # A PKCS#11 library stands one session: the register takes its keys through this one.
                opened=replace(
                    opened,
                    register=SqlRegister(opened.database, lambda: register_sealer, lambda: vault),
                ),
                profile=profile,
                cards=SqlCardLedger(opened.database, _now, vault),
                keystore=keystore,
                vault=vault,
            )


def trust_point_shelf(home: Path) -> TrustPointShelf:
    """Where the CVCA certificates lie."""
    return TrustPointShelf(home / _TRUST_POINTS_DIRECTORY)


def _open_keystore(opened: RegisterHome) -> AgreementKeystore:
    return open_issuer_keystore(opened.home, opened.settings)


def _summary(directory: Path, keystore: AgreementKeystore) -> KeystoreSummary:
    return KeystoreSummary(key_ids=keystore.key_ids(), warning=keystore_warning(directory))


def _read_transport_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_KEY_FILE_BYTES).strip()
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}", code="transport-key.unavailable"
        ) from error
    try:
        if len(content) == _TRANSPORT_KEY_CHARACTERS:
            return bytes.fromhex(content.decode("ascii"))
    except ValueError:
        # The library's text would quote the key.
        pass
    raise IssuerUnavailableError(
        f"{path} is not a transport key, expected {_TRANSPORT_KEY_CHARACTERS} hexadecimal digits",
        code="transport-key.malformed",
    )


def _now() -> datetime:
    return datetime.now(UTC)
