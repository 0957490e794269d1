"""Puts bundles together: our keys and certificates, the store of sealed files, and every use case over a home."""

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from card_layout.curves import NamedCurve
from card_layout.profile import load_profile
from issuer.bootstrap import RegisterHome, open_register_home
from issuer.bootstrap_keys import open_issuer_keystore
from issuer.bootstrap_requests import requests_of
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.reports import SqlReportFigures
from issuer.domain.bundle import ConflictId
from issuer.domain.instances import ExchangeCertificates, InstanceName, parse_instance_name
from issuer.domain.member import MemberId
from issuer.domain.organisation import OrganisationCode, parse_organisation_code
from issuer.errors import IssuerRefusedError, IssuerUnavailableError
from issuer.exchange.instance_keys import RECEIVING_KEY_ID, SIGNING_KEY_ID, CertifiedInstanceKeys
from issuer.portraits.bounds import PortraitBounds
from issuer.portraits.process_normaliser import ProcessPortraitNormaliser
from issuer.services.bundle_ports import OwnInstance
from issuer.services.collect_bundle import BundleMaterial
from issuer.services.enrol_instances import InstanceOffice
from issuer.services.exchange_desk import ExchangeDesk
from issuer.services.export_bundle import BundleExport
from issuer.services.hand_down import HandingDown
from issuer.services.import_bundle import BundleImport
from issuer.services.look_at_conflicts import ConflictLooking
from issuer.services.look_at_instances import LookingAtInstances
from issuer.services.settle_conflicts import ConflictDesk
from issuer.services.state_reports import ReportStating
from issuer.settings import IssuerSettings, remember
from issuer.stations.exchange_keys import KeystoreCalls
from issuer.storage.bundle_folder import FolderBundleStore
from issuer.storage.durable import write_durably
from issuer.storage.number_mark_file import FileNumberMarkStore
from issuer.storage.sequence_mark_file import FileSequenceMarkStore
from issuer.storage.status_mark_files import FileStatusMarkStore
from pki.keys.keystore import AgreementKeystore
from pki.signed.certification_request import encode_certification_request

__all__ = [
    "ExchangeOffice",
    "exchange_desk_of",
    "exchange_of",
    "install_certificates",
    "looking_at_instances",
    "open_bundle_import",
    "own_instance",
    "read_certificates",
    "request_certificates",
]

_Result = TypeVar("_Result")
_MAX_CERTIFICATE_BYTES: Final = 65536
_SIGNER_FILE: Final = "instance-signer.cer"
_RECEIVER_FILE: Final = "instance.cer"
_ROOT_FILE: Final = "service-root.cer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOffice:
    """The use cases of instances and of bundles that are made."""

    own: OwnInstance
    keys: CertifiedInstanceKeys
    instances: InstanceOffice
    exporting: BundleExport
    handing: HandingDown
    conflicts: ConflictDesk
    looking: LookingAtInstances


def request_certificates(
    home: Path, *, name: str, organisation: str, signer_request: Path, receiver_request: Path
) -> OwnInstance:
    """Give this register its name, make its two keys, if there are none, and write the requests for their certificates.

    Raises:
        IssuerDataError: ``instance.name-malformed``, ``organisation.code-malformed``.
        IssuerUnavailableError: a file cannot be written (``instance.unwritable``).
        KeystoreError: the keystore cannot be opened, or a key not be made.
    """
    own = OwnInstance(
        name=parse_instance_name(name), organisation=parse_organisation_code(organisation)
    )
    with open_register_home(home) as opened, _keystore(opened) as keystore:
        held = keystore.key_ids()
        if SIGNING_KEY_ID not in held:
            keystore.create_signing_key(key_id=SIGNING_KEY_ID, curve=NamedCurve.SECP256R1)
        if RECEIVING_KEY_ID not in held:
            keystore.create_agreement_key(key_id=RECEIVING_KEY_ID, curve=NamedCurve.SECP256R1)
        for key_id, out in ((SIGNING_KEY_ID, signer_request), (RECEIVING_KEY_ID, receiver_request)):
            request = encode_certification_request(keystore.signer(key_id), common_name=own.name)
            try:
                out.write_bytes(request)
            except OSError as error:
                raise IssuerUnavailableError(
                    f"{out} cannot be written: {error.strerror}", code="instance.unwritable"
                ) from error
    remember(home, {"exchange": {"name": own.name, "organisation": own.organisation}})
    return own


def install_certificates(home: Path, *, signer: Path, receiver: Path, root: Path) -> None:
    """Keep our certificates, and that of the root that is trusted from now on, once they belong together.

    Raises:
        IssuerUnavailableError: a file cannot be read or written (``instance.certificate-unavailable``).
        IssuerRefusedError: a certificate is for another key than ours (``instance.other-key``).
        PkiRefusedError: ``exchange.certificate``, ``exchange.certificate-expired``.
    """
    certificates = read_certificates(signer, receiver)
    root_certificate = _read(root)
    with open_register_home(home) as opened:
        own = own_instance(opened.settings)
        keys = CertifiedInstanceKeys(
            keystore=_ForOneAct(opened=opened), own=certificates, root=root_certificate
        )
        keys.judge(certificates.signer, receiver=certificates.receiver, name=own.name, now=_now())
        keys.require_own_keys()
        folder = opened.settings.exchange_in(home)
    for name, content in (
        (_ROOT_FILE, root_certificate),
        (_RECEIVER_FILE, certificates.receiver),
        (_SIGNER_FILE, certificates.signer),
    ):
        try:
            write_durably(folder / name, content)
        except OSError as error:
            raise IssuerUnavailableError(
                f"{folder / name} cannot be written: {error.strerror}",
                code="instance.certificate-unavailable",
            ) from error


def read_certificates(signer: Path, receiver: Path) -> ExchangeCertificates:
    """The two certificates of an instance.

    Raises:
        IssuerUnavailableError: ``instance.certificate-unavailable``.
    """
    return ExchangeCertificates(signer=_read(signer), receiver=_read(receiver))


def own_instance(settings: IssuerSettings) -> OwnInstance:
    """How others know this register.

    Raises:
        IssuerRefusedError: it has no name yet (``instance.no-name``).
    """
    name, organisation = settings.exchange.name, settings.exchange.organisation
    if name is None or organisation is None:
        raise IssuerRefusedError(
            "this register has no name among instances yet",
            code="instance.no-name",
            hint="membercard-issuer instances request NAME",
        )
    return OwnInstance(name=InstanceName(name), organisation=OrganisationCode(organisation))


def exchange_of(opened: RegisterHome, *, keystore: KeystoreCalls | None = None) -> ExchangeOffice:
    """The use cases over the register of a home; ``keystore`` is one that is held open already.

    Raises:
        IssuerRefusedError: ``instance.no-name``.
        IssuerUnavailableError: there are no certificates yet (``instance.certificate-unavailable``).
    """
    own, keys = own_instance(opened.settings), _keys(opened, keystore)
    marks = FileSequenceMarkStore(opened.settings.number_mark_in(opened.home))
    office = requests_of(opened)
    return ExchangeOffice(
        own=own,
        keys=keys,
        instances=InstanceOffice(
            register=opened.register, own=own, keys=keys, marks=marks, clock=_now
        ),
        exporting=BundleExport(
            register=opened.register,
            material=BundleMaterial(
                own=own,
                documents=office.documents,
                portraits=opened.portraits,
                policy=office.policy,
            ),
            keys=keys,
            files=FolderBundleStore(opened.settings.exchange_in(opened.home) / "outbox"),
            marks=marks,
            reports=ReportStating(
                register=opened.register,
                figures=SqlReportFigures(opened.database),
                production=SqlProductionFigures(opened.database),
                instances=SqlInstanceFigures(opened.database),
            ),
            clock=_now,
        ),
        handing=HandingDown(
            register=opened.register,
            own=own,
            numbers=FileNumberMarkStore(opened.settings.number_mark_in(opened.home)),
            statuses=FileStatusMarkStore(opened.settings.status_marks_in(opened.home)),
            scheme=opened.scheme,
            clock=_now,
            random_bytes=secrets.token_bytes,
            new_id=uuid.uuid4,
        ),
        conflicts=ConflictDesk(
            register=opened.register,
            own=own,
            policy=office.policy,
            scheme=opened.scheme,
            clock=_now,
            new_member_id=lambda: MemberId(uuid.uuid4()),
        ),
        looking=looking_at_instances(opened),
    )


def looking_at_instances(opened: RegisterHome) -> LookingAtInstances:
    """Looking at instances, for which no key is needed.

    Raises:
        IssuerRefusedError: ``instance.no-name``.
    """
    return LookingAtInstances(
        register=opened.register,
        own=own_instance(opened.settings),
        marks=FileSequenceMarkStore(opened.settings.number_mark_in(opened.home)),
    )


@contextlib.contextmanager
def open_bundle_import(
    opened: RegisterHome, *, keystore: KeystoreCalls | None = None
) -> Iterator[BundleImport]:
    """The use case that takes bundles; the workers that make portraits anew are ended with it.

    Raises:
        IssuerRefusedError, IssuerUnavailableError: as ``exchange_of``.
        CardDataError: the card profile of the settings cannot be loaded.
    """
    office = requests_of(opened)
    profile = load_profile(opened.settings.card_profile)
    bounds = PortraitBounds(
        min_bytes=profile.portrait_min_bytes, max_bytes=profile.portrait_max_bytes
    )
    with ProcessPortraitNormaliser(bounds) as normaliser:
        yield BundleImport(
            register=opened.register,
            own=own_instance(opened.settings),
            keys=_keys(opened, keystore),
            documents=office.documents,
            portraits=opened.portraits,
            normaliser=normaliser,
            policy=office.policy,
            scheme=opened.scheme,
            numbers=FileNumberMarkStore(opened.settings.number_mark_in(opened.home)),
            statuses=FileStatusMarkStore(opened.settings.status_marks_in(opened.home)),
            random_bytes=secrets.token_bytes,
            clock=_now,
            new_conflict_id=lambda: ConflictId(uuid.uuid4()),
            new_member_id=lambda: MemberId(uuid.uuid4()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ForOneAct:
    """The keystore, opened and closed around each act: one PKCS#11 library stands one session."""

    opened: RegisterHome

    def call(self, work: Callable[[AgreementKeystore], _Result]) -> _Result:
        """See ``KeystoreCalls.call``."""
        with _keystore(self.opened) as keystore:
            return work(keystore)


def exchange_desk_of(opened: RegisterHome, keystore: KeystoreCalls) -> ExchangeDesk | None:
    """What the API does with bundles; ``None`` where this register has no name or no certificates among instances."""
    settings = opened.settings
    folder = settings.exchange_in(opened.home)
    files = (_ROOT_FILE, _SIGNER_FILE, _RECEIVER_FILE)
    if settings.exchange.name is None or not all((folder / each).is_file() for each in files):
        return None
    office = exchange_of(opened, keystore=keystore)
    return ExchangeDesk(
        own=office.own,
        own_fingerprint=office.keys.own.fingerprint,
        exporting=office.exporting,
        conflicts=office.conflicts,
        weighing=ConflictLooking(register=opened.register, clock=_now),
        looking=office.looking,
        instances=office.instances,
        handing=office.handing,
    )


def _keys(opened: RegisterHome, keystore: KeystoreCalls | None = None) -> CertifiedInstanceKeys:
    folder = opened.settings.exchange_in(opened.home)
    return CertifiedInstanceKeys(
        keystore=_ForOneAct(opened=opened) if keystore is None else keystore,
        own=read_certificates(folder / _SIGNER_FILE, folder / _RECEIVER_FILE),
        root=_read(folder / _ROOT_FILE),
    )


@contextlib.contextmanager
def _keystore(opened: RegisterHome) -> Iterator[AgreementKeystore]:
    with contextlib.closing(open_issuer_keystore(opened.home, opened.settings)) as keystore:
        yield keystore


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_CERTIFICATE_BYTES + 1)
    except OSError as error:
        raise IssuerUnavailableError(
            f"{path} cannot be read: {error.strerror}",
            code="instance.certificate-unavailable",
            hint="membercard-issuer instances install",
        ) from error
    if len(content) > _MAX_CERTIFICATE_BYTES:
        raise IssuerUnavailableError(
            f"{path} has more than {_MAX_CERTIFICATE_BYTES} bytes",
            code="instance.certificate-unavailable",
        )
    return content


def _now() -> datetime:
    return datetime.now(UTC)
