"""``membercard-pki master-list``: what it prints, what it leaves on disk, how it ends; openssl verifies ours."""

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki import trust_directory
from pki.certificates.authority_path import fingerprint
from pki.cli import main
from pki.errors import RecordError
from pki.trust_directory import TrustDirectory

Run = Callable[..., Any]
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
POLICY = """
format = 1
name = "trial"
country = "VN"
max_age_days = 30
require_crl = false

[[rules]]
country = "VN"
purposes = ["travel-documents"]
states = ["VNM"]
document_codes = ["P"]
"""
BOUND = """
format = 1
allow_test_authorities = true
document_codes = ["CM"]
[states]
VNM = "VN"
[[anchors]]
certificate = "sha256:{0}"
purposes = ["master-lists"]
"""


class Outcome:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> Outcome:
        capfd.readouterr()
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def office(make_list_office: Any, make_authority: Any) -> Any:
    """Lists of today, as the commands have no other clock."""
    return make_list_office(authority=make_authority(start=NOW - 10 * DAY))


@pytest.fixture
def files(tmp_path: Path, office: Any) -> Path:
    (tmp_path / "list.ml").write_bytes(office.make(at=NOW - DAY))
    (tmp_path / "root.cer").write_bytes(office.authority.certificate)
    (tmp_path / "import.toml").write_text(POLICY)
    return tmp_path


@pytest.fixture
def trust(tmp_path: Path, office: Any) -> Path:
    """A trust directory whose policy binds the list's authority to lists, and has no certificate of it."""
    directory = tmp_path / "trust"
    directory.mkdir()
    (directory / "policy.toml").write_text(BOUND.format(fingerprint(office.authority.certificate)))
    return directory


def do_import(run: Run, files: Path, *words: object) -> Outcome:
    found: Outcome = run(
        "master-list", "import", files / "list.ml", "--policy", files / "import.toml",
        "--authority", files / "root.cer", *words,
    )  # fmt: skip
    return found


def listing(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_verify_tells_people_and_programs_what_became_of_the_list(
    run: Run, files: Path, office: Any
) -> None:
    words = ("master-list", "verify", files / "list.ml", "--authority", files / "root.cer")
    people = run(*words)
    assert people.status == 0
    assert "the list holds" in people.out
    assert "1 certificates of 1 countries, 0 twice, 1 read, 1 usable" in people.out
    document = run(*words, "--format", "json").json
    assert document["holds"] is True
    assert document["authority_sha256"] == fingerprint(office.authority.certificate)
    assert document["countries"] == {"VN": 1}
    (listed,) = document["certificates"]
    assert (listed["kind"], listed["code"]) == ("root", None)


def test_verify_ends_with_one_where_the_signer_is_not_believed_and_with_two_where_it_is_no_list(
    run: Run, files: Path, make_authority: Any
) -> None:
    (files / "other.cer").write_bytes(make_authority(common_name="TEST other").certificate)
    other = ("--authority", files / "other.cer", "--format", "json")
    found = run("master-list", "verify", files / "list.ml", *other)
    assert (found.status, found.json["code"]) == (1, "master-list.signer-untrusted")
    early = (NOW - 5 * DAY).isoformat()
    root = ("--authority", files / "root.cer")
    found = run("master-list", "verify", files / "list.ml", *root, "--at", early)
    assert (found.status, "[master-list.signing-time]" in found.out) == (1, True)
    (files / "list.ml").write_bytes(b"0")
    found = run("master-list", "verify", files / "list.ml", *root)
    assert (found.status, found.out) == (2, "")
    assert "[master-list.malformed]" in found.err
    assert run("master-list", "verify", files / "list.ml").status == 64
    assert run("master-list", "verify", files / "none.ml", *root).status == 2


def test_verify_goes_by_what_a_trust_directory_binds_to_master_lists(
    run: Run, files: Path, trust: Path, office: Any
) -> None:
    words = ("master-list", "verify", files / "list.ml", "--trust", trust, "--format", "json")
    assert run(*words).json["code"] == "master-list.signer-untrusted"
    (trust / "csca").mkdir()
    (trust / "csca" / "root.cer").write_bytes(office.authority.certificate)
    assert run(*words).json["holds"] is True
    policy = (trust / "policy.toml").read_text().replace("master-lists", "stop-lists")
    (trust / "policy.toml").write_text(policy)
    assert run(*words).json["code"] == "master-list.signer-untrusted"


def test_a_crl_that_names_the_signer_is_heeded(run: Run, files: Path, office: Any) -> None:
    crl = office.authority.crl(office.serial_number, this_update=NOW - DAY)
    (files / "new.crl").write_bytes(crl)
    (files / "good.crl").write_bytes(office.authority.crl(this_update=NOW - DAY))
    words = ("master-list", "verify", files / "list.ml", "--authority", files / "root.cer")
    assert "[master-list.signer-revoked]" in run(*words, "--crl", files / "new.crl").out
    assert run(*words, "--require-crl").status == 1
    assert run(*words, "--require-crl", "--crl", files / "good.crl").status == 0


def test_import_writes_certificate_and_binding_and_says_what_changed(
    run: Run, files: Path, office: Any
) -> None:
    output = files / "output"
    name = fingerprint(office.authority.certificate)
    found = do_import(run, files, "--output", output, "--format", "json")
    assert (found.status, found.err) == (0, "")
    assert found.json["added"] == [name]
    assert found.json["trusted"] == {name: "travel-documents (codes P; states VNM)"}
    written = listing(output)
    assert written[f"csca/import_trial_VN_{name[:32]}_root.cer"] == office.authority.certificate
    assert set(written) == {f"csca/import_trial_VN_{name[:32]}_root.cer", "anchors/trial.toml"}
    again = do_import(run, files, "--output", output)
    assert "0 added, 0 removed, 0 changed, 1 kept" in again.out
    assert listing(output) == written


def test_an_import_that_names_nothing_any_more_takes_everything_back(run: Run, files: Path) -> None:
    output = files / "output"
    assert do_import(run, files, "--output", output).status == 0
    (files / "import.toml").write_text(
        POLICY.replace('country = "VN"\npurposes', 'country = "DE"\npurposes')
    )
    found = do_import(run, files, "--output", output, "--format", "json")
    assert (found.status, len(found.json["removed"])) == (0, 1)
    assert set(listing(output)) == {"anchors/trial.toml"}


def test_an_older_list_is_refused_and_changes_nothing(
    run: Run, files: Path, office: Any, trust: Path
) -> None:
    assert do_import(run, files, "--trust", trust).status == 0
    before = listing(trust)
    (files / "list.ml").write_bytes(office.make(at=NOW - 2 * DAY))
    found = do_import(run, files, "--trust", trust)
    assert (found.status, "[master-list.older]" in found.err) == (1, True)
    assert listing(trust) == before


def test_a_trust_directory_that_binds_nothing_is_refused(
    run: Run, files: Path, trust: Path
) -> None:
    text = (trust / "policy.toml").read_text().partition("[[anchors]]")[0]
    (trust / "policy.toml").write_text(text)
    before = listing(trust)
    found = do_import(run, files, "--trust", trust)
    assert (found.status, "[master-list.trust-unbound]" in found.err) == (1, True)
    assert found.err.count("hint:") == 1
    assert listing(trust) == before


def test_where_to_import_is_said_once(run: Run, files: Path, trust: Path) -> None:
    assert do_import(run, files).status == 64
    assert do_import(run, files, "--trust", trust, "--output", files / "output").status == 64
    assert do_import(run, files, "--output", trust).status == 64


def test_what_is_refused_leaves_no_directory_behind(run: Run, files: Path, office: Any) -> None:
    (files / "list.ml").write_bytes(office.make(at=NOW - 2 * DAY))
    (files / "import.toml").write_text(POLICY.replace("= 30", "= 1"))
    found = do_import(run, files, "--output", files / "output")
    assert (found.status, "[master-list.too-old]" in found.err) == (1, True)
    assert not (files / "output").exists()


def test_what_people_put_into_csca_stays_as_it_is(
    run: Run, files: Path, trust: Path, office: Any
) -> None:
    (trust / "csca").mkdir()
    (trust / "csca" / "ours.cer").write_bytes(office.authority.certificate)
    found = do_import(run, files, "--trust", trust, "--format", "json")
    assert [item["code"] for item in found.json["left_out"]] == ["master-list.already-trusted"]
    assert "csca/ours.cer" in listing(trust)
    assert found.json["trusted"] == {}


def test_two_imports_at_once_are_refused(run: Run, files: Path) -> None:
    output = files / "output"
    with TrustDirectory(output).locked():
        found = do_import(run, files, "--output", output)
    assert (found.status, "[record.locked]" in found.err) == (2, True)
    assert listing(output) == {}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the n-th of all replacements and deletions in trust directories fail; 0 mends the disk."""

    def break_at(step: int) -> None:
        monkeypatch.undo()
        if step:
            calls = itertools.count(1)
            for owner, name in ((trust_directory, "replace_file"), (Path, "unlink")):
                monkeypatch.setattr(owner, name, failing(getattr(owner, name), calls, step))

    return break_at


def failing(inner: Callable[..., Any], calls: Iterator[int], step: int) -> Callable[..., Any]:
    def call(path: Path, *rest: Any, **fields: Any) -> Any:
        # Temporary files of the durable writer are its own business.
        if not path.name.startswith(".") and next(calls) == step:
            raise OSError(28, "No space left on device")
        return inner(path, *rest, **fields)

    return call


@pytest.fixture
def others(make_authority: Any, office: Any, files: Path) -> list[bytes]:
    """Two authorities, of which ``newer.ml`` is a list."""
    made = [make_authority(common_name=f"TEST {n}", start=NOW - 9 * DAY).certificate for n in "12"]
    newer = office.make(*made, at=NOW - DAY + timedelta(seconds=1))
    (files / "newer.ml").write_bytes(newer)
    return made


@pytest.mark.parametrize("step", range(1, 5))
def test_an_import_that_breaks_off_leaves_the_old_binding_or_the_new_one(
    run: Run, files: Path, disk: Callable[..., None], others: list[bytes], step: int
) -> None:
    """Whatever the step, what is bound is one import's whole, and the same command ends it."""
    output = files / "output"
    old = (files / "root.cer").read_bytes()
    assert do_import(run, files, "--output", output).status == 0
    before = (output / "anchors" / "trial.toml").read_bytes()
    (files / "list.ml").write_bytes((files / "newer.ml").read_bytes())
    disk(step)
    broken = do_import(run, files, "--output", output)
    disk(0)
    assert broken.status == 2
    assert "[trust.unwritable]" in broken.err
    bound = (output / "anchors" / "trial.toml").read_bytes()
    present = [der for name, der in listing(output).items() if name.endswith(".cer")]
    if step <= 3:
        assert bound == before
        assert old in present
    else:
        assert set(others) <= set(present)
    assert do_import(run, files, "--output", output).status == 0
    ended = [der for name, der in listing(output).items() if name.endswith(".cer")]
    assert sorted(ended) == sorted(others)


def test_links_go_before_the_roots_that_admit_them(
    run: Run, home: Path, tmp_path: Path, disk: Callable[..., None]
) -> None:
    assert run("--home", home, "authority", "rollover").status == 0
    assert (
        run("--home", home, "master-list", "export", "--output", tmp_path / "list.ml").status == 0
    )
    shutil.copy(home / "certificates" / "csca-1.cer", tmp_path / "root.cer")
    (tmp_path / "import.toml").write_text(POLICY)
    output = tmp_path / "output"
    assert do_import(run, tmp_path, "--output", output).status == 0
    assert len(listing(output)) == 6
    text = POLICY.replace('country = "VN"\npurposes', 'country = "DE"\npurposes')
    (tmp_path / "import.toml").write_text(text)
    # The record is the first, then both links, then the first root.
    disk(4)
    assert do_import(run, tmp_path, "--output", output).status == 2
    disk(0)
    left = [name for name in listing(output) if name.endswith(".cer")]
    assert len(left) == 3
    assert all(name.endswith("_root.cer") for name in left)


def test_a_directory_that_cannot_be_written_is_an_error(files: Path) -> None:
    (files / "file").write_text("")
    with pytest.raises(RecordError) as caught, TrustDirectory(files / "file").locked():
        pass
    assert caught.value.code == "trust.unwritable"


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    home = tmp_path / "pki"
    words = ("--home", home)
    made = run(
        *words, "authority", "create", "--test", "--name", "Trial", "--keystore", "file",
        "--pin-file", tmp_path / "pin",
    )  # fmt: skip
    assert made.status == 0, made.err
    signer = ("signer", "create", "--id", "lists-1", "--profile", "master-list-signer")
    assert run(*words, *signer).status == 0
    assert run(*words, "authority", "rollover").status == 0
    return home


def test_ours_is_exported_published_logged_and_verified_by_us_and_by_openssl(
    run: Run, home: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "lists" / "ours.ml"
    words = ("--home", home, "master-list", "export", "--output", ours, "--format", "json")
    document = run(*words, "--signer", "lists-1").json
    assert document["certificates"] == 3
    assert ours.read_bytes() == (home / "master-list" / "csca-1.ml").read_bytes()
    root = home / "certificates" / "csca-1.cer"
    assert run("master-list", "verify", ours, "--authority", root).status == 0
    assert run("--home", home, "log", "verify").status == 0
    assert "master-list.intended" in (home / "journal.jsonl").read_text()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    pem = tmp_path / "root.pem"
    convert = ["openssl", "x509", "-inform", "DER", "-in", str(root), "-out", str(pem)]
    subprocess.run(convert, check=True, capture_output=True)
    verify = [
        "openssl", "cms", "-verify", "-inform", "DER", "-in", str(ours), "-CAfile", str(pem),
        "-purpose", "any", "-out", str(tmp_path / "content.der"),
    ]  # fmt: skip
    found = subprocess.run(verify, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert len((tmp_path / "content.der").read_bytes()) > 1000


def test_what_was_published_comes_back_where_somebody_deleted_it(
    run: Run, home: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours.ml"
    assert run("--home", home, "master-list", "export", "--output", ours).status == 0
    (home / "master-list" / "csca-1.ml").unlink()
    assert run("--home", home, "crl", "issue").status == 0
    assert (home / "master-list" / "csca-1.ml").read_bytes() == ours.read_bytes()


def test_a_list_that_was_issued_and_cannot_be_written_is_in_the_home(
    run: Run, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    found = run("--home", home, "master-list", "export", "--output", tmp_path / "file" / "x.ml")
    assert (found.status, "[master-list.unwritable]" in found.err) == (2, True)
    assert (home / "master-list" / "csca-1.ml").exists()
