"""A process is killed while it makes a backup, deletes a record, makes a bundle or takes one.

Nothing acknowledged is lost, the trail has no gap, what stands at the name that was asked for is whole, nothing in the
clear lies where a backup goes, and the same command once more does what was not done.
"""

import io
import json
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from issuer.bootstrap import open_register_home
from issuer.cli import main
from issuer.db.database_copies import COPY_PREFIX
from issuer.domain.card_number import CardNumber
from issuer.domain.data_subjects import Erasure
from issuer.domain.member import MemberId, Standing
from issuer.domain.record_number import CitizenNumber, RecordNumber
from issuer.domain.rights import AccountName
from tests.contract.bundle_stage import person
from tests.integration.everybody import EVERYBODY, log_in_everybody
from tests.integration.test_bundle_commands import Home as Office
from tests.integration.test_bundle_commands import enrolled, made
from tests.integration.test_killed_at_any_moment import Home, home, kill, member
from tests.unit.pki.exchange_office import ExchangeOffice

__all__ = ["home"]

_SQLITE = b"SQLite format 3\x00"


def killed(process: subprocess.Popen[str], *, begun: Callable[[], bool], after: float) -> bool:
    """Kill it so many seconds after it has begun what is looked at; whether it had said before that it was done."""
    while not begun() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(after)
    is_done = process.poll() == 0
    kill(process)
    return is_done


def backups_are_killed(home: Home, draw: Random, *, cycles: int) -> None:
    stick, passphrase = home.folder / "stick", home.folder / "passphrase"
    stick.mkdir()
    passphrase.touch(mode=0o600)
    passphrase.write_text("a sentence for tests")
    own = ("--passphrase-file", str(passphrase))
    for cycle in range(cycles):
        backup = stick / f"{cycle}.backup"
        words = ("backup", "create", "--output", str(backup), *own)
        process = home.command(*words)
        is_done = killed(
            process,
            begun=lambda: any(home.path.glob(f"{COPY_PREFIX}*")) or any(stick.glob(".*")),
            after=draw.random() * draw.choice((0.02, 0.3)),
        )
        home.check()
        assert backup.exists() or not is_done
        for path in stick.iterdir():
            assert not path.read_bytes().startswith(_SQLITE)
        if not backup.exists():
            assert main(["--home", str(home.path), *words]) == 0
            # It has taken away what the killed one left.
            assert not list(home.path.glob(f"{COPY_PREFIX}*"))
        assert main(["--home", str(home.path), "backup", "verify", str(backup), *own]) == 0
        home.check()


def deletions_are_killed(home: Home, draw: Random, *, cycles: int) -> None:
    for number in range(2, 2 + cycles):
        member_id, pictures = add_expelled_member(home, number)
        order = home.folder / f"order-{number}.pdf"
        order.write_bytes(b"%PDF-1.7 order " + str(number).encode())
        log_in_everybody(home.path, name=EVERYBODY)
        why = (
            "--ground",
            "ordered-by-authority",
            "--reference",
            str(number),
            "--evidence",
            str(order),
        )
        assert run(home, "subject", "propose-deletion", str(member_id), *why) == 0
        log_in_everybody(home.path, name=AccountName("second"))
        proof = home.folder / f"proof-{number}.json"
        process = home.command("subject", "confirm-deletion", member_id, "--proof", proof)
        is_done = killed(
            process,
            begun=lambda: proof.exists() or not pictures.exists(),  # noqa: B023 - called within the round
            after=draw.random() * draw.choice((0, 0.05)),
        )
        home.check()
        deleted = erasure_of(home, member_id)
        assert deleted is not None or not is_done
        if deleted is None:
            # Nothing of the record is gone; a proof that was written already proves nothing, and another one is made.
            assert pictures.read_bytes()
            again = home.folder / f"again-{number}.json"
            assert (
                run(home, "subject", "confirm-deletion", str(member_id), "--proof", str(again)) == 0
            )
            deleted = erasure_of(home, member_id)
            assert deleted is not None
            if proof.exists():
                assert json.loads(proof.read_text("utf-8"))["digest"] != deleted.digest.hex()
            proof = again
        told = json.loads(proof.read_text("utf-8"))
        assert proof.stat().st_mode & 0o777 == 0o600
        assert told["digest"] == deleted.digest.hex() == digest_in_trail(home, member_id)
        # What a killed process left of pictures and documents goes with the next word about it.
        assert run(home, "subject", "finish") == 0
        assert not pictures.exists()
        assert order.read_bytes() not in b"".join(
            each.read_bytes() for each in (home.path / "evidence").rglob("*") if each.is_file()
        )
        home.check()


def run(home: Home, *words: str) -> int:
    return main(["--home", str(home.path), *words])


def add_expelled_member(home: Home, number: int) -> tuple[MemberId, Path]:
    """Somebody whose record may be deleted, and where their picture lies."""
    picture = io.BytesIO()
    Image.new("RGB", (30, 40), (number, 90, 90)).save(picture, "JPEG")
    plain = member()
    with open_register_home(home.path) as opened:
        before = set((home.path / "portraits").rglob("*"))
        portrait = opened.portraits.put(picture.getvalue())
        (place,) = [
            each for each in set((home.path / "portraits").rglob("*")) - before if each.is_file()
        ]
        one = replace(
            plain,
            member_id=MemberId(uuid.UUID(int=number)),
            portrait=portrait,
            portrait_source=portrait,
            statement=replace(
                plain.statement,
                earlier_card_number=CardNumber(f"96{number:06}"),
                record_number=RecordNumber(f"{number:06}AB"),
                citizen_number=CitizenNumber(f"001090{number:06}"),
                standing=Standing.EXPELLED,
            ),
        )
        with opened.register.writing() as transaction:
            transaction.members.add([one])
    return one.member_id, place


def erasure_of(home: Home, member_id: MemberId) -> Erasure | None:
    with open_register_home(home.path) as opened, opened.register.reading() as transaction:
        return transaction.subjects.erasure_of(member_id)


def digest_in_trail(home: Home, member_id: MemberId) -> str:
    """What the trail says once of a deletion."""
    with open_register_home(home.path) as opened, opened.register.reading() as transaction:
        (said,) = [
            each
            for each in (one.record() for one in transaction.audit.records())
            if each.action == "subject.deleted" and each.subject_id == member_id.hex
        ]
    return str(said.details["digest"])


def bundles_are_killed(
    folder: Path, capsys: pytest.CaptureFixture[str], draw: Random, *, cycles: int
) -> None:
    pki, stick = ExchangeOffice(), folder / "stick"
    province = made(folder, capsys, "tinh-uy", "P", pki)
    commune = made(folder, capsys, "xa-mau", "P-01", pki)
    enrolled(province, "xa-mau", "below", "P-01", folder)
    enrolled(commune, "tinh-uy", "above", "P", folder)
    sites = [Home(each.path, folder) for each in (commune, province)]
    for cycle in range(1, cycles + 1):
        ask_for_a_card(commune, 2 * cycle)
        for each in sites:
            each.log_in()
        before = len(list(stick.glob("*.bundle")))
        process = sites[0].command("bundle", "export", "tinh-uy", "--out", stick)
        outbox = commune.path / "exchange" / "outbox"
        kept = len(list(outbox.glob("*")))
        killed(
            process,
            begun=lambda: len(list(outbox.glob("*"))) > kept,  # noqa: B023 - called within the round
            after=draw.random() * draw.choice((0.01, 0.1)),
        )
        sites[0].check()
        # It was made or not; a file that did not come through is given once more, byte for byte.
        commune.run("bundle", "export", "tinh-uy", "--out", stick)
        sent = commune.json("bundle", "list")["bundles"]
        numbers = sorted(each["sequence"] for each in sent if each["direction"] == "out")
        assert numbers == list(range(1, cycle + 1))
        name = f"xa-mau-tinh-uy-{cycle:08}.bundle"
        if not (stick / name).exists():
            commune.run("bundle", "export", "tinh-uy", "--again", cycle, "--out", stick)
        assert len(list(stick.glob("*.bundle"))) == before + 1
        process = sites[1].command("bundle", "import", stick / name)
        time.sleep(0.6 + draw.random() * 1.2)
        kill(process)
        sites[1].check()
        (report,) = province.json("bundle", "import", stick / name)["bundles"]
        assert report["conflicts"] == []
        requests = province.json("requests", "list")
        assert len(requests) == cycle
        assert {each["state"] for each in requests} == {"endorsed"}
        for each in sites:
            each.check()


def ask_for_a_card(commune: Office, number: int) -> None:
    """One more member of the commune, whose request its committee endorsed."""
    picture = io.BytesIO()
    Image.effect_noise((300, 400), 60).convert("RGB").save(picture, "JPEG")
    with open_register_home(commune.path) as opened:
        portrait = opened.portraits.put(picture.getvalue())
        with opened.register.writing() as transaction:
            transaction.members.add(
                [replace(person(number), portrait=portrait, portrait_source=portrait)]
            )
    commune.run("requests", "draft", "--member", uuid.UUID(int=number), "--kind", "exchange")
    commune.run("requests", "propose", "--all")
    commune.run("requests", "endorse", "--all")


KINDS: Sequence[Callable[..., None]] = (backups_are_killed, deletions_are_killed)


def test_a_killed_deletion_leaves_all_or_nothing(home: Home) -> None:
    deletions_are_killed(home, Random(5), cycles=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_many_kills_leave_all_or_nothing(home: Home, kind: Callable[..., None]) -> None:
    kind(home, Random(6), cycles=25)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_kills_lose_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundles_are_killed(tmp_path, capsys, Random(7), cycles=25)
