"""What the settings say of the signer process: who signs batches in the browser, and whether lists publish themselves."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from issuer.bootstrap import open_register_home
from issuer.bootstrap_signing import SignerProcess
from issuer.bootstrap_status import status_duty_of
from issuer.errors import IssuerError
from issuer.services.publish_status import PublishingTimes
from issuer.settings import remember


def requirement(home: Path, changes: dict[str, Any]) -> str | None:
    """The code of what keeps the office from having batches signed."""
    remember(home, changes)
    with open_register_home(home) as opened:
        try:
            SignerProcess(opened=opened).require()
        except IssuerError as error:
            return error.code
    return None


def test_batches_are_signed_where_a_signer_serves_and_no_other_cards_than_real_ones(
    tmp_path: Path,
) -> None:
    home, path = tmp_path / "office", tmp_path / "s"
    assert requirement(home, {}) == "signing.no-signer"
    assert requirement(home, {"signing": {"signer_socket": str(path)}}) == "signer.unreachable"
    path.write_text("no socket")
    assert requirement(home, {}) == "signer.unreachable"
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert requirement(home, {}) is None
        # Who signs status lists signs cards where nobody else is named.
        changes = {"signing": None, "status": {"signer_socket": str(path)}}
        assert requirement(home, changes) is None
        found = requirement(home, {"card_profile": "dev-bac"})
        assert found == "profile.development"


def test_lists_publish_themselves_only_where_that_is_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "office"
    remember(home, {"status": {"signer_socket": "/run/s", "days": 6}})
    with open_register_home(home) as opened:
        assert status_duty_of(opened) is None
    remember(home, {"status": {"publish_minutes": 15}})
    with open_register_home(home) as opened:
        duty = status_duty_of(opened)
    assert duty is not None
    assert duty.times == PublishingTimes(every=timedelta(minutes=15), days=6)
    with pytest.raises(IssuerError) as refused:
        remember(tmp_path / "other", {"status": {"publish_minutes": 15}})
    assert refused.value.code == "settings.malformed"
