"""Two registers, of a province and of one of its communes, with keys of their own, and what they send each other."""

import hashlib
import itertools
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from issuer.db.base import Database
from issuer.db.instance_reports import SqlInstanceFigures
from issuer.db.production_figures import SqlProductionFigures
from issuer.db.reports import SqlReportFigures
from issuer.domain.bundle import ConflictId
from issuer.domain.card_number import CommitteeBlockScheme
from issuer.domain.instances import ExchangeCertificates, InstanceName, Side
from issuer.domain.member import Member, MemberId
from issuer.domain.organisation import OrganisationCode
from issuer.domain.portrait import NormalisedPortrait
from issuer.domain.request_policy import RequestPolicy
from issuer.domain.requests import RequestEventKind, RequestId
from issuer.domain.rights import Actor, Role
from issuer.errors import IssuerRefusedError
from issuer.exchange.instance_keys import RECEIVING_KEY_ID, SIGNING_KEY_ID, CertifiedInstanceKeys
from issuer.services.bundle_ports import OwnInstance, SequenceMark
from issuer.services.collect_bundle import BundleMaterial
from issuer.services.enrol_instances import InstanceOffice
from issuer.services.exchange_desk import ExchangeDesk
from issuer.services.export_bundle import BundleExport, ExportedBundle
from issuer.services.hand_down import HandingDown
from issuer.services.import_bundle import BundleImport, ImportReport
from issuer.services.look_at_conflicts import ConflictLooking
from issuer.services.look_at_instances import LookingAtInstances
from issuer.services.settle_conflicts import ConflictChoice, ConflictDesk, Settled
from issuer.services.state_reports import ReportStating
from issuer.storage.status_mark_files import FileStatusMarkStore
from pki.keys.keystore import AgreementKeystore
from tests.contract.requests_stage import (
    CLERK,
    COMMUNE,
    ENDORSER,
    EXCHANGE,
    ORGANISATIONS,
    PROVINCE,
    Documents,
    Portraits,
    Stage,
    actor,
    codes,
    ids,
    member,
)
from tests.unit.pki.exchange_office import ExchangeOffice, Party

OPERATOR = actor("operator", Role.ADMINISTRATOR)
WITNESS = actor("witness", Role.ADMINISTRATOR)
PROVINCE_CLERK = actor("province-clerk", Role.CLERK, at=PROVINCE)


def person(number: int, **changes: object) -> Member:
    """An official member of the cell whom nobody takes for another one."""
    return member(number, birth_date=date(1990, 2, 3) - timedelta(days=number), **changes)


class _Calls:
    """The keystore of one party, in whatever thread calls."""

    def __init__(self, party: Party) -> None:
        self._keystore = cast("AgreementKeystore", _Keystore(party))

    def call(self, work: Callable[[AgreementKeystore], Any]) -> Any:
        return work(self._keystore)


class _Keystore:
    """The two keys of one party, as a keystore has them."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def signer(self, key_id: str) -> object:
        assert key_id == SIGNING_KEY_ID
        return self._party.signer

    def agree(self, key_id: str, public_key: Any) -> bytes:
        assert key_id == RECEIVING_KEY_ID
        return self._party.agree(public_key)


@dataclass
class MemoryBundles:
    """Sealed files and the mark, kept in memory."""

    files: dict[bytes, bytes] = field(default_factory=dict)
    mark: SequenceMark = field(default_factory=SequenceMark)

    def put(self, content: bytes) -> bytes:
        digest = hashlib.sha256(content).digest()
        self.files[digest] = content
        return digest

    def get(self, digest: bytes) -> bytes:
        if digest not in self.files:
            raise IssuerRefusedError("not there", code="bundle.lost")
        return self.files[digest]

    def read(self) -> SequenceMark:
        return self.mark

    def write(self, mark: SequenceMark) -> None:
        self.mark = mark


class _Normaliser:
    """Takes pictures as they are."""

    def normalise(self, picture: bytes) -> NormalisedPortrait:
        return NormalisedPortrait(image=picture)


class Office(Stage):
    """One register with every use case of requests and of bundles."""

    def __init__(
        self,
        database: Database,
        party: Party,
        root: bytes,
        *,
        organisation: OrganisationCode,
        policy: RequestPolicy | None = None,
        first_id: int,
        marks_folder: Path,
        bundles: MemoryBundles | None = None,
    ) -> None:
        super().__init__(database, policy=policy, first_id=first_id)
        self.party, self._root, self._first_id = party, root, first_id
        self.bundles = MemoryBundles() if bundles is None else bundles
        self.statuses = FileStatusMarkStore(marks_folder)
        self._marks_folder = marks_folder
        self.own = OwnInstance(name=InstanceName(party.name), organisation=organisation)
        drawn = map(lambda number: uuid.UUID(int=number), itertools.count(first_id * 1000))  # noqa: C417 - endless

        self.keys = CertifiedInstanceKeys(
            keystore=_Calls(party),
            own=ExchangeCertificates(signer=party.signer_certificate, receiver=party.certificate),
            root=root,
        )
        self.instances = InstanceOffice(
            register=self.register,
            own=self.own,
            keys=self.keys,
            marks=self.bundles,
            clock=self.clock,
        )
        self.exporting = BundleExport(
            register=self.register,
            material=BundleMaterial(
                own=self.own,
                documents=Documents(self.stores.documents),
                portraits=Portraits(self.stores.portraits),
                policy=self.policy,
            ),
            keys=self.keys,
            files=self.bundles,
            marks=self.bundles,
            reports=ReportStating(
                register=self.register,
                figures=SqlReportFigures(database),
                production=SqlProductionFigures(database),
                instances=SqlInstanceFigures(database),
            ),
            clock=self.clock,
        )
        self.importing = BundleImport(
            register=self.register,
            own=self.own,
            keys=self.keys,
            documents=Documents(self.stores.documents),
            portraits=Portraits(self.stores.portraits),
            normaliser=_Normaliser(),
            policy=self.policy,
            scheme=CommitteeBlockScheme(),
            numbers=self.marks,
            statuses=self.statuses,
            random_bytes=secrets.token_bytes,
            clock=self.clock,
            new_conflict_id=lambda: ConflictId(next(drawn)),
            new_member_id=lambda: MemberId(next(drawn)),
        )

        self.handing = HandingDown(
            register=self.register,
            own=self.own,
            numbers=self.marks,
            statuses=self.statuses,
            scheme=CommitteeBlockScheme(),
            clock=self.clock,
            random_bytes=secrets.token_bytes,
            new_id=lambda: next(drawn),
        )
        self.conflicts = ConflictDesk(
            register=self.register,
            own=self.own,
            policy=self.policy,
            scheme=CommitteeBlockScheme(),
            clock=self.clock,
            new_member_id=lambda: MemberId(next(drawn)),
        )
        self.looking = LookingAtInstances(register=self.register, own=self.own, marks=self.bundles)

    def desk(self) -> ExchangeDesk:
        """All of it, as the API has it."""
        return ExchangeDesk(
            own=self.own,
            own_fingerprint=self.keys.own.fingerprint,
            exporting=self.exporting,
            conflicts=self.conflicts,
            weighing=ConflictLooking(register=self.register, clock=self.clock),
            looking=self.looking,
            instances=self.instances,
            handing=self.handing,
        )

    def restored(self, database: Database) -> "Office":
        """The same office over another database; what lies outside the database is still there."""
        made = Office(
            database, self.party, self._root, organisation=self.own.organisation,
            policy=self.policy, first_id=self._first_id + 500_000, bundles=self.bundles,
            marks_folder=self._marks_folder,
        )  # fmt: skip
        made.stores.__dict__.update(self.stores.__dict__)
        return made

    def enrol(self, other: "Office", side: Side) -> None:
        self.instances.propose(
            other.own.name,
            side=side,
            organisation=other.own.organisation,
            certificates=other.keys.own,
            actor=OPERATOR,
        )
        self.instances.confirm(other.own.name, actor=WITNESS)

    def send(self, to: "Office", *, by: Actor) -> ExportedBundle:
        made = self.exporting.export(to.own.name, actor=by)
        assert made is not None
        return made

    def receive(self, made: ExportedBundle, *, by: Actor) -> ImportReport:
        return self.importing.take(made.content, actor=by)

    def endorsed(self, *numbers: int) -> list[RequestId]:
        requests = ids(self.draft(*numbers, wish=EXCHANGE))
        for kind, by in ((RequestEventKind.PROPOSED, CLERK), (RequestEventKind.ENDORSED, ENDORSER)):
            assert codes(self.take(kind, requests, by=by)) == [None] * len(requests)
        return requests

    def settle(
        self, code: str, choice: ConflictChoice, *, by: Actor, reason: str = "looked at it"
    ) -> Settled:
        """The one open conflict with this code."""
        (found,) = [
            each for each in self.conflicts.waiting(actor=by, limit=99) if each.code == code
        ]
        return self.conflicts.settle(found.conflict_id, choice, reason=reason, actor=by)

    def open_conflicts(self) -> list[str]:
        return [each.code for each in self.conflicts.waiting(actor=PROVINCE_CLERK, limit=99)]

    def members_held(self) -> int:
        with self.register.reading() as transaction:
            return transaction.members.count()


@dataclass
class Exchange:
    """A province and one commune, enrolled with each other; the province knows the tree and nobody in it."""

    province: Office
    commune: Office

    @classmethod
    def between(
        cls,
        province: Database,
        commune: Database,
        *,
        folder: Path,
        policy: RequestPolicy | None = None,
        pki: ExchangeOffice | None = None,
    ) -> "Exchange":
        office = ExchangeOffice() if pki is None else pki
        made = cls(
            province=Office(
                province, office.party("tinh-uy"), office.root,
                organisation=PROVINCE, policy=policy, first_id=1_000_000, marks_folder=folder / "province",
            ),
            commune=Office(
                commune, office.party("xa-mau"), office.root,
                organisation=COMMUNE, policy=policy, first_id=2_000_000, marks_folder=folder / "commune",
            ),
        )  # fmt: skip
        with made.province.register.writing() as transaction:
            transaction.organisations.add(ORGANISATIONS)
        return made

    def enrol(self) -> None:
        self.province.enrol(self.commune, Side.BELOW)
        self.commune.enrol(self.province, Side.ABOVE)

    def up(self) -> ImportReport:
        """The commune's next bundle, taken by the province."""
        return self.province.receive(self.commune.send(self.province, by=CLERK), by=PROVINCE_CLERK)

    def down(self) -> ImportReport:
        """The province's next bundle, taken by the commune."""
        return self.commune.receive(self.province.send(self.commune, by=PROVINCE_CLERK), by=CLERK)
