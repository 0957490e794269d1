import pytest

from issuer.errors import IssuerDataError
from issuer.services.receive_stock import MAX_DELIVERY_BYTES, read_delivery

FIRST = "00000000000000000001"
SECOND = "0000000000000000000A"


def test_serials_are_read_whatever_stands_beside_them() -> None:
    content = f"\ufeffbox,serial\r\n7,{FIRST}\r\n7, {SECOND.lower()} \r\n".encode()
    assert read_delivery(content) == (bytes.fromhex(FIRST), bytes.fromhex(SECOND))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "delivery.malformed"),
        (b"number\n1\n", "delivery.malformed"),
        (b"serial\n", "delivery.malformed"),
        (b"serial\n\xff\xfe\n", "delivery.malformed"),
        (b'serial\n"broken\n', "delivery.malformed"),
        (b"serial\n1\n", "chip.serial-malformed"),
        (b"box,serial\n7\n", "chip.serial-malformed"),
        (f"serial\n{FIRST}\n{FIRST}\n".encode(), "delivery.repeated"),
        (b"serial\n" + b"0" * MAX_DELIVERY_BYTES, "delivery.malformed"),
    ],
)
def test_a_wrong_list_is_refused_as_a_whole(content: bytes, code: str) -> None:
    with pytest.raises(IssuerDataError) as caught:
        read_delivery(content)
    assert caught.value.code == code
