"""A picture inside a page: its bytes, or the reason why there are none."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import PictureError
from scrape.data_address import data_bytes, is_data_address


@pytest.mark.parametrize(
    ("address", "content"),
    [
        ("data:image/png;base64,aGVsbG8=", b"hello"),
        ("data:image/png;base64,aGVsbG8", b"hello"),
        ("DATA:image/png;charset=utf-8;BASE64,aGVs%62G8%3D", b"hello"),
        ("data:image/png;base64,aGVs\n bG8=", b"hello"),
        ("data:image/svg+xml,%3Csvg%20/%3E", b"<svg />"),
        ("data:,a,b", b"a,b"),
    ],
)
def test_bytes_are_read_in_every_way_to_write_them(address: str, content: bytes) -> None:
    assert is_data_address(address)
    assert data_bytes(address) == content


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("data:image/png;base64", "broken"),
        ("data:image/png;base64,a", "broken"),
        ("data:no/slash/es/,x", "broken"),
        ("data:," + "a" * 400_000, "too-many-bytes"),
    ],
)
def test_what_cannot_be_read_has_its_reason(address: str, reason: str) -> None:
    with pytest.raises(PictureError) as refusal:
        data_bytes(address)
    assert refusal.value.reason == reason


@given(st.binary(max_size=200))
def test_any_bytes_come_back_as_they_were(content: bytes) -> None:
    assert data_bytes(f"data:image/png;base64,{base64.b64encode(content).decode()}") == content
