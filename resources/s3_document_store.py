"""Files in a bucket of Amazon S3, under the keys that they would have in a folder."""

from __future__ import annotations

import base64
import hashlib
import logging
import random
import time
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from reports_pipeline.delivery.enclosures import ShareDocument
from resources.aws_clients import repeating_client
from resources.aws_errors import aws_errors, error_code
from resources.document_store import (
    DocumentConflictError,
    DocumentNotFoundError,
    DocumentStore,
    content_disposition,
    media_type,
    require_key,
)

# S3 takes 5 GB in one request; a large file is cheaper to send again in parts.
_PART_BYTES = 64 * 1024 * 1024
_LINK_SECONDS = 60
_PAUSES_SECONDS = (0.2, 1.0, 5.0)
# Something is stored under the key: by somebody else, or by an earlier try of the same request
# whose answer was lost. The parts of such a try are gone.
_STORED = frozenset({"PreconditionFailed", "NoSuchUpload"})
_BEING_STORED = frozenset({"ConditionalRequestConflict", "OperationAborted"})
_MISSING = frozenset({"NoSuchKey", "404"})
_log = logging.getLogger(__name__)


class S3Client(Protocol):
    """The part of the `s3` client that documents need."""

    def put_object(self, **request: Any) -> Any: ...
    def get_object(self, **request: Any) -> Any: ...
    def head_object(self, **request: Any) -> Any: ...
    def create_multipart_upload(self, **request: Any) -> Any: ...
    def upload_part(self, **request: Any) -> Any: ...
    def complete_multipart_upload(self, **request: Any) -> Any: ...
    def abort_multipart_upload(self, **request: Any) -> Any: ...
    def generate_presigned_url(self, operation: str, /, **request: Any) -> str: ...


def s3_client() -> S3Client:
    """A client that tries again: what is stored is stored once, however often it is sent."""
    # links with another signature are of no use with files under a KMS key
    client: S3Client = repeating_client("s3", read_timeout=60, signature_version="s3v4")
    return client


class S3DocumentStore(DocumentStore):
    """Objects that are never replaced: S3 is asked to store one only if there is none.

    Encrypted with `kms_key` (id or ARN) if it is given, else as the bucket says. The role needs
    s3:ListBucket, too: without it S3 says AccessDenied of what is not there.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        link_base: str,
        share: ShareDocument | None = None,
        *,
        kms_key: str | None = None,
        part_bytes: int = _PART_BYTES,
    ) -> None:
        """Larger files than `part_bytes` are sent in parts of so many."""
        super().__init__(link_base, share)
        self._client = client
        self._bucket = bucket
        self._part_bytes = part_bytes
        self._encryption = (
            {}
            if kms_key is None
            # With a key of the bucket, KMS is asked now and then rather than for every file.
            else {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": kms_key,
                "BucketKeyEnabled": True,
            }
        )

    def put(self, key: str, content: bytes) -> None:
        """As for every store.

        Raises:
            AwsUnavailableError, AwsRefusedError: see `resources.aws_errors`.
        """
        require_key(key)
        with aws_errors(f"storing {self._address(key)}"):
            if self._write_new(key, content):
                return
        if self.get(key) != content:
            raise DocumentConflictError(f"{key} is stored with other content")

    def get(self, key: str) -> bytes:
        """As for every store; raises what `put` raises, too."""
        require_key(key)
        with aws_errors(f"reading {self._address(key)}"):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    raise DocumentNotFoundError(key) from None
                raise
            content: bytes = answer["Body"].read()
            return content

    def brief_link(self, key: str, *, file_name: str | None) -> str:
        """As for every store; it ends with the credentials that it is signed with, if these end
        sooner."""
        require_key(key)
        asked = {"Bucket": self._bucket, "Key": key}
        with aws_errors(f"linking to {self._address(key)}"):
            try:
                self._client.head_object(**asked)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    raise DocumentNotFoundError(key) from None
                raise
            if file_name is not None:
                asked["ResponseContentDisposition"] = content_disposition(file_name, key)
            return self._client.generate_presigned_url(
                "get_object", Params=asked, ExpiresIn=_LINK_SECONDS
            )

    def _write_new(self, key: str, content: bytes) -> bool:
        """Whether this call stored it; if not, something is stored under the key."""
        for pause_seconds in (*_PAUSES_SECONDS, None):
            try:
                if len(content) > self._part_bytes:
                    self._send_in_parts(key, content)
                else:
                    self._send(key, content)
            except ClientError as error:
                if error_code(error) in _STORED:
                    return False
                if error_code(error) not in _BEING_STORED or pause_seconds is None:
                    raise
                time.sleep(random.uniform(0.5, 1.5) * pause_seconds)  # noqa: S311 - spreads writers
            else:
                break
        return True

    def _send(self, key: str, content: bytes) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=content,
            ContentType=media_type(key),
            ChecksumSHA256=_checksum(content),
            IfNoneMatch="*",
            **self._encryption,
        )

    def _send_in_parts(self, key: str, content: bytes) -> None:
        upload: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        upload["UploadId"] = self._client.create_multipart_upload(
            **upload, ContentType=media_type(key), ChecksumAlgorithm="SHA256", **self._encryption
        )["UploadId"]
        try:
            parts = []
            for number, start in enumerate(range(0, len(content), self._part_bytes), start=1):
                part = content[start : start + self._part_bytes]
                checksum = _checksum(part)
                sent = self._client.upload_part(
                    **upload, PartNumber=number, Body=part, ChecksumSHA256=checksum
                )
                parts.append(
                    {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": checksum}
                )
            self._client.complete_multipart_upload(
                **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
            )
        except BaseException:
            self._abort(upload)
            raise

    def _abort(self, upload: dict[str, Any]) -> None:
        """Parts cost money until they are removed; what fails here a rule of the bucket removes."""
        try:
            self._client.abort_multipart_upload(**upload)
        except (ClientError, BotoCoreError) as error:
            _log.warning("parts of %s are left: %s", upload["Key"], error)

    def _address(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
