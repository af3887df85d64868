"""Pictures that somebody might upload as a logo."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

SVG_LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="50">'
    b'<rect width="150" height="50" fill="#7A1F3D"/></svg>'
)


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    written = io.BytesIO()
    image.save(written, file_format, **options)
    return written.getvalue()


def plain(
    width: int = 120, height: int = 30, colour: str | tuple[int, ...] = (122, 31, 61)
) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


PNG_LOGO = encoded(plain())


def png_of_rows(
    rows: bytes, width: int, height: int, *, bits: int = 8, colour_type: int = 2, extra: bytes = b""
) -> bytes:
    """A PNG written by hand: its rows, each with its filter byte, need not be as its head says."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            extra,
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum
