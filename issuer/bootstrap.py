"""Puts the register together: which adapters stand behind which ports."""

import contextlib
import functools
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from card_layout.profile import load_profile
from issuer.bootstrap_keys import IssuerSealers, take_sealers
from issuer.db.base import Database
from issuer.db.card_vault import CardVault
from issuer.db.register import SqlRegister
from issuer.db.sealing import Sealer
from issuer.domain.card_number import CardNumberScheme, find_card_number_scheme
from issuer.domain.member import MemberId
from issuer.domain.organisation_code import OrganisationCodeScheme, find_organisation_code_scheme
from issuer.errors import IssuerUnavailableError
from issuer.evidence.folder_store import FolderEvidenceStore
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.folder_source import FolderPortraitSource
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.portraits.process_normaliser import ProcessPortraitNormaliser
from issuer.services.add_organisations import AddingOfOrganisations
from issuer.services.change_members import ChangeOfMembers
from issuer.services.change_organisations import ChangeOfOrganisations
from issuer.services.check_members import CheckingOfMembers
from issuer.services.decide_doubts import DoubtDesk
from issuer.services.import_members import MemberImport
from issuer.services.member_record import MemberRecords
from issuer.services.read_members import ReadingOfMembers
from issuer.services.record_member import MemberRecording
from issuer.services.register_ports import EvidenceStore, PortraitStore, Register
from issuer.services.replace_portraits import PortraitDesk
from issuer.settings import IssuerSettings, load_settings
from issuer.uploads.sealed_portraits import SealedPortraits

__all__ = [
    "RegisterHome",
    "draw_member_ids",
    "open_member_import",
    "open_normaliser",
    "open_register_home",
]

_WAITING_PORTRAITS: Final = "portraits-waiting"
"""The folder of a home where new portraits wait; no backup holds them."""

_NORMALISERS: Final = threading.BoundedSemaphore(2)
"""Workers at the same time: each may take memory for the largest picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterHome:
    """The register of one home directory, ready for use; its keys are fetched when a member is first looked at."""

    home: Path
    settings: IssuerSettings
    database: Database
    register: Register
    portraits: PortraitStore
    evidence: EvidenceStore
    scheme: CardNumberScheme
    register_sealer: Callable[[], Sealer] = field(repr=False)
    card_vault: Callable[[], CardVault] = field(repr=False)

    def doubts(self) -> DoubtDesk:
        """The use case that decides on questionable rows."""
        return DoubtDesk(
            register=self.register,
            store=self.portraits,
            scheme=self.scheme,
            clock=_now,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        )

    def changes(self) -> ChangeOfMembers:
        """The use case that changes members."""
        return ChangeOfMembers(
            register=self.register, evidence=self.evidence, scheme=self.scheme, clock=_now
        )

    def new_portraits(self) -> PortraitDesk:
        """The use case that gives members other portraits."""
        return PortraitDesk(
            changes=self.changes(),
            open_normaliser=lambda: open_normaliser(self.settings),
            waiting=SealedPortraits(self.home / _WAITING_PORTRAITS, self.register_sealer, _now),
            store=self.portraits,
        )

    def checking(self) -> CheckingOfMembers:
        """The use case by which people say that members are as they are recorded."""
        return CheckingOfMembers(register=self.register, clock=_now)

    def recording(self) -> MemberRecording:
        """The use case that records one new member."""
        return MemberRecording(
            register=self.register,
            open_normaliser=lambda: open_normaliser(self.settings),
            store=self.portraits,
            scheme=self.scheme,
            clock=_now,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        )

    def reading(self) -> ReadingOfMembers:
        """The use case that looks at members."""
        return ReadingOfMembers(register=self.register, scheme=self.scheme, clock=_now)

    def records(self) -> MemberRecords:
        """Opening the whole record of a member."""
        return MemberRecords(register=self.register, clock=_now)

    def changes_of_organisations(self) -> ChangeOfOrganisations:
        """The use case that changes the tree of organisations."""
        return ChangeOfOrganisations(register=self.register, evidence=self.evidence, clock=_now)

    def adding_of_organisations(self) -> AddingOfOrganisations:
        """The use case that records one new organisation."""
        return AddingOfOrganisations(
            register=self.register,
            evidence=self.evidence,
            scheme=self.organisation_codes,
            clock=_now,
        )

    @property
    def organisation_codes(self) -> OrganisationCodeScheme:
        """How codes of new organisations are built."""
        return find_organisation_code_scheme(self.settings.organisation_code_scheme)


@contextlib.contextmanager
def open_register_home(home: Path, *, create: bool = False) -> Iterator[RegisterHome]:
    """The register of a home directory; its database is closed at the end.

    Args:
        home: the directory that holds settings, the SQLite file and portraits.
        create: make the directory, for its owner only, where there is none.

    Raises:
        IssuerUnavailableError: there is no such directory (``home.missing``), or settings or database are
            not to be had.
    """
    try:
        if create:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not home.is_dir():
            raise IssuerUnavailableError(
                f"{home} is not a home directory of the issuer",
                code="home.missing",
                hint=f"membercard-issuer --home {home} database upgrade",
            )
    except OSError as error:
        raise IssuerUnavailableError(
            f"{home} cannot be made: {error.strerror}", code="home.missing"
        ) from error
    settings = load_settings(home)
    scheme = find_card_number_scheme(settings.card_number_scheme)
    database = Database(settings.database_url_in(home))

    @functools.cache
    def sealers() -> IssuerSealers:
        return take_sealers(home, settings)

    def sealer() -> Sealer:
        return sealers().register

    portraits = FolderPortraitStore(settings.portraits_in(home))

    def vault() -> CardVault:
        return CardVault(sealer=sealers().cards, portraits=portraits)

    try:
        yield RegisterHome(
            home=home,
            settings=settings,
            database=database,
            register=SqlRegister(database, sealer, vault),
            portraits=portraits,
            evidence=FolderEvidenceStore(settings.evidence_in(home), sealer),
            scheme=scheme,
            register_sealer=sealer,
            card_vault=vault,
        )
    finally:
        database.close()


@contextlib.contextmanager
def open_normaliser(settings: IssuerSettings) -> Iterator[ProcessPortraitNormaliser]:
    """Makes portraits within the bounds of the card profile, in a process that is ended at the end; two at a time.

    Raises:
        CardDataError: the card profile of the settings cannot be loaded.
    """
    profile = load_profile(settings.card_profile)
    bounds = PortraitBounds(
        min_bytes=profile.portrait_min_bytes, max_bytes=profile.portrait_max_bytes
    )
    with _NORMALISERS, ProcessPortraitNormaliser(bounds) as normaliser:
        yield normaliser


@contextlib.contextmanager
def open_member_import(opened: RegisterHome, portraits_directory: Path) -> Iterator[MemberImport]:
    """The use case that imports members, with its worker process, which is ended at the end.

    Raises:
        IssuerUnavailableError: there is no such directory (``portraits.unavailable``).
        CardDataError: the card profile of the settings cannot be loaded.
    """
    source = FolderPortraitSource(portraits_directory)
    with open_normaliser(opened.settings) as normaliser:
        yield MemberImport(
            register=opened.register,
            portraits=source,
            normaliser=normaliser,
            store=opened.portraits,
            scheme=opened.scheme,
            clock=_now,
            new_member_ids=draw_member_ids,
            chunk_rows=opened.settings.import_chunk_rows,
        )


def draw_member_ids(count: int) -> list[MemberId]:
    """Random identifiers (RFC 9562, version 4), for which the system is asked once."""
    drawn = secrets.token_bytes(16 * count)
    return [
        MemberId(uuid.UUID(bytes=drawn[start : start + 16], version=4))
        for start in range(0, len(drawn), 16)
    ]


def _now() -> datetime:
    return datetime.now(UTC)
