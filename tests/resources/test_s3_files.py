"""What somebody put into a bucket is found where programs read files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resources.s3_files import S3FileError, copy_from_s3
from tests.emulators.aws import Aws

BUCKET = "imports"


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )
    for key in (
        "sakura/", "sakura/main.beancount", "sakura/2026/10.beancount", "sakura-2/main.beancount",
        "alone.csv", "bad/../../out.csv",
    ):  # fmt: skip
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    return s3


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("address", [f"s3://{BUCKET}/sakura", f"s3://{BUCKET}/sakura/"])
def test_a_folder_is_copied_with_those_in_it(s3: Any, tmp_path: Path, address: str) -> None:
    assert copy_from_s3(s3, address, tmp_path) == tmp_path
    assert names(tmp_path) == ["2026/10.beancount", "main.beancount"]
    assert (tmp_path / "2026/10.beancount").read_text() == "sakura/2026/10.beancount"


def test_a_file_is_copied_with_what_it_may_include(s3: Any, tmp_path: Path) -> None:
    named = copy_from_s3(s3, f"s3://{BUCKET}/sakura/main.beancount", tmp_path)
    assert named == tmp_path / "main.beancount"
    assert names(tmp_path) == ["2026/10.beancount", "main.beancount"]


def test_a_file_that_includes_nothing_is_copied_alone(s3: Any, tmp_path: Path) -> None:
    copy_from_s3(s3, f"s3://{BUCKET}/sakura/main.beancount", tmp_path, alone=True)
    assert names(tmp_path) == ["main.beancount"]


def test_a_file_in_no_folder_is_copied_alone(s3: Any, tmp_path: Path) -> None:
    assert copy_from_s3(s3, f"s3://{BUCKET}/alone.csv", tmp_path) == tmp_path / "alone.csv"
    assert names(tmp_path) == ["alone.csv"]


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (f"s3://{BUCKET}/take", "there is nothing at s3://imports/take"),
        (f"s3://{BUCKET}/", "not the address of a file or folder"),
        ("s3://", "not the address of a file or folder"),
        ("s3://elsewhere/sakura", "there is no bucket elsewhere: s3://elsewhere/sakura"),
        (f"s3://{BUCKET}/bad", "leads out of its folder"),
    ],
)
def test_what_cannot_be_copied_is_named(s3: Any, tmp_path: Path, address: str, fault: str) -> None:
    with pytest.raises(S3FileError, match=fault):
        copy_from_s3(s3, address, tmp_path / "here")
    assert not (tmp_path / "out.csv").exists()
