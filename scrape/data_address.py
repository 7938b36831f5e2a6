"""A picture that stands in its page as text: the data: address (RFC 2397) and its bytes."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from dataset.errors import PictureError

LONGEST = 400_000  # characters
_HEAD = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)


def is_data_address(written: str) -> bool:
    return written[:5].lower() == "data:"


def data_bytes(address: str, longest: int = LONGEST) -> bytes:
    """The bytes of a data: address; raises PictureError (too-many-bytes, broken)."""
    if len(address) > longest:
        raise PictureError("too-many-bytes", f"a picture in a page of over {longest} characters")
    head = _HEAD.match(address)
    if head is None:
        raise PictureError("broken", "the picture inside the page is no data: address")
    body = unquote_to_bytes(address[head.end() :])
    if not head[3]:
        return body
    try:
        return base64.b64decode(re.sub(rb"\s", b"", body) + b"==", validate=False)
    except (binascii.Error, ValueError) as error:
        raise PictureError("broken", f"the picture inside the page is damaged: {error}") from None
