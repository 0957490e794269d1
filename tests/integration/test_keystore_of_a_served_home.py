"""A program that serves does everything with its keystore in one thread: a PKCS#11 library stands no other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from issuer import bootstrap_keys
from issuer.bootstrap_api import open_api_services
from issuer.domain.member import MemberId
from issuer.domain.portrait import NormalisedPortrait, WaitingPortrait
from pki.keys.open import open_keystore
from tests.integration.test_killed_at_any_moment import made_home


def test_whatever_needs_the_keystore_has_it_opened_in_the_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = made_home(tmp_path)
    threads: list[str] = []

    def noted(*words: Any, **more: Any) -> Any:
        threads.append(threading.current_thread().name)
        return open_keystore(*words, **more)

    monkeypatch.setattr(bootstrap_keys, "open_keystore", noted)
    with open_api_services(home.path) as services, ThreadPoolExecutor(1) as requests:
        at_start = len(threads)
        freezing = services.batches.freezing
        drawn = [requests.submit(freezing.random_bytes, 16).result() for _ in range(3)]
        assert len(set(drawn)) == 3
        # One look at the keystore serves many draws; another thing opens it no more.
        assert len(threads) == at_start + 1
        assert services.readiness().keystore is None
        with services.batches.opening.desk.register.reading() as transaction:
            found = transaction.members.several([MemberId(UUID(int=1))])
        assert len(found) == 1
        waiting, member = services.new_portraits.waiting, found[0].member_id
        brought = WaitingPortrait(portrait=NormalisedPortrait(image=b"a portrait"), source=b"")
        word = requests.submit(waiting.keep, member, brought).result()
        assert requests.submit(waiting.get, member, word).result() == brought
    assert {name.split("_")[0] for name in threads} == {"keystore"}
    assert len(threads) == at_start + 2
