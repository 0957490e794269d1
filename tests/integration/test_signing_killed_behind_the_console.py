"""The console is killed while it has a batch signed: the operation goes on, each card is signed once, no gap anywhere.

The signer is a process of its own and lives on. What the console was cut off from is signed once more there, with the
reason on record; what it had kept is not.
"""

import io
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from card_layout.curves import EcPublicKey
from issuer.bootstrap import open_register_home
from issuer.db.production_tables import CardEventRow, CardRow, ChipRow, SecurityObjectRow
from issuer.domain.batch import BatchState, parse_batch_id
from issuer.domain.chip import ChipState, Serial
from issuer.domain.decisions import DecisionId
from issuer.domain.member import MemberId
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.stock_account import FIRST_STORE
from issuer.identity.session_file import default_session_file, read_session
from issuer.services.operation_ports import OperationId, OperationState
from issuer.services.request_ports import KeptAuthorisation
from issuer.settings import remember
from pki.signed.authorisation import BatchAuthorisation
from tests.contract.decided_requests import decide_for
from tests.contract.requests_stage import ORGANISATIONS, PROVINCE
from tests.contract.requests_stage import member as member_of_cell
from tests.integration.batched import freeze_batch
from tests.integration.everybody import EVERYBODY
from tests.integration.signer.conftest import SignerHome, make_home
from tests.integration.test_killed_at_any_moment import Home, found, kill, made_home, wait_until

_CARDS = 20
_SERVE = """
import datetime, sys, time
import issuer.db.card_ledger as card_ledger, issuer.services.operations as operations, issuer.services.sign_cards as sign_cards

def slowly(work):
    def wait_first(*words, **more):
        time.sleep(0.2)
        return work(*words, **more)
    return wait_first

# A worker that is dead is noticed at once, and a batch takes many requests of the signer. They take so long that somebody
# can come between: most of all when the signer has signed and nothing of it is kept.
operations.SILENCE = datetime.timedelta(seconds=1)
sign_cards.CARDS_IN_REQUEST = 2
ledger = card_ledger.SqlCardLedger
ledger.prepare_several = slowly(ledger.prepare_several)
ledger.record_signed_several = slowly(ledger.record_signed_several)
from issuer.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Bench:
    home: Home
    signer: SignerHome

    def freeze(self) -> str:
        """A batch of new members, frozen by two and authorised by two operators."""
        numbers = range(101, 101 + _CARDS)
        now = datetime.now(UTC)
        with open_register_home(self.home.path) as opened:
            portrait = opened.portraits.put(picture())
            members = [
                replace(
                    member_of_cell(
                        number,
                        record_number=RecordNumber(f"{number:06}XY"),
                        citizen_number=CitizenNumber(f"001091{number:06}"),
                        earlier_card_number=None,
                    ),
                    portrait=portrait,
                )
                for number in numbers
            ]
            with opened.register.writing() as transaction:
                transaction.members.add(members)
                ids = [MemberId(each.member_id) for each in members]
                decide_for(transaction, ids, organisation=PROVINCE, at=now)
                serials = [Serial(number.to_bytes(10, "big")) for number in numbers]
                transaction.stock.receive(
                    serials, site=FIRST_STORE, delivery="test", account=EVERYBODY, at=now
                )
            with opened.database.writing() as session:
                for number, serial in zip(numbers, serials, strict=True):
                    key = ec.derive_private_key(number + 1, ec.SECP256R1()).public_key()
                    chip = EcPublicKey.from_cryptography(key)
                    session.execute(
                        sa.update(ChipRow)
                        .where(ChipRow.serial == serial)
                        .values(
                            state=ChipState.INITIALISED.value,
                            key_curve=chip.curve.oid,
                            key_point=chip.point,
                        )
                    )
        frozen = freeze_batch(self.home.path, receiver=PROVINCE)
        assert frozen.cards == _CARDS
        content = self.signer.authorise(2 * _CARDS)
        with open_register_home(self.home.path) as opened, opened.register.writing() as transaction:
            transaction.decisions.keep_authorisation(
                KeptAuthorisation(
                    decision_id=DecisionId(parse_batch_id(frozen.decision)),
                    digest=BatchAuthorisation.from_bytes(content).digest,
                    content=content,
                    created_by=EVERYBODY,
                    created_at=now,
                )
            )
        return frozen.batch

    def serve(self) -> subprocess.Popen[str]:
        # A socket's path is short.
        socket = self.home.folder / "s"
        process = self.home.begin(_SERVE, "--home", self.home.path, "serve", "--socket", socket)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready: ")
        return process

    def ask(self, batch: str) -> OperationId:
        token = read_session(default_session_file(self.home.path)).text
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.home.folder / "s")),
            base_url="http://office",
            headers={"authorization": f"Bearer {token}", "idempotency-key": secrets.token_hex(16)},
            timeout=60,
        ) as client:
            answer = client.post(f"/v1/batches/{batch}/signing")
        assert answer.status_code == 202, answer.text
        return OperationId(parse_batch_id(answer.json()["id"]))

    def signed(self, batch: str) -> int:
        """How many cards of the batch have their security object."""
        with open_register_home(self.home.path) as opened, opened.database.reading() as session:
            return (
                session.scalar(
                    sa.select(sa.func.count())
                    .select_from(SecurityObjectRow)
                    .join(CardRow, CardRow.reference == SecurityObjectRow.reference)
                    .where(CardRow.batch_id == parse_batch_id(batch))
                )
                or 0
            )


def picture() -> bytes:
    """A JPEG of about the size of a card's portrait."""
    noise = Image.frombytes("L", (30, 40), Random(1).randbytes(30 * 40))
    buffer = io.BytesIO()
    noise.resize((480, 640)).convert("RGB").save(buffer, "JPEG", quality=20)
    return buffer.getvalue()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.delenv("MEMBERCARD_ISSUER_HOME", raising=False)
    (tmp_path / "pki").mkdir(mode=0o700)
    signer = make_home(tmp_path / "pki", "file")
    home = made_home(tmp_path)
    remember(
        home.path,
        {"card_profile": "membercard-1-icao", "signing": {"signer_socket": str(signer.socket)}},
    )
    with open_register_home(home.path) as opened, opened.register.writing() as transaction:
        # The home has the first of them.
        transaction.organisations.add(ORGANISATIONS[1:])
    signer.start()
    yield Bench(home=home, signer=signer)
    signer.kill()


def signing_is_killed(bench: Bench, draw: Random, *, kills: int) -> None:
    batch = bench.freeze()
    bench.home.log_in()
    process = bench.serve()
    try:
        operation = bench.ask(batch)
        for _ in range(kills):
            at = bench.signed(batch) + draw.randint(1, 4)
            wait_until(lambda at=at: bench.signed(batch) >= at)
            time.sleep(draw.random() * 0.4)
            kill(process)
            bench.home.check()
            assert found(bench.home, operation).state is OperationState.RUNNING
            process = bench.serve()
        wait_until(lambda: found(bench.home, operation).state is not OperationState.RUNNING)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    ended = found(bench.home, operation)
    assert (ended.state, ended.code) == (OperationState.DONE, None)
    assert (ended.counts["signed"], ended.attempt) == (_CARDS, kills + 1)
    bench.home.check()
    each_card_is_signed_once(bench, batch, kills)


def each_card_is_signed_once(bench: Bench, batch: str, kills: int) -> None:
    batch_id = parse_batch_id(batch)
    with open_register_home(bench.home.path) as opened:
        with opened.register.reading() as transaction:
            assert transaction.batches.get(batch_id).state is BatchState.SIGNED
        with opened.database.reading() as session:
            files = dict(
                session.execute(
                    sa.select(CardRow.reference, SecurityObjectRow.file)
                    .join(SecurityObjectRow, SecurityObjectRow.reference == CardRow.reference)
                    .where(CardRow.batch_id == batch_id)
                ).all()
            )
            events = Counter(
                session.execute(
                    sa.select(CardEventRow.reference, CardEventRow.kind).where(
                        CardEventRow.reference.in_(files)
                    )
                ).all()
            )
    assert len(files) == _CARDS
    # One line each of what was bound, prepared and signed: nothing was done twice here.
    assert set(events.values()) == {1}
    assert Counter(kind for _, kind in events) == Counter(
        {"bound": _CARDS, "signing-prepared": _CARDS, "signed": _CARDS}
    )
    records = [
        entry.fields
        for entry in bench.signer.entries()
        if bytes.fromhex(str(entry.fields["reference"])) in files
    ]
    again = [each for each in records if each["re_signing_of"] is not None]
    # The signer signed at most the one request twice that each kill cut off, and knows why.
    assert len(records) - len(again) == _CARDS
    assert len(again) <= 2 * kills


def test_a_console_that_is_killed_while_it_signs_goes_on_when_it_is_back(bench: Bench) -> None:
    signing_is_killed(bench, Random(5), kills=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(13))
def test_many_kills_of_a_console_that_signs_lose_and_double_no_card(
    bench: Bench, seed: int
) -> None:
    signing_is_killed(bench, Random(seed), kills=2)
