# SPDX-License-Identifier: Apache-2.0
"""Size and completeness of a picture file from its bytes, before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple


class Header(NamedTuple):
    """What the first bytes of a picture tell."""

    width: int
    height: int
    whole: bool
    """False if the file ends before its picture does."""


def read_header(data: bytes) -> Header | None:
    """Return size and completeness of a PNG, JPEG, BMP, WebP or TIFF file; None for others."""
    for start, reader in READERS:
        if data.startswith(start):
            try:
                return reader(data)
            except (struct.error, IndexError):
                return None
    return None


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    return Header(width, height, b"IEND" in data[-1024:] or b"IEND" in data)


def _jpeg(data: bytes) -> Header | None:
    """Walk from segment to segment up to the scan; the frame header lies before it."""
    at = 2
    size: tuple[int, int] | None = None
    while True:
        while data[at] != 0xFF or data[at + 1] in (0x00, 0xFF):
            at += 1
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        if kind == 0xDA:
            return size and Header(*size, data.rfind(b"\xff\xd9") > at)
        at += 2 if 0xD0 <= kind <= 0xD9 else 2 + struct.unpack_from(">H", data, at + 2)[0]


def _bmp(data: bytes) -> Header:
    size, header = struct.unpack_from("<I", data, 2)[0], struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return Header(abs(width), abs(height), len(data) >= size)


def _webp(data: bytes) -> Header | None:
    whole = len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
    kind = data[8:16]
    if kind == b"WEBPVP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        data[29]  # both were there
    elif kind == b"WEBPVP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return Header(width, height, whole)


def _tiff(data: bytes) -> Header | None:
    """The first page's; one whose directory is not there has been cut off."""
    order = "<" if data[:2] == b"II" else ">"
    begin = struct.unpack_from(f"{order}I", data, 4)[0]
    if begin + 2 > len(data):
        return Header(0, 0, False)
    sides = {}
    for number in range(struct.unpack_from(f"{order}H", data, begin)[0]):
        at = begin + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag in (256, 257):
            sides[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]
    return Header(sides[256], sides[257], True) if len(sides) == 2 else None


READERS: tuple[tuple[bytes, Callable[[bytes], Header | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8\xff", _jpeg),
    (b"BM", _bmp),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
"""First bytes of each format that is read, and who knows the rest."""
