"""What can be asked for: whatever comes is a content of one encoding, or refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import PkiDataError
from pki.services.request_contents import CONTENT_RULES, RequestContent, RequestKind
from pki.signer_service.frames import ProtocolError
from pki.signer_service.protocol import (
    MAX_CV_REQUEST_BYTES,
    RenewRequest,
    read_renewed,
    read_request,
    write_renewed,
)

KINDS = st.sampled_from(list(RequestKind))
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=40)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[RequestKind, dict[str, Any]]:
    kind = draw(KINDS)
    values = dict(CONTENT_RULES[kind].example)
    name = draw(st.sampled_from(sorted(values)))
    values[name] = draw(VALUES)
    return kind, values


@given(nearly_right())
def test_what_is_accepted_has_one_encoding_and_the_rest_is_refused(
    case: tuple[RequestKind, dict[str, Any]],
) -> None:
    kind, values = case
    try:
        content = RequestContent.from_document(kind.value, values)
    except PkiDataError:
        return
    text = content.to_json()
    assert json.loads(text) == values
    assert RequestContent.from_json(kind.value, text) == content
    with pytest.raises(PkiDataError):
        RequestContent.from_json(kind.value, text + " ")


@given(VALUES, VALUES)
def test_whatever_comes_is_a_content_or_refused(kind: Any, values: Any) -> None:
    with pytest.raises(PkiDataError) as refusal:
        RequestContent.from_document(kind, values)
    assert refusal.value.code == "request.kind-unknown"


@given(KINDS, KINDS)
def test_the_digest_covers_kind_and_content(one: RequestKind, other: RequestKind) -> None:
    digests = {
        RequestContent.from_document(kind.value, dict(CONTENT_RULES[kind].example)).digest
        for kind in (one, other)
    }
    assert len(digests) == len({one, other})


def test_at_least_one_other_person_approves_everything() -> None:
    assert {rule.approvals for rule in CONTENT_RULES.values()} == {1, 2}
    assert set(CONTENT_RULES) == set(RequestKind)


@given(st.binary(min_size=1, max_size=300))
def test_a_renewal_goes_over_the_signers_socket_and_back(content: bytes) -> None:
    request = read_request(RenewRequest(request=content).to_bytes())
    assert request == RenewRequest(request=content)
    assert read_renewed(write_renewed(content)) == content


@pytest.mark.parametrize("content", [b"", bytes(MAX_CV_REQUEST_BYTES + 1)])
def test_a_renewal_out_of_bounds_is_no_frame_of_the_protocol(content: bytes) -> None:
    with pytest.raises(ProtocolError) as refusal:
        read_request(RenewRequest(request=content).to_bytes())
    assert refusal.value.code == "protocol.malformed"
