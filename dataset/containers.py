"""What a picture file says of itself without its pixels: how many frames, where it should end."""

import struct

# Frames are looked for in so many blocks; a file of more, smaller ones is not walked to its end.
_MOST_BLOCKS = 1_000_000


def gif_frames(content: bytes, most: int) -> int:
    """Frames of a GIF, counted up to `most` + 1."""
    return _walk_gif(content, most)[0]


def tiff_frames(content: bytes, most: int) -> int:
    """Directories (IFDs) of a TIFF or BigTIFF, counted up to `most` + 1; a loop is counted once."""
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    # BigTIFF: 8 bytes for offsets and counts, 20 for an entry; TIFF: 4, 2 and 12.
    number, counter, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    try:
        (offset,) = struct.unpack_from(order + number, content, 8 if big else 4)
        while offset and offset not in seen and len(seen) <= most:
            (count,) = struct.unpack_from(order + counter, content, offset)
            seen.add(offset)
            following = offset + struct.calcsize(order + counter) + count * entry
            (offset,) = struct.unpack_from(order + number, content, following)
    except struct.error:
        pass  # the chain leads out of the file: whoever reads the pixels will say so
    return len(seen)


def webp_size(content: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP claims (RFC 9649); None for other bytes and broken headers."""
    kind = content[12:16]
    if not content.startswith(b"RIFF") or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    if kind == b"VP8X":
        sides = int.from_bytes(content[24:27], "little"), int.from_bytes(content[27:30], "little")
        return sides[0] + 1, sides[1] + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def is_cut(content: bytes) -> bool:
    """Whether a file that could not be read ends before its container says it should."""
    if content.startswith(b"\xff\xd8\xff"):
        return not content.rstrip(b"\0\r\n ").endswith(b"\xff\xd9")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return len(content) > 33 and b"IEND" not in content[-64:]
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return bool(struct.unpack_from("<I", content, 4)[0] + 8 > len(content))
    if content.startswith(b"BM") and len(content) > 26:
        return bool(struct.unpack_from("<I", content, 2)[0] > len(content))
    if content.startswith((b"GIF87a", b"GIF89a")):
        return len(content) > 13 and not _walk_gif(content, 1)[1]
    if content[4:8] == b"ftyp":
        return _boxes_exceed(content)
    return False


def _walk_gif(content: bytes, most: int) -> tuple[int, bool]:
    """Images in a GIF (up to `most` + 1), and whether the walk ended before the bytes did."""
    frames, blocks, place = 0, 0, 13
    try:
        place += _table_bytes(content[10])
        while blocks < _MOST_BLOCKS and frames <= most:
            kind = content[place]
            if kind == 0x3B:  # trailer
                break
            if kind == 0x2C:  # image descriptor, its colour table, the LZW code size
                frames += 1
                place += 11 + _table_bytes(content[place + 9])
            elif kind == 0x21:  # extension
                place += 2
            else:
                break
            while size := content[place]:
                place += size + 1
                blocks += 1
            place += 1
            blocks += 1
    except IndexError:
        return frames, False
    return frames, True


def _table_bytes(packed: int) -> int:
    """Bytes of the colour table that a GIF's packed field announces."""
    return int(3 * 2 ** ((packed & 7) + 1)) if packed & 0x80 else 0


def _boxes_exceed(content: bytes) -> bool:
    """Whether a box of an ISO base media file (AVIF) ends beyond the bytes (ISO 14496-12)."""
    place = 0
    for _ in range(1000):
        if place >= len(content):
            return place > len(content)
        if place + 16 > len(content):
            return True
        size = struct.unpack_from(">I", content, place)[0]
        if size == 1:
            size = struct.unpack_from(">Q", content, place + 8)[0]
        if size == 0:  # to the end of the file
            return False
        if size < 8:
            return False
        place += size
    return False
