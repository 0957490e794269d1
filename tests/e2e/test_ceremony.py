"""Whole ceremonies, through the console script, by people at a keyboard with paper."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from shamir_mnemonic import combine_mnemonics

from pki.ceremony.shares import RootSecret
from pki.keys.token_library import find_softhsm
from tests.e2e.ceremony_stage import PEOPLE, PROGRAM, ROOT, Stage

STEPS_OF_ROOT = 14

NEEDS_TOKEN = [
    pytest.mark.hsm,
    pytest.mark.skipif(find_softhsm() is None, reason="there is no SoftHSM2 here"),
]
KEYSTORES = ["file", pytest.param("pkcs11", marks=NEEDS_TOKEN)]


FILE_SLOWLY = pytest.param("file", marks=pytest.mark.slow)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def transcript_of(stage: Stage, kind: str = "root") -> Path:
    (found,) = stage.home.glob(f"ceremonies/{kind}-*/transcript.jsonl")
    return found


@pytest.mark.parametrize("keystore", [FILE_SLOWLY, pytest.param("pkcs11", marks=NEEDS_TOKEN)])
def test_a_root_lives_from_its_ceremony_to_new_custodians(stage: Stage, keystore: str) -> None:
    played = stage.root("--keystore", keystore)
    assert played.status == 0, played.err
    certificate = stage.home / "certificates" / "csca-1.cer"
    report = stage.json(
        *("ceremony", "verify", str(transcript_of(stage)), "--certificate", str(certificate)),
        *("--digest", played.digest),
    )
    assert (report["kind"], report["threshold"], report["steps"]) == ("root", 2, STEPS_OF_ROOT)
    assert report["custodians"] == "Nguyễn Thị An, Trần Bình, Lê Chi"
    assert "TEST" in report["authority"]
    assert not list(stage.page_folder.iterdir())
    # Without the quorum nothing is signed with the root's key, and nothing is begun.
    before = stage.json("journal", "verify")["entries"]
    for words in (
        ("signer", "create", "--id", "ds-1"),
        ("crl", "issue"),
        ("authority", "rollover"),
    ):
        refused = stage.run(*words)
        assert refused.returncode == 1
        assert "[ceremony.required]" in refused.stderr
    assert stage.json("journal", "verify")["entries"] == before
    # Any two custodians will do.
    for custodians, words in (
        ((2, 3), ("signer", "--id", "stop-1", "--profile", "stop-list-signer")),
        ((1, 2), ("signer", "--id", "ds-1")),
    ):
        stage.custodians = custodians
        assert stage.play("ceremony", *words, *PEOPLE).status == 0
    # A stolen signer is stopped without them; the CRL that was staged is shown to them, and signed.
    compromised = stage.run("signer", "compromise", "ds-1", "--reason", "stolen")
    assert compromised.returncode == 0, compromised.stderr
    serial = {item["id"]: item for item in stage.json("signer", "list")}["ds-1"]["serial_number"]
    assert stage.json("authority", "show")["crl_due"] is not None
    crl = stage.play("ceremony", "crl", *PEOPLE)
    assert crl.status == 0, crl.err
    assert serial in crl.out
    shown = stage.json("authority", "show")
    assert (shown["crl_due"], shown["crl_number"]) == (None, 2)
    assert stage.play("ceremony", "rollover", *PEOPLE).status == 0
    assert stage.json("authority", "show")["id"] == "csca-2"
    assert (stage.home / "certificates" / "csca-2-link.cer").exists()
    assert (
        stage.json("ceremony", "verify", str(transcript_of(stage, "rollover")))["signer"]
        == "journal-2"
    )
    assert stage.run("signer", "destroy", "csca-1").returncode == 1
    assert stage.play("ceremony", "destroy", "csca-1", *PEOPLE).status == 0
    # New custodians: the sheets before open nothing any more.
    old = dict(stage.sheets)
    stage.answers = {
        "sheet": lambda number, text: " ".join(sheet_in_hand(stage, old, number, text))
    }
    people = ("--custodian", "Vũ Mới", "--custodian", "Lê Chi", "--custodian", "Mai Lan")
    reshared = stage.play(
        "ceremony", "reshare", *PEOPLE, "--threshold", "2", *people, with_sheets=True
    )
    assert reshared.status == 0, reshared.err
    assert stage.json("ceremony", "verify", str(transcript_of(stage, "reshare")))["threshold"] == 2
    stage.answers = {}
    stage.overrides = {"sheet.1": [" ".join(old[1])]}
    shutil.rmtree(transcript_of(stage, "crl").parent)
    assert stage.play("ceremony", "crl", *PEOPLE).status == 0
    assert '"code":"sheet.foreign"' in transcript_of(stage, "crl").read_text("utf-8")
    assert stage.run("journal", "verify").returncode == 0


def sheet_in_hand(stage: Stage, old: dict[int, list[str]], number: int, text: str) -> list[str]:
    """During a resharing, sheets are asked for twice: the new ones first, then those of before."""
    step = text.rpartition("\n=== ")[2]
    return old[number] if "Kích hoạt khoá gốc" in step else stage.sheets[number]


@pytest.mark.parametrize(
    ("keystore", "stride"),
    [
        ("file", 4),
        pytest.param("file", 1, marks=pytest.mark.slow),
        pytest.param("pkcs11", 1, marks=[*NEEDS_TOKEN, pytest.mark.slow]),
    ],
)
def test_a_ceremony_that_is_killed_at_every_step_ends_with_one_root(
    stage: Stage, keystore: str, stride: int
) -> None:
    assert stage.root("--keystore", keystore, kill_at=1).status != 0
    for number in range(2, STEPS_OF_ROOT + 1, stride):
        killed = stage.play("ceremony", "resume", "--rehearse", with_sheets=True, kill_at=number)
        assert killed.status != 0
    done = stage.play("ceremony", "resume", "--rehearse", with_sheets=True)
    assert done.status == 0, done.err
    report = stage.json("ceremony", "verify", str(transcript_of(stage)), "--digest", done.digest)
    assert report["kind"] == "root"
    kinds = [
        json.loads(line)["kind"]
        for line in (stage.home / "journal.jsonl").read_text("utf-8").splitlines()
    ]
    assert kinds.count("authority-certificate.issued") == 1
    assert kinds.count("ceremony.begun") == 1
    again = stage.root("--keystore", keystore)
    assert (again.status, "[authority.exists]" in again.err) == (1, True)


@pytest.mark.parametrize("keystore", KEYSTORES)
def test_secret_pin_and_words_are_nowhere_but_on_paper(stage: Stage, keystore: str) -> None:
    seen: list[bytes] = []

    def look(question: str, pid: int) -> None:
        if question == "fingerprint":
            # The root is open now.
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for process in (str(pid), *children):
                seen.extend(
                    Path(f"/proc/{process}/{name}").read_bytes() for name in ("cmdline", "environ")
                )
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"Max core file size +0 +0", limits)

    stage.watch = look
    played = stage.root("--keystore", keystore)
    assert played.status == 0, played.err
    assert len(seen) >= 2
    secret = combine_mnemonics([" ".join(stage.sheets[number]) for number in (1, 2)])
    canaries = [
        secret,
        secret.hex().encode(),
        RootSecret(secret).pin(transcript_of(stage).parent.name).encode(),
    ]
    for words in stage.sheets.values():
        # The first four words are the set's, and no secret.
        canaries.append(" ".join(words[4:7]).encode())
        canaries.append(" ".join(word[:4] for word in words[4:8]).encode())
    planted = stage.folder / "planted"
    planted.write_bytes(b"x" + canaries[2])
    files = {path: path.read_bytes() for path in stage.folder.rglob("*") if path.is_file()}
    assert len(files) > 10
    found = [path for path, content in files.items() if any(item in content for item in canaries)]
    assert found == [planted]
    streams = [played.out.encode(), played.err.encode(), *seen]
    assert not any(item in stream for item in canaries for stream in streams)


def test_a_real_root_is_made_by_people_offline_with_sheets_in_memory(stage: Stage) -> None:
    answers = stage.folder / "answers.json"
    answers.write_text("{}")
    root = (
        *("ceremony", "root", "--name", "Real", "--threshold", "2", "--keystore", "file"),
        *("--custodian", "An", "--custodian", "Bình", "--custodian", "Chi"),
        *("--administrator", "Hoà", "--witness", "Khánh", "--pin-file", str(stage.folder / "pin")),
    )
    refused = stage.run(*root, "--answers", str(answers))
    assert (refused.returncode, "[ceremony.answers-not-allowed]" in refused.stderr) == (1, True)
    assert not stage.home.exists()
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("this machine gives tests no network namespace of their own")
    alone = ("unshare", "-n")
    on_disk = subprocess.run(
        [*alone, PROGRAM, "--home", stage.home, *root, "--sheets", Path(__file__).parent / "no"],
        capture_output=True,
        text=True,
        check=False,
    )
    (Path(__file__).parent / "no").rmdir()
    assert "[ceremony.sheets-on-disk]" in on_disk.stderr
    stage.prefix = alone
    played = stage.play(*root)
    assert played.status == 0, played.err
    report = stage.json("ceremony", "verify", str(transcript_of(stage)))
    assert (report["rehearsal"], "TEST" in report["authority"]) == (False, False)
    rehearsed = stage.run("ceremony", "crl", *PEOPLE)
    assert "[ceremony.rehearsal-home]" in rehearsed.stderr


def test_a_rehearsal_runs_from_a_file_of_answers(stage: Stage) -> None:
    answers = stage.folder / "answers.json"
    everything = {
        **dict.fromkeys(("surroundings", "present.*", "wish", "copied.*"), "yes"),
        "word.*": "@sheet",
        "sheet.*": "@sheet",
        "fingerprint": "@shown",
        "number.1": "3",
        "number.2": "2",
    }
    answers.write_text(json.dumps(everything), "utf-8")
    played = stage.run(
        *ROOT,
        "--pin-file",
        str(stage.folder / "pin"),
        "--keystore",
        "file",
        "--answers",
        str(answers),
    )
    assert played.returncode == 0, played.stderr
    assert stage.json("ceremony", "verify", str(transcript_of(stage)))["rehearsal"] is True


def test_an_abandoned_ceremony_makes_room_for_another(stage: Stage) -> None:
    assert stage.root("--keystore", "file", kill_at=11).status != 0
    busy = stage.root("--keystore", "file")
    assert "[authority.exists]" in busy.err or "[ceremony.unfinished]" in busy.err
    assert stage.json("ceremony", "abandon", "--reason", "illness")["state"] == "abandoned"
    verified = stage.run("ceremony", "verify", str(transcript_of(stage)))
    assert (verified.returncode, "[ceremony.abandoned]" in verified.stderr) == (1, True)
    assert "[ceremony.none]" in stage.run("ceremony", "resume", "--rehearse").stderr
    assert stage.play("ceremony", "crl", *PEOPLE).status == 0
