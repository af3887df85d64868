"""A bucket keeps what is stored as it is, whatever the network does to requests and answers."""

from __future__ import annotations

import hashlib
import http.client
import threading
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from resources.aws_errors import AwsRefusedError, AwsUnavailableError
from resources.document_store import DocumentConflictError, DocumentNotFoundError
from resources.s3_document_store import S3DocumentStore, s3_client
from tests.emulators.aws import Aws
from tests.faulty_proxy import FaultyProxy, RequestFault, s3_error

BUCKET = "financeflow-documents"
KEY = "reports/t0001/2026-10/r1/income_statement.pdf"
MIB = 1024 * 1024
# The least that S3 takes of a part which is not the last.
PART_BYTES = 5 * MIB
LARGE = bytes(range(256)) * (11 * MIB // 256)
PUT = f"^PUT /{BUCKET}/"

pytestmark = pytest.mark.usefixtures("aws_credentials", "no_pauses")


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    """A client of somebody else, who looks into the bucket."""
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"}
    )
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return s3


@pytest.fixture(autouse=True)
def empty_bucket(s3: Any) -> None:
    for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])


@pytest.fixture
def store(proxy: FaultyProxy) -> S3DocumentStore:
    return new_store()


def new_store(**options: Any) -> S3DocumentStore:
    """Behind the proxy."""
    return S3DocumentStore(
        s3_client(),
        BUCKET,
        "https://documents.financeflow.example/",
        part_bytes=PART_BYTES,
        **options,
    )


def versions(s3: Any) -> list[str]:
    """The key of each version of each object."""
    found = s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
    return [version["Key"] for version in found]


def parts_are_left(s3: Any) -> bool:
    return bool(s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads"))


def test_what_was_put_is_got(store: S3DocumentStore, s3: Any) -> None:
    store.put(KEY, b"%PDF")
    assert store.get(KEY) == b"%PDF"
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["ContentType"] == "application/pdf"


def test_the_same_bytes_may_be_put_again(store: S3DocumentStore, s3: Any) -> None:
    store.put(KEY, b"%PDF")
    store.put(KEY, b"%PDF")
    assert versions(s3) == [KEY]


def test_other_bytes_are_refused_and_the_first_ones_stay(store: S3DocumentStore, s3: Any) -> None:
    store.put(KEY, b"%PDF")
    with pytest.raises(DocumentConflictError, match=KEY):
        store.put(KEY, b"%PDF corrected")
    assert store.get(KEY) == b"%PDF"
    assert versions(s3) == [KEY]


def test_nothing_is_found_where_nothing_was_put(store: S3DocumentStore) -> None:
    with pytest.raises(DocumentNotFoundError, match=KEY):
        store.get(KEY)
    with pytest.raises(DocumentNotFoundError, match=KEY):
        store.brief_link(KEY, file_name=None)


@pytest.mark.parametrize("key", ["../x", "/x", "a//b", "a/", "", "a b", "帳票.pdf"])
def test_a_key_that_is_no_plain_path_asks_s3_nothing(
    store: S3DocumentStore, proxy: FaultyProxy, key: str
) -> None:
    for call in (
        lambda: store.put(key, b"%PDF"),
        lambda: store.get(key),
        lambda: store.brief_link(key, file_name=None),
    ):
        with pytest.raises(ValueError, match="not a document key"):
            call()
    assert proxy.requests == []


def test_a_put_is_conditional_and_carries_its_checksum(
    store: S3DocumentStore, proxy: FaultyProxy
) -> None:
    store.put(KEY, b"%PDF")
    [request] = proxy.requests
    assert request.headers["If-None-Match"] == "*"
    checksum = b64encode(hashlib.sha256(b"%PDF").digest()).decode()
    assert request.headers["x-amz-checksum-sha256"] == checksum
    # the bucket says how it is encrypted
    assert not [name for name in request.headers if name.startswith("x-amz-server-side")]


@pytest.mark.parametrize("content", [b"%PDF", LARGE], ids=["at once", "in parts"])
def test_a_key_of_its_own_encrypts_what_is_stored(
    aws: Aws, proxy: FaultyProxy, s3: Any, content: bytes
) -> None:
    kms_key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    store = new_store(kms_key=kms_key)
    store.put(KEY, content)
    first = proxy.requests[0].headers
    assert first["x-amz-server-side-encryption"] == "aws:kms"
    assert first["x-amz-server-side-encryption-aws-kms-key-id"] == kms_key
    assert first["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["SSEKMSKeyId"] == kms_key
    assert store.get(KEY) == content


@pytest.mark.parametrize(
    "fault",
    [
        s3_error(500, "InternalError", to=PUT),
        s3_error(503, "SlowDown", to=PUT),
        s3_error(409, "ConditionalRequestConflict", to=PUT),
        RequestFault(to=PUT),
        # stored, and nobody was told
        RequestFault(to=PUT, forwarded=True),
        RequestFault(to=PUT, status=500, forwarded=True),
    ],
    ids=["500", "slow down", "409", "reset", "stored, then reset", "stored, then 500"],
)
def test_a_put_is_tried_again_and_stores_once(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any, fault: RequestFault
) -> None:
    proxy.faults.append(fault)
    store.put(KEY, b"%PDF")
    assert len(proxy.lines(PUT)) == 2
    assert versions(s3) == [KEY]
    assert store.get(KEY) == b"%PDF"


def test_a_read_is_tried_again(store: S3DocumentStore, proxy: FaultyProxy) -> None:
    store.put(KEY, b"%PDF")
    proxy.faults += [RequestFault(to="^GET"), s3_error(503, "SlowDown", to="^GET")]
    assert store.get(KEY) == b"%PDF"
    assert len(proxy.lines("^GET")) == 3


def test_two_writers_at_once_store_one_of_their_files(
    store: S3DocumentStore, proxy: FaultyProxy
) -> None:
    """S3 answers 409 to the one of them that it lets neither win nor lose."""
    proxy.faults.append(s3_error(409, "ConditionalRequestConflict", to=PUT))
    new_store().put(KEY, b"theirs")
    with pytest.raises(DocumentConflictError):
        store.put(KEY, b"ours")
    assert store.get(KEY) == b"theirs"


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (s3_error(503, "SlowDown"), 5),
        # boto3 would show the same credentials again
        (s3_error(400, "ExpiredToken"), 1),
        (s3_error(409, "OperationAborted"), 4),
    ],
    ids=["slow down", "expired credentials", "another writer"],
)
def test_what_does_not_pass_at_once_may_pass_later(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any, fault: RequestFault, requests: int
) -> None:
    proxy.faults += [fault] * requests
    with pytest.raises(AwsUnavailableError, match=f"storing s3://{BUCKET}/{KEY}"):
        store.put(KEY, b"%PDF")
    assert len(proxy.requests) == requests
    assert versions(s3) == []
    store.put(KEY, b"%PDF")
    assert store.get(KEY) == b"%PDF"


def test_a_refusal_names_what_was_refused_and_is_not_tried_again(
    store: S3DocumentStore, proxy: FaultyProxy
) -> None:
    proxy.faults.append(s3_error(403, "AccessDenied"))
    with pytest.raises(AwsRefusedError, match=f"storing s3://{BUCKET}/{KEY}: .*the role of"):
        store.put(KEY, b"%PDF")
    assert len(proxy.requests) == 1


def test_a_bucket_that_is_not_there_is_named_with_its_setting(proxy: FaultyProxy) -> None:
    store = S3DocumentStore(s3_client(), "elsewhere", "https://x.example")
    with pytest.raises(AwsRefusedError, match=r"s3://elsewhere/.*REPORTS_DOCUMENTS_BUCKET"):
        store.put(KEY, b"%PDF")
    with pytest.raises(AwsRefusedError, match=r"s3://elsewhere/.*REPORTS_DOCUMENTS_BUCKET"):
        store.get(KEY)


def test_a_large_file_goes_in_parts_and_is_as_final(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any
) -> None:
    store.put(KEY, LARGE)
    assert len(proxy.lines("^PUT .*partNumber=")) == 3
    [completed] = [r for r in proxy.requests if "POST" in r.line and "uploadId=" in r.line]
    assert completed.headers["If-None-Match"] == "*"
    assert store.get(KEY) == LARGE
    store.put(KEY, LARGE)
    for other in (b"%PDF", LARGE[:-1]):
        with pytest.raises(DocumentConflictError):
            store.put(KEY, other)
    assert store.get(KEY) == LARGE
    assert versions(s3) == [KEY]
    assert not parts_are_left(s3)


@pytest.mark.parametrize("fault", [RequestFault(to="POST .*uploadId=", forwarded=True)])
def test_a_completion_whose_answer_is_lost_is_no_conflict(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any, fault: RequestFault
) -> None:
    proxy.faults.append(fault)
    store.put(KEY, LARGE)
    assert store.get(KEY) == LARGE
    assert not parts_are_left(s3)


def test_parts_of_a_completion_that_s3_knows_no_more_are_compared(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any
) -> None:
    """As it answers some time after it has completed the upload."""
    complete = "POST .*uploadId="
    proxy.faults += [
        RequestFault(to=complete, status=500, forwarded=True),
        s3_error(404, "NoSuchUpload", to=complete),
    ]
    store.put(KEY, LARGE)
    assert store.get(KEY) == LARGE


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (s3_error(403, "AccessDenied", to="partNumber=2"), AwsRefusedError),
        (s3_error(400, "ExpiredToken", to="partNumber=2"), AwsUnavailableError),
        (s3_error(403, "AccessDenied", to="POST .*uploadId="), AwsRefusedError),
    ],
)
def test_no_parts_are_left_of_a_file_that_could_not_be_stored(
    store: S3DocumentStore, proxy: FaultyProxy, s3: Any, fault: RequestFault, error: type[Exception]
) -> None:
    proxy.faults.append(fault)
    with pytest.raises(error):
        store.put(KEY, LARGE)
    assert not parts_are_left(s3)
    assert versions(s3) == []
    store.put(KEY, LARGE)
    assert store.get(KEY) == LARGE


def test_parts_that_cannot_be_removed_do_not_hide_why(
    store: S3DocumentStore, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.faults += [
        s3_error(403, "AccessDenied", to="partNumber=2"),
        s3_error(403, "AccessDenied", to="^DELETE"),
    ]
    with pytest.raises(AwsRefusedError, match="UploadPart"):
        store.put(KEY, LARGE)
    assert "parts of" in caplog.text


def test_a_brief_link_hands_out_the_file_under_its_name(store: S3DocumentStore) -> None:
    store.put(KEY, b"%PDF")
    link = urlsplit(store.brief_link(KEY, file_name="損益計算書.pdf"))
    assert parse_qs(link.query)["X-Amz-Expires"] == ["60"]
    assert parse_qs(link.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    connection = http.client.HTTPConnection(link.netloc, timeout=10)
    connection.request("GET", f"{link.path}?{link.query}")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"%PDF")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="income_statement.pdf"; '
        "filename*=UTF-8''%E6%90%8D%E7%9B%8A%E8%A8%88%E7%AE%97%E6%9B%B8.pdf"
    )
    connection.close()


def test_a_brief_link_without_a_name_shows_the_file(store: S3DocumentStore) -> None:
    store.put(KEY, b"%PDF")
    link = urlsplit(store.brief_link(KEY, file_name=None))
    assert "response-content-disposition" not in parse_qs(link.query)


def test_operators_links_lead_to_their_server(store: S3DocumentStore) -> None:
    assert store.link(KEY) == f"https://documents.financeflow.example/{KEY}"


def test_threads_share_a_store(store: S3DocumentStore) -> None:
    def put(number: int) -> None:
        store.put(f"intermediates/{number}.arrow", b"%d" % number)

    threads = [threading.Thread(target=put, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.get(f"intermediates/{n}.arrow") for n in range(8)] == [
        b"%d" % n for n in range(8)
    ]
