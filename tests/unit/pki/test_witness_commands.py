"""Witnesses and the evidence of cosigned checkpoints at the command line, with everything on disk."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pki.cli import main
from pki.errors import KeystoreError
from pki.home import Home
from pki.keys.sealed_key import SealedKey
from pki.log_files import read_log_key, read_witness_key
from pki.record.lock import lock_exclusively
from pki.record.transparency_cosignature import WitnessKey
from pki.record.transparency_evidence import known_since
from pki.record.transparency_note import Checkpoint, NoteVerifier, SignedNote
from pki.record.transparency_policy import LogPolicy
from pki.services.document_signer import SigningRequest
from pki.services.open_signer import open_document_signer
from pki.signed.security_object import SecurityObject, StatusReference
from pki.witness_home import WitnessHome


class Bench:
    """A folder in which commands run; ``json`` demands that they end well, ``code`` that they do not."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.digests: list[bytes] = []
        self._capfd = capfd

    def call(self, *words: str | Path) -> tuple[int, str, str]:
        self._capfd.readouterr()
        status = main(["--home", str(self.folder / "pki"), *map(str, words)])
        captured = self._capfd.readouterr()
        return status, captured.out, captured.err

    def json(self, *words: str | Path) -> Any:
        status, out, err = self.call(*words, "--format", "json")
        assert status == 0, err
        return json.loads(out)

    def code(self, *words: str | Path) -> str:
        status, _, err = self.call(*words)
        assert status != 0
        (line,) = [each for each in err.splitlines() if each.startswith("error: ")]
        return line.rpartition("[")[2].rstrip("]")

    def path(self, name: str) -> Path:
        return self.folder / name

    def sign(self, *numbers: int) -> list[bytes]:
        """The digests by which proofs of these cards' signatures are found."""
        with open_document_signer(self.folder / "pki") as signer:
            objects = signer.sign_many(
                [
                    SigningRequest(
                        reference=number.to_bytes(16, "big"),
                        file_hashes={1: bytes(32), 2: bytes(32)},
                        status_reference=StatusReference(list_id=bytes(8), index=number),
                        signing_time=datetime.now(UTC),
                    )
                    for number in numbers
                ]
            )
        return [
            signer.hash_algorithm.digest(SecurityObject.from_bytes(each).signed_attributes)
            for each in objects
        ]

    def witness(self, name: str) -> None:
        self.json(
            "log", "witness", "create", "--directory", self.path(name), "--name", f"{name}.example",
            "--log", self.path("log.key"), "--pin-file", self.path(f"{name}.pin"),
        )  # fmt: skip
        _, text, _ = self.call("log", "witness", "key", "--directory", self.path(name))
        self.path(f"{name}.key").write_text(text)

    def cosign(self, name: str, request: str = "kept") -> Any:
        return self.json(
            "log", "witness", "cosign", self.path(request), "--directory", self.path(name),
            "--out", self.path(f"{request}.{name}"),
        )  # fmt: skip

    def refused(self, name: str, request: str) -> str:
        return self.code(
            "log", "witness", "cosign", self.path(request), "--directory", self.path(name),
            "--out", self.path("refused"),
        )  # fmt: skip

    def collect(self, *names: str, request: str = "kept") -> tuple[str | Path, ...]:
        copies = [self.path(f"{request}.{name}") for name in names]
        return ("log", "collect", *copies, *self.witnesses(*names))

    def witnesses(self, *names: str) -> list[str | Path]:
        return [word for name in names for word in ("--witness", self.path(f"{name}.key"))]


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Bench:
    """An authority with a signer, a card, a first checkpoint ``kept``, and two witnesses."""
    bench = Bench(tmp_path, capfd)
    bench.json(
        "authority", "create", "--test", "--name", "Trial", "--keystore", "file",
        "--pin-file", bench.path("pki.pin"),
    )  # fmt: skip
    bench.json("signer", "create", "--id", "ds-1")
    bench.json("signer", "create", "--id", "stop-1", "--profile", "stop-list-signer")
    bench.json("crl", "issue")
    bench.digests = bench.sign(1)
    bench.json("log", "checkpoint", "--out", bench.path("kept"))
    bench.path("log.key").write_text(bench.call("log", "key")[1])
    for name in ("archive", "auditor"):
        bench.witness(name)
    return bench


def test_from_two_witnesses_to_proofs_of_one_signers_cards(bench: Bench) -> None:
    first = bench.cosign("archive")
    bench.cosign("auditor")
    assert bench.json(*bench.collect("archive", "auditor"))["size"] == first["size"]
    later = bench.sign(2, 3)
    names = ("archive", "auditor")
    policy = ("log", "policy", *bench.witnesses(*names), "--threshold")
    bench.json(*policy, "2", "--out", bench.path("two"))
    export = ("log", "export", "--signer", "ds-1", "--policy", bench.path("two"), "--to")
    report = bench.json(*export, bench.path("trust"))
    assert (report["proofs"], report["without_proof"]) == (1, 2)
    found = LogPolicy.from_bytes(bench.path("trust/log/log.policy").read_bytes())
    (digest,) = bench.digests
    proof = bench.path(f"trust/proofs/{digest.hex()}.tlog-proof")
    moment = known_since(proof.read_bytes(), policy=found, digest=digest)
    assert first["time"] <= f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    # A later checkpoint covers the later cards, and leaves the older proof as old as it is.
    bench.json("log", "checkpoint", "--out", bench.path("next"))
    bench.json("log", "prove", "--since", bench.path("kept"), "--out", bench.path("growth"))
    for name in names:
        assert bench.cosign(name, "growth")["size"] > first["size"]
    bench.json(*bench.collect(*names, request="growth"))
    assert bench.json(*export, bench.path("trust"))["proofs"] == 3
    assert known_since(proof.read_bytes(), policy=found, digest=digest) == moment
    for each in later:
        file = bench.path(f"trust/proofs/{each.hex()}.tlog-proof")
        assert known_since(file.read_bytes(), policy=found, digest=each) >= moment
    assert bench.code(*policy, "3", "--out", bench.path("three")) == "log.policy-malformed"
    assert (
        bench.code("log", "export", "--signer", "ds-9", *export[4:], bench.path("x"))
        == "signer.unknown"
    )


def test_a_single_proof_stands_under_the_checkpoint_that_was_kept(bench: Bench) -> None:
    bench.cosign("archive")
    bench.sign(2)
    bench.json("log", "checkpoint")
    prove = ("log", "prove", "--out", bench.path("proof"), "--under", bench.path("kept.archive"))
    size = bench.json(*prove, "--reference", (1).to_bytes(16, "big").hex())["size"]
    assert (
        size == bench.json("log", "witness", "show", "--directory", bench.path("archive"))["size"]
    )
    check = ("log", "check", bench.path("proof"), "--key", bench.path("log.key"), "--cosigner")
    assert bench.json(*check, bench.path("archive.key"))["size"] == size
    assert bench.code(*check, bench.path("auditor.key")) == "log.cosignature-missing"
    assert bench.code(*prove, "--reference", (2).to_bytes(16, "big").hex()) == "log.not-sealed"
    assert bench.code(*prove, "--since", bench.path("kept")) == "usage"
    verify = ("log", "verify", "--checkpoint", bench.path("kept.archive"), "--cosigner")
    assert bench.json(*verify, bench.path("archive.key"))["checkpoints_kept_elsewhere"] == 1
    assert bench.code(*verify, bench.path("auditor.key")) == "log.cosignature-missing"


def test_a_log_that_goes_back_or_forks_gets_no_cosignature_and_leaves_evidence(
    bench: Bench,
) -> None:
    shutil.copytree(bench.path("pki"), bench.path("before"))
    bench.cosign("archive")
    bench.json("crl", "issue")
    bench.json("log", "checkpoint", "--out", bench.path("next"))
    assert bench.refused("archive", "next") == "witness.other-size"
    bench.json("log", "prove", "--since", bench.path("kept"), "--out", bench.path("growth"))
    bench.cosign("archive", "growth")
    shown = bench.json("log", "witness", "show", "--directory", bench.path("archive"))
    assert bench.refused("archive", "kept") == "witness.rolled-back"
    shutil.rmtree(bench.path("pki"))
    bench.path("before").rename(bench.path("pki"))
    bench.json("crl", "issue")
    bench.json("log", "checkpoint", "--out", bench.path("fork"))
    assert not bench.path("archive/evidence").exists()
    assert bench.refused("archive", "fork") == "witness.forked"
    (kept,) = bench.path("archive/evidence").iterdir()
    assert kept.read_bytes() == bench.path("fork").read_bytes()
    assert bench.json("log", "witness", "show", "--directory", bench.path("archive")) == shown
    assert not bench.path("refused").exists()
    # The log itself keeps no cosignatures of a history that it does not have.
    assert bench.code(*bench.collect("archive", request="growth")) == "log.inconsistent"


def test_what_is_no_cosigned_checkpoint_of_this_log_is_not_collected(bench: Bench) -> None:
    bench.cosign("archive")
    bench.cosign("auditor")
    copies = ("log", "collect", bench.path("kept.archive"))
    assert bench.code(*copies, *bench.witnesses("auditor")) == "log.cosignature-missing"
    other = ("log", "collect", bench.path("kept.archive"), bench.path("growth.auditor"))
    bench.json("crl", "issue")
    bench.json("log", "checkpoint")
    bench.json("log", "prove", "--since", bench.path("kept"), "--out", bench.path("growth"))
    bench.cosign("auditor", "growth")
    assert bench.code(*other, *bench.witnesses("archive")) == "log.cosignature-missing"
    wrong = bench.path("kept.archive").read_text("utf-8")
    place = wrong.rindex("AAAA") + 20
    bench.path("kept.archive").write_text(
        wrong[:place] + ("B" if wrong[place] == "A" else "A") + wrong[place + 1 :], "utf-8"
    )
    assert bench.code(*copies, *bench.witnesses("archive")) == "log.signature-wrong"
    assert Home(bench.path("pki")).read_cosigned() == ()


def test_cosignatures_that_come_one_after_another_are_put_together(bench: Bench) -> None:
    for name in ("archive", "auditor", "archive"):
        bench.cosign(name)
        bench.json(*bench.collect(name))
    (kept,) = Home(bench.path("pki")).read_cosigned()
    note = SignedNote.from_bytes(kept)
    names = [each.name for each in note.signatures]
    # The third line is there where the clock went on between the two of one witness.
    assert names[1:3] == ["archive.example", "auditor.example"]
    assert set(names[3:]) <= {"archive.example"}
    keys: list[NoteVerifier] = [read_log_key(bench.path("log.key"))]
    keys += [read_witness_key(bench.path(f"{name}.key")) for name in ("archive", "auditor")]
    assert Checkpoint.open(note, keys).size > 0


def test_a_directory_of_a_witness_that_is_not_whole_is_refused(bench: Bench) -> None:
    create = (
        "log", "witness", "create", "--name", "third.example", "--log", bench.path("log.key"),
        "--pin-file", bench.path("third.pin"), "--directory",
    )  # fmt: skip
    assert bench.code(*create, bench.path("archive")) == "witness.exists"
    assert (
        bench.code("log", "witness", "show", "--directory", bench.path("none")) == "witness.missing"
    )
    words = list(create)
    words[words.index("third.example")] = "a name"
    assert bench.code(*words, bench.path("third")) == "log.key-malformed"
    assert not bench.path("third").exists()
    seen = bench.path("archive/seen.json")
    bench.cosign("archive")
    whole = json.loads(seen.read_bytes())
    for change in (
        {"size": -1}, {"size": True}, {"size": "7"}, {"root": "00"}, {"root": "x"}, {"time": "now"},
        {"time": 5}, {"format": 2},
    ):  # fmt: skip
        seen.write_text(json.dumps(whole | change))
        assert bench.refused("archive", "kept") == "witness.unusable"
    seen.write_text(json.dumps(whole))
    bench.cosign("archive")
    settings = bench.path("archive/witness.json")
    known = json.loads(settings.read_bytes())
    auditor = json.loads(bench.path("auditor/witness.json").read_bytes())
    for change in ({"key": auditor["key"]}, {"sealed_key": auditor["sealed_key"]}):
        # The seal names the key that it is for, and the PIN is another one.
        settings.write_text(json.dumps(known | change))
        assert bench.refused("archive", "kept") == "keystore.passphrase-wrong"
    for change in (
        {"key": 5},
        {"log": "x"},
        {"sealed_key": None},
        {"format": 2},
        {"pin_file": None},
    ):
        settings.write_text(json.dumps(known | change))
        assert bench.refused("archive", "kept") == "witness.unusable"


def test_one_process_owns_a_witness(bench: Bench) -> None:
    with bench.path("archive/lock").open("ab") as lock:
        lock_exclusively(lock, name="test")
        assert bench.refused("archive", "kept") == "record.locked"
    bench.cosign("archive")


def test_the_private_key_is_sealed_and_told_nowhere(bench: Bench) -> None:
    home = WitnessHome(bench.path("archive"))
    settings = home.settings()
    secret = settings.sealed_key.open(
        passphrase=bench.path("archive.pin").read_text().strip(), purpose=settings.key.to_text()
    )
    for path in bench.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret not in content
            assert secret.hex().encode() not in content
    assert secret.hex() not in repr(settings)
    assert settings.sealed_key.sealed.hex() not in repr(settings)
    assert WitnessKey.from_text(settings.key.to_text()) == settings.key


def test_a_sealed_key_opens_for_its_passphrase_and_purpose_alone() -> None:
    sealed = SealedKey.seal(b"secret", passphrase="one of them", purpose="this")
    assert SealedKey.from_json(sealed.to_json()) == sealed
    assert sealed.open(passphrase="one of them", purpose="this") == b"secret"
    for passphrase, purpose in (("another", "this"), ("one of them", "that")):
        with pytest.raises(KeystoreError) as caught:
            sealed.open(passphrase=passphrase, purpose=purpose)
        assert caught.value.code == "keystore.passphrase-wrong"
    good = sealed.to_json()
    for change in (
        {"kdf": "md5"},
        {"log2_n": 60},
        {"salt": "00"},
        {"salt": 5},
        {"sealed": "00"},
        {"sealed": "zz"},
    ):
        with pytest.raises(KeystoreError) as caught:
            SealedKey.from_json(good | change)
        assert caught.value.code == "keystore.damaged"


def test_the_time_of_a_compromise_is_stated_and_only_ever_moved_back(bench: Bench) -> None:
    compromise: Callable[..., tuple[str, ...]] = lambda *words: (  # noqa: E731 - one of many alike
        "signer", "compromise", "ds-1", "--reason", "stolen", *words,
    )  # fmt: skip
    for time in ("2999-01-01T00:00:00Z", "yesterday", "2026-01-01T00:00:00"):
        assert bench.code(*compromise("--since", time)) in ("signing.request-invalid", "usage")
    assert "compromised_since" not in bench.json(*compromise())
    stated = bench.json(*compromise("--since", "2026-01-02T07:00:00+07:00"))
    assert stated["compromised_since"] == "2026-01-02T00:00:00Z"
    assert bench.code(*compromise("--since", "2026-01-02T00:00:01Z")) == "signing.request-invalid"
    assert bench.json(*compromise())["compromised_since"] == "2026-01-02T00:00:00Z"
    moved = bench.json(*compromise("--since", "2026-01-01T23:59:59Z"))
    assert moved["compromised_since"] == "2026-01-01T23:59:59Z"
    assert moved["revoked_at"] == stated["revoked_at"]
