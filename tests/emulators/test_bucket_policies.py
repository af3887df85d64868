"""What a bucket policy denies is refused; one that is not understood is an error."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulators.aws import REGION, Aws, running_aws

DENIED: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:Put*",
    "Resource": "arn:aws:s3:::documents/kept/*",
}


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    with running_aws() as aws:
        aws.client("s3").create_bucket(
            Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield aws


@pytest.fixture
def s3(account: Aws) -> Any:
    return account.client("s3")


def deny(s3: Any, **changed: Any) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{**DENIED, **changed}]}
    s3.put_bucket_policy(Bucket="documents", Policy=json.dumps(policy))


def is_stored(s3: Any, key: str, **options: str) -> bool:
    try:
        s3.put_object(Bucket="documents", Key=key, Body=bytes(1_000_000), **options)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


def test_what_is_denied_is_refused_there_and_nowhere_else(s3: Any) -> None:
    deny(s3)
    assert not is_stored(s3, "kept/a.pdf")
    assert is_stored(s3, "other/a.pdf")


def test_a_later_policy_takes_its_place(s3: Any) -> None:
    deny(s3)
    deny(s3, Effect="Allow")
    assert is_stored(s3, "kept/replaced.pdf")


@pytest.mark.parametrize(
    ("condition", "stored", "stored_if_new"),
    [
        ({"Null": {"s3:if-none-match": "true"}}, False, True),
        ({"Null": {"s3:if-none-match": "false"}}, True, False),
        ({"Bool": {"s3:ObjectCreationOperation": "true"}}, False, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True, True),
    ],
)
def test_it_is_denied_on_a_condition(
    s3: Any, condition: dict[str, Any], stored: bool, stored_if_new: bool
) -> None:
    deny(s3, Condition=condition)
    assert is_stored(s3, f"kept/{uuid.uuid4()}") == stored
    assert is_stored(s3, f"kept/{uuid.uuid4()}", IfNoneMatch="*") == stored_if_new


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Condition": {"Bool": {"aws:ViaAWSService": "true"}}},
    ],
)
def test_what_is_not_understood_is_an_error(s3: Any, statement: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        deny(s3, **statement)
