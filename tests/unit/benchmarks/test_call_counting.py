"""The benchmarks' own counting: a baseline that counts wrongly would make every ratio worthless."""

import hashlib
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from card_layout.profile import load_profile
from tests.benchmarks.calls import CallRecorder, bare_seconds
from tests.benchmarks.personalising import least_personalisation_apdus
from tests.benchmarks.wire import ProtectedExchange


def one_of_each() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"message", ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, b"message", ec.ECDSA(hashes.SHA256()))
    hashlib.sha256(b"message").digest()


ONCE = {"ec-generate": 1, "ecdsa-sign": 1, "ecdsa-verify": 1, "hash": 1}


def test_calls_are_counted_in_this_thread_and_in_threads_that_begin() -> None:
    recorder = CallRecorder()
    with recorder.recording():
        one_of_each()
        thread = threading.Thread(target=one_of_each)
        thread.start()
        thread.join()
    one_of_each()
    assert recorder.counts == {name: 2 * count for name, count in ONCE.items()}


def test_what_the_card_calls_is_left_out_in_its_own_thread_only() -> None:
    recorder = CallRecorder()
    with recorder.recording(), recorder.paused():
        one_of_each()
        thread = threading.Thread(target=one_of_each)
        thread.start()
        thread.join()
    assert recorder.counts == ONCE


def test_a_recording_that_missed_calls_makes_no_baseline() -> None:
    exchange = ProtectedExchange(command=(16, 48), answer=(0, 32))
    with pytest.raises(AssertionError, match="fewer calls"):
        bare_seconds({}, curve=ec.SECP256R1(), exchanges=[exchange], hashed=[])


def test_a_longer_file_takes_more_commands_at_least() -> None:
    profile = load_profile("membercard-1-icao")
    contents = {file.name: b"x" for file in profile.files}
    longer = contents | {"EF.DG2": bytes(3 * profile.max_command_bytes)}
    least = least_personalisation_apdus(profile, contents)
    # Protection takes room, so three of the longest commands do not carry it: four do, and as many answers.
    assert least_personalisation_apdus(profile, longer) == least + 2 * (4 - 1)
