"""The templates are valid, everything in them can be created, and the tasks get what they read."""

from __future__ import annotations

import datetime
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from reports_pipeline import environments
from reports_pipeline.environments import Settings
from resources.delivery_register import PostgresDeliveryRegister
from tests.deploy.account import (
    DEPLOY,
    FOUNDATION,
    TEMPLATE,
    example_parameters,
    task_definition,
    variables,
)
from tests.emulators.api_calls import ACCOUNT
from tests.emulators.aws import REGION, Aws
from tests.emulators.cloudformation import Stack, load_template
from tests.end_to_end.services import wait_until

CHECKOUT = DEPLOY.parents[1]


def test_cfn_lint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [program, "-r", "ap-northeast-1", "-t", FOUNDATION, TEMPLATE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_created(stack: Stack) -> None:
    assert stack.resources.keys() == {
        name
        for name, resource in load_template(TEMPLATE)["Resources"].items()
        if resource.get("Condition") != "ReadsOtherLedger"
    }


def test_the_example_names_what_has_no_default() -> None:
    example = example_parameters()
    parameters = load_template(TEMPLATE)["Parameters"]
    assert example.keys() <= parameters.keys()
    assert {name for name, told in parameters.items() if "Default" not in told} <= example.keys()


def test_the_interface_shows_every_parameter_once() -> None:
    template = load_template(TEMPLATE)
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])


@pytest.mark.parametrize("task", ["RunTask", "CodeTask", "DocumentsTask"])
def test_settings_are_complete(aws: Aws, stack: Stack, task: str) -> None:
    settings = Settings.from_environment(variables(aws.client, stack, task))
    assert settings.aws is not None
    assert settings.aws.documents_bucket == stack.ref("DocumentBucket")
    assert settings.mailer == "ses:reports-prod"


def test_mails_come_from_the_domain_that_is_verified(aws: Aws, stack: Stack) -> None:
    settings = Settings.from_environment(variables(aws.client, stack, "RunTask"))
    assert settings.mail_from == f"FinanceFlow <reports@{stack.ref('MailIdentity')}>"


def test_runs_and_schedules_see_the_same_settings(aws: Aws, stack: Stack) -> None:
    assert variables(aws.client, stack, "RunTask") == variables(aws.client, stack, "CodeTask")


@pytest.mark.parametrize("task", ["DaemonTask", "WebTask"])
def test_the_instance_finds_its_variables(aws: Aws, stack: Stack, task: str) -> None:
    given = variables(aws.client, stack, task)
    for file in (CHECKOUT / "dagster.yaml", DEPLOY / "workspace.yaml"):
        wanted = set(named_variables(yaml.safe_load(file.read_text(encoding="utf-8"))))
        assert wanted <= given.keys()


def named_variables(part: Any) -> Iterator[str]:
    if isinstance(part, dict) and part.keys() == {"env"}:
        yield part["env"]
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from named_variables(inner)


@pytest.mark.parametrize(
    "task", ["RunTask", "CodeTask", "DaemonTask", "WebTask", "DocumentsTask", "PreparationTask"]
)
def test_nothing_is_given_that_nobody_reads(aws: Aws, stack: Stack, task: str) -> None:
    known = (environments.__doc__ or "") + "".join(
        path.read_text(encoding="utf-8")
        for path in (CHECKOUT / "dagster.yaml", DEPLOY / "workspace.yaml")
    )
    ours = [name for name in variables(aws.client, stack, task) if name.startswith("REPORTS_")]
    assert [name for name in ours if name not in known] == []


def test_each_login_has_its_own_password(aws: Aws, stack: Stack) -> None:
    given = variables(aws.client, stack, "RunTask")
    urls = [given[f"REPORTS_{name}_URL"] for name in ("DATABASE", "LEDGER", "DAGSTER")]
    logins = [re.fullmatch(r".+//(\w+):(\w{48})@.+:5432/(\w+)", url) for url in urls]
    assert [found and (found[1], found[3]) for found in logins] == [
        ("reports", "reports"),
        ("ledger_reader", "reports"),
        ("dagster", "dagster"),
    ]
    assert len({found and found[2] for found in logins}) == 3


def test_what_the_internet_talks_to_has_no_way_into_a_database(aws: Aws, stack: Stack) -> None:
    secrets = task_definition(aws.client, stack, "DocumentsTask")["secrets"]
    assert [secret["name"] for secret in secrets] == ["REPORTS_LINK_SECRET"]


@pytest.mark.parametrize(
    "task", ["RunTask", "CodeTask", "DaemonTask", "WebTask", "DocumentsTask", "PreparationTask"]
)
def test_a_container_can_change_nothing_but_its_scratch(aws: Aws, stack: Stack, task: str) -> None:
    container = task_definition(aws.client, stack, task)
    assert container["readonlyRootFilesystem"] is True
    assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/var/lib/reports"]


def test_no_two_daemons() -> None:
    daemon = load_template(TEMPLATE)["Resources"]["DaemonService"]["Properties"]
    assert daemon["DeploymentConfiguration"]["MinimumHealthyPercent"] == 0
    assert daemon["DeploymentConfiguration"]["MaximumPercent"] == 100


def test_what_is_kept_does_not_keep_a_first_creation_from_being_repeated() -> None:
    kept = {
        made["DeletionPolicy"]
        for path in (FOUNDATION, TEMPLATE)
        for made in load_template(path)["Resources"].values()
        if "DeletionPolicy" in made
    }
    assert kept == {"RetainExceptOnCreate", "Snapshot", "Delete"}


def test_the_logs_of_databases_end_and_are_encrypted(aws: Aws, stack: Stack) -> None:
    """RDS makes groups that are not there, which keep everything."""
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        f"/aws/rds/instance/{stack.ref(instance)}/{log}": 400
        for instance in ("Database", "LedgerReplica")
        for log in ("postgresql", "upgrade")
    }
    assert all(group["kmsKeyId"] for group in groups)


def test_nobody_calls_a_run(aws: Aws, stack: Stack) -> None:
    [group] = aws.client("ec2").describe_security_groups(GroupIds=[stack.ref("RunGroup")])[
        "SecurityGroups"
    ]
    assert group["IpPermissions"] == []
    assert sorted(rule["FromPort"] for rule in group["IpPermissionsEgress"]) == [443, 5432]


def test_documents_keep_their_versions_and_are_never_public(aws: Aws, stack: Stack) -> None:
    s3, bucket = aws.client("s3"), stack.ref("DocumentBucket")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(blocked.values())
    [encryption] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


@pytest.mark.parametrize("key", ["reports/t0001/a.pdf", "intermediates/t0001/a.json"])
def test_documents_are_never_replaced_whoever_tries(aws: Aws, stack: Stack, key: str) -> None:
    s3, document = aws.client("s3"), {"Bucket": stack.ref("DocumentBucket"), "Key": key}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(**document, Body=b"anything")
    s3.put_object(**document, Body=b"first", IfNoneMatch="*")
    upload = {**document, "UploadId": s3.create_multipart_upload(**document)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"anything")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.get_object(**document)["Body"].read() == b"first"


def test_a_ledger_to_import_may_be_put_again(aws: Aws, stack: Stack) -> None:
    s3, ledger = aws.client("s3"), {"Bucket": stack.ref("DocumentBucket"), "Key": "imports/a.csv"}
    for content in (b"wrong", b"mended"):
        s3.put_object(**ledger, Body=content)
    assert s3.get_object(**ledger)["Body"].read() == b"mended"


def test_an_event_of_a_mail_reaches_the_queue_as_it_is(aws: Aws, stack: Stack) -> None:
    sqs, url = aws.client("sqs"), stack.ref("FeedbackQueue")
    aws.client("sns").publish(
        TopicArn=stack.ref("FeedbackTopic"), Message='{"eventType": "Bounce"}'
    )
    [message] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    assert message["Body"] == '{"eventType": "Bounce"}'


def test_events_of_mails_are_kept_and_can_be_replayed(aws: Aws, stack: Stack) -> None:
    url = stack.ref("FeedbackQueue")
    received(aws, url)
    aws.client("sesv2").send_email(
        FromEmailAddress=f"reports@{stack.ref('MailIdentity')}",
        Destination={"ToAddresses": ["success@simulator.amazonses.com"]},
        ConfigurationSetName=stack.ref("MailConfiguration"),
        EmailTags=[
            {"Name": "delivery_id", "Value": "1"},
            {"Name": "tenant_id", "Value": "t0001"},
        ],
        Content={"Raw": {"Data": b"Subject: test\r\n\r\ntext"}},
    )
    events = aws.client("events")
    archive = stack.ref("MailArchive")
    wait_until(
        lambda: events.describe_archive(ArchiveName=archive)["EventCount"] == 2, "its events", 10
    )
    [told] = received(aws, url)  # by the topic; the record alone reaches no queue
    assert json.loads(told)["eventType"] == "Delivery"
    now = datetime.datetime.now(datetime.UTC)
    events.start_replay(
        ReplayName="after-a-restore",
        EventSourceArn=stack.outputs["MailArchiveArn"],
        EventStartTime=now - datetime.timedelta(hours=1),
        EventEndTime=now,
        Destination={
            "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
            "FilterArns": [stack.outputs["ReplayRuleArn"]],
        },
    )
    replayed = [json.loads(text) for text in received(aws, url)]
    assert sorted(event["detail"]["eventType"] for event in replayed) == ["Delivery", "Send"]
    assert {event["replay-name"] for event in replayed} == {"after-a-restore"}


def received(aws: Aws, url: str) -> list[str]:
    """All messages of a queue, which is empty then."""
    sqs, texts = aws.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            texts.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return texts


def test_an_event_waits_for_the_lease_of_its_post_and_longer() -> None:
    """It is read in vain as long as a task that died in the post holds the mail."""
    parameters = inspect.signature(PostgresDeliveryRegister).parameters
    lease: datetime.timedelta = parameters["lease"].default
    queue = load_template(TEMPLATE)["Resources"]["FeedbackQueue"]["Properties"]
    apart = datetime.timedelta(seconds=queue["VisibilityTimeout"])
    assert queue["RedrivePolicy"]["maxReceiveCount"] * apart >= 2 * lease


def test_what_nobody_can_read_ends_among_the_dead_letters(aws: Aws, stack: Stack) -> None:
    sqs, url = aws.client("sqs"), stack.ref("FeedbackQueue")
    received(aws, url)
    aws.client("sns").publish(TopicArn=stack.ref("FeedbackTopic"), Message="not an event")
    queue = load_template(TEMPLATE)["Resources"]["FeedbackQueue"]["Properties"]
    for _ in range(queue["RedrivePolicy"]["maxReceiveCount"] + 1):
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    [dead] = sqs.receive_message(QueueUrl=stack.ref("DeadLetterQueue"))["Messages"]
    assert dead["Body"] == "not an event"


def test_every_alarm_says_what_is_wrong_and_reaches_operators(aws: Aws, stack: Stack) -> None:
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == 12
    for alarm in alarms:
        assert alarm["AlarmActions"] == [stack.ref("NoticeTopic")], alarm["AlarmName"]
        assert alarm["AlarmDescription"]
        assert alarm["TreatMissingData"]


def test_the_sweeps_that_are_counted_are_those_that_dagster_logs() -> None:
    pattern = load_template(TEMPLATE)["Resources"]["Sweeps"]["Properties"]["FilterPattern"]
    assert pattern == '"Schedule delivery_sweeper_schedule skipped"'
    found = find_spec("dagster._scheduler.scheduler")
    assert found is not None
    assert found.origin is not None
    logging = Path(found.origin).read_text(encoding="utf-8")
    assert 'f"Schedule {remote_schedule.name} skipped: ' in logging
