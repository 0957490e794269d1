"""The frames between signer and clients: one reading, every size bounded, any bytes a value or an error."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import KeystoreError, PkiDataError, PkiError, PkiRefusedError, RecordError
from pki.keys.algorithms import HashAlgorithm
from pki.services.document_signer import SigningRequest
from pki.signed.security_object import StatusReference
from pki.signer_service.frames import ProtocolError, frame, frame_length, write_error
from pki.signer_service.protocol import (
    MAX_CARDS_IN_REQUEST,
    AuthorisedAnswer,
    AuthoriseRequest,
    SignRequest,
    read_request,
    read_signed,
    write_signed,
)

CARDS = st.builds(
    SigningRequest,
    reference=st.binary(min_size=16, max_size=16),
    file_hashes=st.dictionaries(
        st.integers(1, 16), st.binary(max_size=64), min_size=1, max_size=16
    ),
    status_reference=st.builds(
        StatusReference,
        list_id=st.binary(min_size=8, max_size=8),
        index=st.integers(0, 2**32 - 1),
    ),
    signing_time=st.integers(946_684_800, 4_102_444_800).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC)
    ),
    re_signing_of=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
SIGN_REQUESTS = st.builds(
    SignRequest,
    batch=st.binary(min_size=16, max_size=16),
    cards=st.lists(CARDS, min_size=1, max_size=4),
)
CARD = ["00" * 16, [[1, "00" * 32], [2, "11" * 32]], "22" * 8, 7, 1_795_000_000, None]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def sign_frame(**changes: Any) -> bytes:
    content = {"version": 1, "operation": "sign", "batch": "00" * 16, "cards": [CARD]}
    return json.dumps(content | changes).encode()


def with_card(position: int, value: Any) -> bytes:
    card = list(CARD)
    card[position] = value
    return sign_frame(cards=[card])


@given(SIGN_REQUESTS)
def test_a_sign_request_is_read_as_it_was_written(request: SignRequest) -> None:
    assert read_request(request.to_bytes()) == request


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_an_authorise_request_is_read_as_it_was_written(text: str) -> None:
    request = AuthoriseRequest(authorisation=text.encode())
    assert read_request(request.to_bytes()) == request


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_an_error(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(content)


@given(SIGN_REQUESTS, st.data())
def test_an_altered_request_is_read_or_refused(request: SignRequest, data: st.DataObject) -> None:
    content = bytearray(request.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_request(bytes(content))
    except ProtocolError:
        return
    assert read_request(found.to_bytes()) == found


def test_the_sample_is_read() -> None:
    request = read_request(sign_frame())
    assert isinstance(request, SignRequest)
    assert request.cards[0].file_hashes == {1: bytes(32), 2: b"\x11" * 32}


@pytest.mark.parametrize(
    "content",
    [
        sign_frame(cards=[]),
        sign_frame(cards=[CARD] * (MAX_CARDS_IN_REQUEST + 1)),
        sign_frame(cards={}),
        sign_frame(batch="00" * 15),
        sign_frame(batch="0A" * 16),
        sign_frame(batch="0 " * 16),
        sign_frame(more=1),
        with_card(0, "00" * 17),
        with_card(0, 5),
        with_card(1, []),
        with_card(1, [[1, "00"]] * 2),
        with_card(1, [[n, "00"] for n in range(17)]),
        with_card(1, [[0, "00"]]),
        with_card(1, [[17, "00"]]),
        with_card(1, [[1.0, "00"]]),
        with_card(1, [[True, "00"]]),
        with_card(1, [[1, "00", 2]]),
        with_card(1, [[1, "0"]]),
        with_card(2, "22" * 7),
        with_card(3, -1),
        with_card(3, 2**32),
        with_card(4, 10**12),
        with_card(4, "2026"),
        with_card(5, 5),
        with_card(5, "x" * 1001),
        sign_frame(cards=[[*CARD, 1]]),
        sign_frame(cards=[5]),
        b"[]",
        b'{"version":1,"version":1}',
        sign_frame().replace(b"7,", b"NaN,"),
        b"[" * 100_000,
        b'{"version":1,"operation":"authorise","authorisation":5}',
        b'{"version":1,"operation":"authorise","authorisation":"' + b"x" * 32769 + b'"}',
        '{"version":1,"operation":"authorise","authorisation":"é"}'.encode(),
        sign_frame().decode().encode("utf-16"),
    ],
)
def test_what_is_not_exactly_a_request_is_refused(content: bytes) -> None:
    assert code_of(lambda: read_request(content)) == "protocol.malformed"


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None])
def test_another_version_is_refused(version: Any) -> None:
    assert code_of(lambda: read_request(sign_frame(version=version))) == "protocol.version"


@pytest.mark.parametrize("operation", ["sign-digest", "derive", "", None, ["sign"]])
def test_there_is_no_operation_for_digests_or_anything_else(operation: Any) -> None:
    content = sign_frame(operation=operation)
    assert code_of(lambda: read_request(content)) == "protocol.unknown-operation"


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_security_objects_come_back_as_they_were(signed: list[bytes]) -> None:
    assert read_signed(write_signed(signed), expected=len(signed)) == signed
    assert (
        code_of(lambda: read_signed(write_signed(signed), expected=len(signed) + 1))
        == "protocol.malformed"
    )


@given(st.binary(max_size=200))
def test_any_bytes_from_a_signer_are_an_error(content: bytes) -> None:
    for read in (
        lambda: read_signed(content, expected=1),
        lambda: AuthorisedAnswer.from_bytes(content),
    ):
        with pytest.raises(ProtocolError):
            read()


def test_the_answer_to_an_authorisation_comes_back_as_it_was() -> None:
    answer = AuthorisedAnswer(
        batch=bytes(16), signer_id="ds-1", cards=5, signed=2,
        hash_algorithm=HashAlgorithm.SHA384, certificate=b"certificate",
    )  # fmt: skip
    assert AuthorisedAnswer.from_bytes(answer.to_bytes()) == answer
    wrong = answer.to_bytes().replace(b"SHA384", b"SHA1")
    assert code_of(lambda: AuthorisedAnswer.from_bytes(wrong)) == "protocol.malformed"


@pytest.mark.parametrize("kind", [PkiRefusedError, PkiDataError, KeystoreError, RecordError])
@pytest.mark.parametrize("hint", [None, "try this"])
def test_an_error_comes_back_as_its_own_kind(kind: type[PkiError], hint: str | None) -> None:
    content = write_error(kind("what was wrong", code="a.code", hint=hint))
    with pytest.raises(kind) as caught:
        read_signed(content, expected=1)
    assert (caught.value.code, str(caught.value), caught.value.hint) == (
        "a.code", "what was wrong", hint,
    )  # fmt: skip


@pytest.mark.parametrize(
    "error", [5, [], ["refused", "c", "m"], ["other", "c", "m", None], ["refused", "c", 5, None],
              ["refused", "c", "m" * 1001, None]],
)  # fmt: skip
def test_an_error_that_cannot_be_read_is_an_error_of_the_protocol(error: Any) -> None:
    content = json.dumps({"version": 1, "error": error}).encode()
    assert code_of(lambda: read_signed(content, expected=1)) == "protocol.malformed"


def test_a_frame_has_a_length_within_bounds() -> None:
    assert frame(b"abc") == b"\x00\x00\x00\x03abc"
    assert frame_length(b"\x00\x00\x00\x03", maximum=3) == 3
    for head in (b"\x00\x00\x00\x00", b"\x00\x00\x00\x04", b"GET "):
        assert code_of(lambda head=head: frame_length(head, maximum=3)) == "protocol.frame-length"
