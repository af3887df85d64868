"""Credentials end, and what a role needs is told as IAM would look for it."""

from __future__ import annotations

import contextlib
import datetime
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.emulators.api_calls import ACCOUNT, Permission
from tests.emulators.aws import REGION, Aws, running_aws
from tests.emulators.clusters import role_arn
from tests.emulators.roles import LIFETIME, RefusedError, Roles

HERE = f"{REGION}:{ACCOUNT}"
AS_REPORTS = (("ses:FromAddress", "reports@financeflow.example"),)
IN_CLUSTER = (("ecs:cluster", f"arn:aws:ecs:{HERE}:cluster/c"),)


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    with running_aws() as aws:
        yield aws


@pytest.fixture
def aws(account: Aws) -> Aws:
    """That of the module, where nobody was handed anything yet."""
    account.roles = Roles()
    return account


def client(
    aws: Aws, service: str, holder: str = "somebody", lifetime: datetime.timedelta = LIFETIME
) -> Any:
    given = aws.roles.issue(role_arn("Run"), holder, lifetime)
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=aws.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["Token"],
        # By default links to S3 have an older signature, which regions of today refuse.
        config=Config(
            retries={"total_max_attempts": 1},
            signature_version="s3v4" if service == "s3" else None,
        ),
    )


def open_link(s3: Any, document: dict[str, str]) -> None:
    link = s3.generate_presigned_url("get_object", Params=document)
    with contextlib.suppress(urllib.error.HTTPError):  # there is no such thing
        urllib.request.urlopen(link)  # noqa: S310 - our own address


@pytest.mark.parametrize(
    ("service", "call", "permissions"),
    [
        (
            "s3",
            lambda s3: s3.put_object(Bucket="documents", Key="reports/a.pdf", Body=b"%PDF"),
            [Permission("s3:PutObject", "arn:aws:s3:::documents/reports/a.pdf")],
        ),
        (
            "s3",
            lambda s3: s3.head_object(Bucket="documents", Key="reports/請求.pdf"),
            [Permission("s3:GetObject", "arn:aws:s3:::documents/reports/請求.pdf")],
        ),
        (
            "s3",
            lambda s3: open_link(s3, {"Bucket": "documents", "Key": "reports/a.pdf"}),
            [Permission("s3:GetObject", "arn:aws:s3:::documents/reports/a.pdf")],
        ),
        (
            "s3",
            lambda s3: s3.list_objects_v2(Bucket="documents", Prefix="reports/"),
            [Permission("s3:ListBucket", "arn:aws:s3:::documents")],
        ),
        (
            "s3",
            lambda s3: s3.abort_multipart_upload(Bucket="documents", Key="a", UploadId="1"),
            [Permission("s3:AbortMultipartUpload", "arn:aws:s3:::documents/a")],
        ),
        (
            "sns",
            lambda sns: sns.publish(TopicArn=f"arn:aws:sns:{HERE}:notices", Message="text"),
            [Permission("sns:Publish", f"arn:aws:sns:{HERE}:notices")],
        ),
        (
            "sqs",
            lambda sqs: sqs.delete_message_batch(
                QueueUrl=f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/feedback",
                Entries=[{"Id": "1", "ReceiptHandle": "1"}],
            ),
            [Permission("sqs:DeleteMessage", f"arn:aws:sqs:{HERE}:feedback")],
        ),
        ("sesv2", lambda ses: ses.get_account(), [Permission("ses:GetAccount", "*")]),
        (
            "sesv2",
            lambda ses: ses.send_email(
                FromEmailAddress="reports@financeflow.example",
                Destination={"ToAddresses": ["a@b.example"]},
                Content={"Raw": {"Data": b"Subject: x\n\nx"}},
                ConfigurationSetName="reports",
            ),
            [
                Permission("ses:SendRawEmail", f"arn:aws:ses:{HERE}:{resource}", AS_REPORTS)
                for resource in ("identity/financeflow.example", "configuration-set/reports")
            ],
        ),
        (
            "ecs",
            lambda ecs: ecs.describe_tasks(cluster="c", tasks=[f"arn:aws:ecs:{HERE}:task/c/1"]),
            [Permission("ecs:DescribeTasks", f"arn:aws:ecs:{HERE}:task/c/1", IN_CLUSTER)],
        ),
        (
            "ecs",
            lambda ecs: ecs.run_task(
                cluster=f"arn:aws:ecs:{HERE}:cluster/c",
                taskDefinition="run:1",
                tags=[{"key": "name", "value": "value"}],
            ),
            [
                Permission("ecs:RunTask", "run:1", IN_CLUSTER),
                Permission(
                    "ecs:TagResource",
                    f"arn:aws:ecs:{HERE}:task/c/*",
                    (("ecs:CreateAction", "RunTask"),),
                ),
            ],
        ),
        (
            "logs",
            lambda logs: logs.get_log_events(logGroupName="/runs", logStreamName="run/run/1"),
            [
                Permission(
                    "logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/runs:log-stream:run/run/1"
                )
            ],
        ),
    ],
    ids=lambda value: value[0].action if isinstance(value, list) else None,
)
def test_a_call_is_recorded_as_iam_names_it(
    aws: Aws, service: str, call: Callable[[Any], object], permissions: list[Permission]
) -> None:
    asked = client(aws, service)
    with contextlib.suppress(ClientError):  # there is no such thing
        call(asked)
    assert aws.roles.needed_by("Run") == set(permissions)


def test_a_call_that_nobody_can_judge_is_an_error(aws: Aws) -> None:
    with pytest.raises(ClientError, match="does not know the resource of ecs:ListTasks"):
        client(aws, "ecs").list_tasks()


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("s3", "list_buckets"),
        ("sqs", "list_queues"),
        ("sns", "list_topics"),
        ("sesv2", "get_account"),
    ],
)
def test_credentials_that_have_ended_are_refused_by_every_service(
    aws: Aws, service: str, operation: str
) -> None:
    asked = client(aws, service, "somebody")
    getattr(asked, operation)()
    aws.roles.end("somebody")
    with pytest.raises(ClientError, match="ExpiredToken"):
        getattr(asked, operation)()
    assert aws.roles.expired_calls("somebody") == 1
    with pytest.raises(RefusedError):
        aws.roles.issue(role_arn("Run"), "somebody")
    getattr(client(aws, service, "somebody else"), operation)()


def test_credentials_last_as_long_as_they_say(aws: Aws) -> None:
    ended = datetime.timedelta(hours=-1)
    with pytest.raises(ClientError, match="ExpiredToken"):
        client(aws, "sqs", lifetime=ended).list_queues()


def test_a_person_is_not_recorded(aws: Aws) -> None:
    aws.client("sqs").list_queues()
    assert not aws.roles.needed_by("testing")
