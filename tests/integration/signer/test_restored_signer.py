"""A signer process over a restored home: its token opens, and what was authorised before counts no more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pki.errors import PkiRefusedError
from pki.services.document_signer import SigningRequest
from tests.integration.signer.conftest import SignerHome

Card = Callable[..., SigningRequest]


def back_up_and_restore(home: SignerHome, card: Card) -> None:
    directory = home.directory
    passphrase, backup = directory / "backup.pass", directory / "one.backup"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    own = ("--passphrase-file", str(passphrase))
    authorisation = home.authorise(10)
    home.start()
    with home.client(authorisation) as signer:
        signer.sign(card())
        # Whoever serves keeps a backup from being taken halfway.
        assert home.pki("backup", "create", "--output", str(backup), *own) == 2
    assert home.stop() == (0, "")
    assert home.pki("backup", "create", "--output", str(backup), *own) == 0
    home.start()
    with home.client(authorisation) as signer:
        signer.sign_many([card() for _ in range(9)])
    assert home.stop() == (0, "")

    home.home = directory / "restored"
    assert home.pki("backup", "restore", str(backup), *own) == 0
    state = home.state()
    assert state.signers["ds-1"].objects_signed == 1
    assert state.restores.epoch is not None
    name = f"ds-2-{state.restores.epoch[:6]}"
    assert home.pki("signer", "create", "--id", name) == 0
    home.start()
    # Nine of its ten cards were signed in the time that was lost.
    for unusable in (authorisation, home.authorise(10, signer="ds-1")):
        with pytest.raises(PkiRefusedError) as caught, home.client(unusable) as signer:
            signer.sign(card())
        # A retired signer is not served.
        assert caught.value.code == "signer.unknown"
    with home.client(home.authorise(2, signer=name)) as signer:
        signer.sign_many([card(), card()])
    assert home.stop() == (0, "")
    assert home.state().signers[name].objects_signed == 2
    assert home.pki("log", "verify") == 0


def test_a_signer_over_a_restored_home_signs_with_a_new_key_only(
    signer_home: SignerHome, card: Card
) -> None:
    back_up_and_restore(signer_home, card)


@pytest.mark.hsm
def test_a_token_is_restored_with_its_home(token_home: SignerHome, card: Card) -> None:
    back_up_and_restore(token_home, card)
    assert (Path(token_home.home) / "keystore" / "token.json").exists()
