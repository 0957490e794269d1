"""Status lists over the signer's socket: the states come through as they are, and nothing else is read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiError
from pki.signed.card_states import CardState, CardStates
from pki.signer_service.frames import ProtocolError
from pki.signer_service.protocol import read_request
from pki.signer_service.status_protocol import (
    IssueStatusRequest,
    read_issued_status,
    write_issued_status,
)

STATES = st.integers(1, 40).flatmap(
    lambda positions: st.dictionaries(
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=positions, max_size=positions).map(
            lambda data: bytes(each % len(CardState) for each in data)
        ),
        min_size=1,
        max_size=4,
    ).map(lambda tables: CardStates(positions=positions, tables=tables))
)
SAMPLE = json.loads(
    IssueStatusRequest(
        states=CardStates(positions=4, tables={bytes(8): b"\x00\x01\x05\x00"}), days=3
    ).to_bytes()
)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


@given(states=STATES, days=st.integers(1, 90))
def test_a_request_is_read_as_it_was_written(states: CardStates, days: int) -> None:
    request = IssueStatusRequest(states=states, days=days)
    assert read_request(request.to_bytes()) == request


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": 0},
        {"positions": 1 << 21},
        {"positions": "4"},
        {"days": 0},
        {"days": 91},
        {"lists": ""},
        {"lists": "00" * 7},
        {"lists": "00" * 16},
        {"lists": "".join(f"{number:016x}" for number in range(33)), "positions": 1 << 20},
        {"lists": "".join(f"{number:016x}" for number in range(257))},
        {"states": ""},
        {"states": "!"},
        {"states": "ü"},
        {"states": 7},
        {"states": "AAAAAAAAAAAAAAAA"},
        {"more": 1},
    ],
)
def test_what_is_not_exactly_a_request_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        read_request(json.dumps(SAMPLE | changes).encode())


@given(st.binary(max_size=200))
def test_a_list_comes_back_as_it_was(der: bytes) -> None:
    assert read_issued_status(write_issued_status(der)) == der


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"list":7,"version":1}', b'{"list":"=","version":1}']
)
def test_an_answer_that_is_none_is_refused(content: bytes) -> None:
    assert code_of(lambda: read_issued_status(content)).startswith("protocol.")
