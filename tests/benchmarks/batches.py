"""Benchmark of a batch: 10,000 cards frozen by two and signed through the socket, against the signer alone."""

import gc
import hashlib
import io
import secrets
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from card_layout.curves import EcPublicKey
from card_layout.profile import load_profile
from issuer.db.base import Database
from issuer.db.card_ledger import SqlCardLedger
from issuer.db.card_vault import CardVault
from issuer.db.production_tables import ChipRow
from issuer.db.register import SqlRegister
from issuer.db.schema import upgrade
from issuer.db.sealing import Sealer
from issuer.domain.batch import BatchId
from issuer.domain.chip import ChipState, Serial
from issuer.domain.decisions import (
    AttachedDocument,
    Decision,
    DecisionId,
    DocumentDigest,
    DocumentSignature,
)
from issuer.domain.member import Member, MemberId, PortraitDigest
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import Role
from issuer.domain.stock_account import FIRST_STORE
from issuer.keystore_random import RandomPool
from issuer.portraits.folder_store import FolderPortraitStore
from issuer.services.batch_desk import BatchDesk
from issuer.services.fill_batches import BatchFilling
from issuer.services.freeze_batches import BatchFreezing
from issuer.services.sign_batches import BatchSigning
from issuer.services.sign_cards import CardPolicy, CardSigning
from issuer.signing_crew import signing_crew
from issuer.storage.status_mark_files import FileStatusMarkStore
from pki.keys.open import KeystoreKind
from pki.keys.token_library import find_softhsm
from pki.signer_service.client import SocketDocumentSigner
from tests.benchmarks.measure import Announce, Record
from tests.benchmarks.signing_service import CLIENTS, signer_service, through_socket
from tests.contract.decided_requests import decide_for, request_of
from tests.contract.requests_stage import ORGANISATIONS, PROVINCE, actor, member

__all__ = ["measure_batches"]

_CARDS = 10_000
_ROUNDS = 15
_PROFILE = "membercard-1-icao"
_FIRST, _SECOND = (actor(name, *Role) for name in ("first", "second"))


def measure_batches(announce: Announce) -> Iterator[Record]:
    """issuer.batch.sign: database in, signed objects and audit out; the baseline is ``pki.signer.batch``."""
    kind = KeystoreKind.FILE if find_softhsm() is None else KeystoreKind.PKCS11
    with tempfile.TemporaryDirectory(prefix="membercard-bench-") as folder:
        directory = Path(folder)
        announce(f"a batch of {_CARDS} cards: members, requests, portraits and chips are made")
        bench = _BatchBench(directory)
        with signer_service(directory, kind) as authorisation:
            socket = directory / "run/s"
            clients = [
                SocketDocumentSigner(socket, authorisation=authorisation) for _ in range(CLIENTS)
            ]
            with ThreadPoolExecutor(CLIENTS) as threads:
                through_socket(clients, threads)
                before = [through_socket(clients, threads) for _ in range(_ROUNDS)]
                announce("propose, confirm, sign")
                value = bench.run(lambda: SocketDocumentSigner(socket, authorisation=authorisation))
                after = [through_socket(clients, threads) for _ in range(_ROUNDS)]
            for client in clients:
                client.close()
        bench.close()
        baseline = statistics.median(before + after)
    yield Record(
        name="issuer.batch.sign",
        value=value,
        unit="cards/s",
        baseline=baseline,
        ratio=value / baseline,
        better="higher",
        goal=0.2,
    )


class _BatchBench:
    """A register with decided requests, a stock of initialised chips, and the use cases over them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.database = Database(f"sqlite:///{directory / 'issuer.sqlite'}")
        upgrade(self.database)
        sealer = Sealer(encryption_key=bytes(32), digest_key=bytes(range(32)))
        self._portraits = FolderPortraitStore(directory / "portraits")
        vault = CardVault(sealer=sealer, portraits=self._portraits)
        self._cards = SqlCardLedger(self.database, _now, vault)
        self._register = SqlRegister(self.database, lambda: sealer, lambda: vault)
        self._desk = BatchDesk(register=self._register, clock=_now)
        self._decision_id = DecisionId(uuid.uuid4())
        self._fill()

    def run(self, open_signer: Callable[[], SocketDocumentSigner]) -> float:
        """Cards a second, from a filled batch to signed cards."""
        profile = load_profile(_PROFILE)
        filling = BatchFilling(desk=self._desk)
        freezing = BatchFreezing(
            desk=self._desk,
            profile=profile.name,
            random_bytes=RandomPool(secrets.token_bytes),
            marks=FileStatusMarkStore(self._directory / "marks"),
        )

        @contextmanager
        def member() -> Iterator[CardSigning]:
            with open_signer() as signer:
                yield CardSigning(
                    cards=self._cards,
                    register=self._register,
                    portraits=self._portraits,
                    signer=signer,
                    profile=profile,
                    policy=CardPolicy(validity_years=10, personalisation_system="membercard"),
                    clock=_now,
                )

        first = replace(_FIRST, stepped_up_at=_now())
        batch = filling.create(PROVINCE, self._decision_id, actor=first)
        filling.fill(batch.batch_id, actor=first)
        # What the bench itself holds is no work of the product's collector.
        gc.collect()
        gc.freeze()
        begin = time.perf_counter()
        proposal = freezing.propose(batch.batch_id, actor=first).batch.proposal
        if proposal is None:
            raise AssertionError("nothing was proposed")
        freezing.confirm(batch.batch_id, proposal.proof.hex(), actor=_SECOND)
        self.database.close()
        with signing_crew(member, cards=self._cards) as crew:
            work = BatchSigning(
                desk=self._desk,
                cards=self._cards,
                open_signer=lambda _: nullcontext(crew),
                is_authorised=False,
            )
            refused = [each.code for each in work.sign(batch.batch_id, actor=first) if each.code]
        seconds = time.perf_counter() - begin
        self._check(batch.batch_id, refused)
        return _CARDS / seconds

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def _check(self, batch_id: BatchId, refused: list[str]) -> None:
        with self._register.reading() as transaction:
            tally = transaction.batches.tallies([batch_id])[batch_id]
        if tally.signed != _CARDS or refused:
            raise AssertionError(f"{tally.signed} cards are signed, {refused[:3]} refused")

    def _fill(self) -> None:
        image = _portrait()
        portraits = self._directory / "portraits"
        members = [_member(number, image, portraits) for number in range(_CARDS)]
        now = _now()
        with self._register.writing() as transaction:
            transaction.organisations.add(ORGANISATIONS)
            transaction.members.add(members)
            ids = [each.member_id for each in members]
            decide_for(transaction, ids, organisation=PROVINCE, at=now)
            transaction.decisions.add(
                Decision(
                    decision_id=self._decision_id,
                    number="1",
                    decided_on=now.date(),
                    committee=PROVINCE,
                    document=AttachedDocument(
                        digest=DocumentDigest(bytes(32)), signature=DocumentSignature.ABSENT
                    ),
                    requests=len(ids),
                    prepared_by=_FIRST.account,
                    prepared_at=now,
                    confirmed_by=_SECOND.account,
                    confirmed_at=now,
                )
            )
            transaction.decisions.put_on(self._decision_id, [request_of(each) for each in ids])
            serials = [Serial(number.to_bytes(10, "big")) for number in range(1, _CARDS + 1)]
            transaction.stock.receive(
                serials, site=FIRST_STORE, delivery="bench", account=_FIRST.account, at=now
            )
        with self.database.writing() as session:
            session.connection().execute(
                sa.update(ChipRow)
                .where(ChipRow.serial == sa.bindparam("the_chip"))
                .values(
                    state=ChipState.INITIALISED.value,
                    key_curve=sa.bindparam("the_curve"),
                    key_point=sa.bindparam("the_point"),
                ),
                [
                    {"the_chip": serial, "the_curve": key.curve.oid, "the_point": key.point}
                    for serial, key in zip(serials, map(_key, range(_CARDS)), strict=True)
                ],
            )


def _member(number: int, image: bytes, portraits: Path) -> Member:
    # Whatever stands behind the end of a JPEG is no picture, and makes the file another one.
    content = image + number.to_bytes(8, "big")
    digest = PortraitDigest(hashlib.sha256(content).digest())
    path = portraits / digest.hex()[:2] / f"{digest.hex()}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    one = member(
        1,
        record_number=RecordNumber(f"{number:06}AB"),
        citizen_number=CitizenNumber(f"001090{number:06}"),
    )
    return replace(
        one,
        member_id=MemberId(uuid.UUID(int=number + 1)),
        portrait=digest,
        portrait_source=PortraitDigest(hashlib.sha256(b"source" + content).digest()),
    )


def _portrait() -> bytes:
    """A JPEG of about the size of a card's portrait."""
    noise = Image.frombytes("L", (30, 40), Random(1).randbytes(30 * 40))
    buffer = io.BytesIO()
    noise.resize((480, 640)).convert("RGB").save(buffer, "JPEG", quality=20)
    content = buffer.getvalue()
    profile = load_profile(_PROFILE)
    if not profile.portrait_min_bytes <= len(content) + 8 <= profile.portrait_max_bytes:
        raise AssertionError(f"the portrait has {len(content)} bytes")
    return content


def _key(number: int) -> EcPublicKey:
    key = ec.derive_private_key(number + 2, ec.SECP256R1()).public_key()
    return EcPublicKey.from_cryptography(key)


def _now() -> datetime:
    return datetime.now(UTC)
