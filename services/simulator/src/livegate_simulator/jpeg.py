"""How large a JPEG is, from its header."""

_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # start of frame, of any coding


def is_jpeg(data: bytes) -> bool:
    """It begins as a JPEG does."""
    return data.startswith(b"\xff\xd8\xff")


def size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, or None if the header does not tell."""
    if not is_jpeg(data):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height = int.from_bytes(data[at + 5 : at + 7])
            return int.from_bytes(data[at + 7 : at + 9]), height
        at += 2 if marker in _ALONE else 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
