"""Files that somebody put into a bucket of Amazon S3, copied to where programs read files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from botocore.exceptions import ClientError

from resources.aws_clients import repeating_client
from resources.aws_errors import aws_errors, error_code

SCHEME = "s3://"


class S3FileError(ValueError):
    """An address names nothing that can be copied; the message says what of it is wrong."""


class S3FilesClient(Protocol):
    """The part of the `s3` client that copies need."""

    def get_object(self, **request: Any) -> Any: ...
    def get_paginator(self, operation: str, /) -> Any: ...


def s3_files_client() -> S3FilesClient:
    client: S3FilesClient = repeating_client("s3", read_timeout=60)
    return client


def copy_from_s3(client: S3FilesClient, address: str, folder: Path, *, alone: bool = False) -> Path:
    """Copy the folder `s3://bucket/folder`, or the file of this address, to a folder here; return
    the path of what was named. Unless `alone`, all that lies beside a file comes with it, since it
    may include that.

    Raises:
        S3FileError: there is nothing under the address, or it is none.
        AwsUnavailableError, AwsRefusedError: see `resources.aws_errors`.
    """
    bucket, _, key = address.removeprefix(SCHEME).partition("/")
    key = key.rstrip("/")
    if not address.startswith(SCHEME) or not bucket or not key:
        raise S3FileError(f"not the address of a file or folder, s3://bucket/key: {address!r}")
    with aws_errors(f"reading {address}"):
        try:
            found = list(_keys(client, bucket, key))
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                raise S3FileError(f"there is no bucket {bucket}: {address}") from None
            raise
        if key in found:
            named = PurePosixPath(key)
            parent = f"{named.parent}/" if "/" in key else ""
            # Beside a file in no folder lies all that the bucket has.
            beside = list(_keys(client, bucket, parent)) if parent and not alone else [key]
            _copy(client, bucket, beside, parent, folder)
            return folder / named.name
        below = [each for each in found if each.startswith(f"{key}/")]
        if not below:
            raise S3FileError(f"there is nothing at {address}")
        _copy(client, bucket, below, f"{key}/", folder)
        return folder


def _keys(client: S3FilesClient, bucket: str, prefix: str) -> Iterator[str]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            yield found["Key"]


def _copy(client: S3FilesClient, bucket: str, keys: list[str], prefix: str, folder: Path) -> None:
    for key in keys:
        name = PurePosixPath(key.removeprefix(prefix))
        if key.endswith("/"):
            continue  # how the console makes a folder
        if name.is_absolute() or ".." in name.parts:
            raise S3FileError(f"s3://{bucket}/{key}: leads out of its folder")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(client.get_object(Bucket=bucket, Key=key)["Body"], file)
