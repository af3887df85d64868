"""ZIP archives put together from files that are compressed already.

`zipfile` compresses what it is given each time it is given it, and stamps it with a date. A
workbook consists mostly of files that are the same for every tenant; here these are compressed
once, and an archive is the same bytes whenever it is made.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

# PKWARE's APPNOTE, 4.3.7, 4.3.12 and 4.3.16.
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MADE_ON_UNIX = 3 << 8
_READABLE = 0o600 << 16
_TIME, _DATE = 0, 0x21  # 1980-01-01, the first a ZIP archive can hold
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file as it stands in an archive."""

    name: bytes
    method: int
    crc: int
    size: int  # bytes before compression
    content: bytes


def deflated(name: str, content: bytes, level: int) -> ArchivedFile:
    """A compressed file; `level` is zlib's, from 1 (fast) to 9 (small)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    compressed = compressor.compress(content) + compressor.flush()
    return ArchivedFile(name.encode(), _DEFLATED, zlib.crc32(content), len(content), compressed)


def stored(name: str, content: bytes) -> ArchivedFile:
    """A file kept as it is, because its format is compressed itself."""
    return ArchivedFile(name.encode(), _STORED, zlib.crc32(content), len(content), content)


def archive(files: Iterable[ArchivedFile]) -> bytes:
    """The files as a ZIP archive, in their order; names are ASCII."""
    pieces: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for file in files:
        facts = (file.method, _TIME, _DATE, file.crc, len(file.content), file.size, len(file.name))
        header = _LOCAL_HEADER.pack(b"PK\3\4", _VERSION, 0, *facts, 0) + file.name
        pieces += (header, file.content)
        directory.append(
            _CENTRAL_HEADER.pack(
                b"PK\1\2", _MADE_ON_UNIX | _VERSION, _VERSION, 0, *facts, 0, 0, 0, 0, _READABLE,
                offset,
            ) + file.name
        )  # fmt: skip
        offset += len(header) + len(file.content)
    index = b"".join(directory)
    count = len(directory)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(index), offset, 0)
    return b"".join([*pieces, index, end])
