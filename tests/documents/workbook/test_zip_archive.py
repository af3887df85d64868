"""Archives that are put together from compressed files, read back by `zipfile`."""

from __future__ import annotations

import io
import zipfile

from reports_pipeline.documents.workbook.zip_archive import archive, deflated, stored


def test_files_are_read_back_in_their_order() -> None:
    text = "月次損益計算書".encode() * 100
    content = archive([deflated("b.xml", text, 6), stored("a/picture.png", b"\x89PNG")])

    with zipfile.ZipFile(io.BytesIO(content)) as read:
        assert read.namelist() == ["b.xml", "a/picture.png"]
        assert read.read("b.xml") == text
        assert read.read("a/picture.png") == b"\x89PNG"
        assert read.testzip() is None


def test_compressed_file_is_smaller_and_stored_one_is_as_it_was() -> None:
    content = archive([deflated("a", b"0" * 1000, 1), stored("b", b"0" * 1000)])

    with zipfile.ZipFile(io.BytesIO(content)) as read:
        assert read.getinfo("a").compress_size < 100
        assert read.getinfo("b").compress_size == 1000


def test_archive_has_no_date_of_today() -> None:
    file = deflated("a", b"content", 6)

    with zipfile.ZipFile(io.BytesIO(archive([file]))) as read:
        assert read.getinfo("a").date_time == (1980, 1, 1, 0, 0, 0)
    assert archive([file]) == archive([deflated("a", b"content", 6)])


def test_archive_of_nothing_is_an_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(archive([]))) as read:
        assert read.namelist() == []
