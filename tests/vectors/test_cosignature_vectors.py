"""Cosignatures, verifier keys, policies and growth proofs against values that others published.

The checkpoint is one of the public Certificate Transparency log ``arche2025h1.staging.ct.transparency.dev``, with
the cosignatures of public witnesses, as it stands in the tests of the library tlog-scales; the witnesses' keys are those
that their operators publish. The key ``remora.n621.de`` stands in the tests of transparency-dev/formats as well
(``note/note_cosigv1_test.go``), and so does the time in ``FORMATS_SIGNATURE``. The worked example is that of
c2sp.org/tlog-cosignature. The policies follow the example and the rules of c2sp.org/tlog-policy.
"""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from pki.errors import PkiError
from pki.record.transparency_cosignature import WitnessKey, cosigned_message
from pki.record.transparency_note import Checkpoint, NoteKey, SignedNote
from pki.record.transparency_policy import LogPolicy

ARCHE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3"
    "urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "\u2014 arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75Mdh"
    "L1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "\u2014 transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVk"
    "jZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "\u2014 witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7"
    "TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "\u2014 remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU"
    "/zZ0WBxtqB0DrAWfBw==\n"
    "\u2014 witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgK"
    "i7lI7cUiOvKFYe/TmN9DAg==\n"
)
WITNESSES = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]
ABSENT = "rgdd.se/poc-witness+db03732e+BCjJKlo6BU0xfIb8LutqerIFTWIXEA0L5n3tW3QyPFgG"
SEEN_AT = datetime(2026, 5, 23, 21, 50, 24, tzinfo=UTC)
"""``6a122120`` in each of the four cosignatures."""

FORMATS_SIGNATURE = (
    "ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORm"
    "nFBOBA=="
)
LOG = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGv"
    "XwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)


@pytest.mark.parametrize("text", [*WITNESSES, ABSENT])
def test_the_keys_of_public_witnesses_have_the_ids_that_are_published(text: str) -> None:
    key = WitnessKey.from_text(text)
    assert key.to_text() == text
    assert len(key.public_key) == 32


@pytest.mark.parametrize("text", WITNESSES)
def test_a_public_witness_cosigned_at_its_time(text: str) -> None:
    key = WitnessKey.from_text(text)
    note = SignedNote.from_bytes(ARCHE.encode())
    assert note.to_bytes() == ARCHE.encode()
    assert key.first_time(note) == SEEN_AT
    assert note.verify([key]) == (key,)
    assert Checkpoint.from_text(note.text).size == 1432088532


@pytest.mark.parametrize("text", WITNESSES)
@pytest.mark.parametrize(
    ("old", "new"),
    [("1432088532", "1432088533"), ("staging.ct", "staging-ct"), ("AAAABqEiEg", "AAAABqEiEh")],
)
def test_another_size_origin_or_time_is_not_what_was_cosigned(
    text: str, old: str, new: str
) -> None:
    key = WitnessKey.from_text(text)
    note = SignedNote.from_bytes(ARCHE.replace(old, new).encode())
    with pytest.raises(PkiError) as caught:
        key.first_time(note)
    assert caught.value.code == "log.signature-wrong"


def test_a_witness_that_did_not_cosign_is_no_error() -> None:
    assert WitnessKey.from_text(ABSENT).first_time(SignedNote.from_bytes(ARCHE.encode())) is None


def test_the_form_of_a_cosignature_is_that_of_other_tools() -> None:
    data = base64.b64decode(FORMATS_SIGNATURE)
    assert len(data) == 4 + 8 + 64
    # transparency-dev/formats: 1727964367.
    assert int.from_bytes(data[4:12], "big") == 1727964367


def test_the_signed_message_is_that_of_the_specification() -> None:
    # c2sp.org/tlog-cosignature, "Ed25519 signed message".
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosigned_message(text, 1679315147) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def two_levels() -> str:
    """The example of c2sp.org/tlog-policy, with keys."""
    keys = [*WITNESSES, ABSENT]
    return (
        f"# two of the Xs, and a Y\nlog {LOG} https://log.example/\n\n"
        f"  witness\tX1 {keys[0]}\nwitness X2 {keys[1]} https://x2.example/\nwitness X3 {keys[2]}\n"
        "group X-witnesses 2 X1 X2 X3\n"
        f"witness Y1 {keys[3]}\nwitness Y2 {keys[4]}\ngroup Y-witnesses any Y1 Y2\n"
        "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
    )


def test_the_example_policy_is_complete_with_its_second_x_and_its_first_y() -> None:
    policy = LogPolicy.from_bytes(two_levels().encode())
    assert policy.logs == (NoteKey.from_text(LOG),)
    assert LogPolicy.from_bytes(policy.to_bytes()) == policy
    hours = [SEEN_AT + timedelta(hours=count) for count in range(9)]
    never = dict.fromkeys(policy.witnesses)
    assert policy.quorum_time(never) is None
    assert policy.quorum_time(never | {"X1": hours[1], "X2": hours[2], "X3": hours[3]}) is None
    assert policy.quorum_time(never | {"X1": hours[1], "Y1": hours[2], "Y2": hours[3]}) is None
    assert policy.quorum_time(never | {"X1": hours[5], "X3": hours[4], "Y2": hours[1]}) == hours[5]
    assert policy.quorum_time(never | {"X1": hours[1], "X3": hours[2], "Y2": hours[7]}) == hours[7]
    everybody = {name: hours[place] for place, name in enumerate(policy.witnesses)}
    assert policy.quorum_time(everybody) == hours[3]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("quorum X-and-Y", "quorum none"), "quorum is none"),
        (("quorum X-and-Y\n", ""), "no line quorum"),
        (("quorum X-and-Y\n", "quorum X-and-Y"), "no end"),
        (("quorum X-and-Y\n", "quorum X-and-Y\nquorum X1\n"), "two lines quorum"),
        (("quorum X-and-Y", "quorum Z"), "no line before"),
        (("X-witnesses 2", "X-witnesses 4"), "asks for"),
        (("X-witnesses 2", "X-witnesses 0"), "asks for"),
        (("X-witnesses 2", "X-witnesses 02"), "asks for"),
        (("X-witnesses 2", "X-witnesses two"), "asks for"),
        (("2 X1 X2 X3", "2 X1 X2 X2"), "member twice"),
        (("any Y1 Y2", "any Y1 X1"), "member twice"),
        (("2 X1 X2 X3", "2 X1 X2 Y1"), "no line before"),
        (("2 X1 X2 X3", "2 X1 X2 X-witnesses"), "no line before"),
        (("2 X1 X2 X3", "2"), "is not one of a policy"),
        (("witness X2", "witness X1"), "two things"),
        (("group Y-witnesses", "group X1"), "two things"),
        (("witness X2", "witness none"), "cannot be the name"),
        (("witness X2", "witness all"), "cannot be the name"),
        (("witness X2", "wittness X2"), "is not one of a policy"),
        ((WITNESSES[1], WITNESSES[0]), "stands twice"),
        ((WITNESSES[1], WITNESSES[0].replace("d8042a87", "00000000")), "ID is"),
        ((WITNESSES[1], LOG), "of type 02"),
        ((LOG, WITNESSES[0]), "of type 04"),
        ((f"log {LOG} https://log.example/\n", ""), "names no log"),
        ((f"log {LOG}", f"log {LOG}\nlog {LOG}"), "stands twice"),
        (("# two", "\x00"), "control"),
        (("# two", "\u007f"), "control"),
    ],
)
def test_a_policy_that_is_wrong_is_refused_for_what_is_wrong(
    change: tuple[str, str], reason: str
) -> None:
    text = two_levels()
    assert change[0] in text
    with pytest.raises(PkiError, match=reason) as caught:
        LogPolicy.from_bytes(text.replace(*change, 1).encode())
    assert caught.value.code in ("log.policy-malformed", "log.key-malformed")


def test_bounds_of_a_policy_hold() -> None:
    for data in (b"", b"\n", b"\xff\n", b"#" * 65_536 + b"\n"):
        with pytest.raises(PkiError) as caught:
            LogPolicy.from_bytes(data)
        assert caught.value.code == "log.policy-malformed"
    keys = [WitnessKey(name="w", public_key=bytes([count]) * 32) for count in range(33)]
    log = NoteKey.from_text(LOG)
    assert LogPolicy.of_threshold(log=log, witnesses=keys[:32], threshold=32).witnesses
    for witnesses, threshold in ((keys, 1), (keys[:2], 3), (keys[:2], 0), ([], 1)):
        with pytest.raises(PkiError) as caught:
            LogPolicy.of_threshold(log=log, witnesses=witnesses, threshold=threshold)
        assert caught.value.code == "log.policy-malformed"
