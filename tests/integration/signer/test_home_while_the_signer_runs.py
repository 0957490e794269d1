"""What can be done in the PKI's home while its signer process runs: what only reads, and what asks the process."""

from typing import Any

import pytest

from pki.keys.open import create_pin_file

READING = (
    ("authority", "show"),
    ("signer", "list"),
    ("service", "list"),
    ("operator", "list"),
    ("operator", "certificate", "an", "--out", "{folder}/an.cer"),
    ("operator", "credential", "list"),
    ("terminal", "list"),
    ("master-key", "list"),
    ("journal", "verify"),
    ("trust", "export", "{folder}/trust"),
    ("authorisation", "create", "--signer", "ds-1", "--cards", "1", "--until", "8h", "--out", "{folder}/a.json"),
    ("authorisation", "sign", "{folder}/a.json", "--operator", "an", "--operator-pin-file", "{folder}/an.pin"),
    ("authorisation", "show", "{folder}/a.json"),
)  # fmt: skip
WORKING = (
    ("signer", "create", "--id", "ds-2"),
    ("signer", "revoke", "--id", "ds-1", "--reason", "superseded"),
    ("crl", "issue"),
    ("service", "crl"),
    ("operator", "enrol", "chi", "--operator-pin-file", "{folder}/chi.pin"),
    ("operator", "revoke", "binh", "--reason", "has left"),
    ("terminal", "cvca", "create", "--holder", "VNMEMBER"),
    ("master-key", "create"),
    ("log", "checkpoint", "--out", "{folder}/checkpoint"),
    ("stop-list", "issue"),
    ("backup", "create", "--output", "{folder}/b.mcb", "--passphrase-file", "{folder}/phrase"),
)  # fmt: skip


@pytest.fixture
def running(signer_home: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    create_pin_file(signer_home.directory / "phrase")
    assert signer_home.pki("crl", "issue") == 0
    signer_home.start()

    def run(words: tuple[str, ...]) -> tuple[int, str]:
        folder = str(signer_home.directory)
        status = signer_home.pki(*(word.replace("{folder}", folder) for word in words))
        return status, capsys.readouterr().err

    return run


def test_what_reads_goes_on_and_what_works_in_the_home_waits(running: Any) -> None:
    read = {" ".join(words): running(words) for words in READING}
    assert {words: said for words, said in read.items() if said != (0, "")} == {}
    worked = {" ".join(words): running(words) for words in WORKING}
    assert {words: said for words, said in worked.items() if "[record.locked]" not in said[1]} == {}
    assert {status for status, _ in worked.values()} == {2}
