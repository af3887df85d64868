"""A template is applied whole, or an error says which part is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulators.aws import Aws, running_aws
from tests.emulators.cloudformation import TemplateError, apply_template

QUEUES = """
Parameters:
  Environment: {Type: String, AllowedPattern: "^[a-z]+$"}
  Days: {Type: Number, Default: 4, MinValue: 1, MaxValue: 14}
  Spare: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Conditions:
  HasSpare: !Equals [!Ref Spare, "yes"]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${Environment}-queue"
      MessageRetentionPeriod: !If [HasSpare, 60, !Ref "AWS::NoValue"]
      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetters.Arn, maxReceiveCount: 2}
  DeadLetters:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Join ["-", [!Ref Environment, dead, !Ref Days]]}
  SpareQueue:
    Type: AWS::SQS::Queue
    Condition: HasSpare
    Properties: {QueueName: spare}
Outputs:
  Queue: {Value: !Ref Queue}
  Spare: {Condition: HasSpare, Value: !Ref SpareQueue}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running_aws() as aws:
        yield aws


def applied(aws: Aws, folder: Path, text: str, **parameters: str) -> dict[str, str]:
    """The outputs of a template."""
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return apply_template(path, parameters, aws.client).outputs


def test_what_a_resource_needs_is_created_before_it(aws: Aws, tmp_path: Path) -> None:
    url = applied(aws, tmp_path, QUEUES, Environment="test")["Queue"]
    found = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert (
        '"arn:aws:sqs:ap-northeast-1:123456789012:test-dead-4"'
        in (found["Attributes"]["RedrivePolicy"])
    )
    assert found["Attributes"]["MessageRetentionPeriod"] == "345600"  # SQS's own


def test_a_condition_decides_what_is_there(aws: Aws, tmp_path: Path) -> None:
    assert "Spare" not in applied(aws, tmp_path, QUEUES, Environment="without")
    outputs = applied(aws, tmp_path, QUEUES, Environment="with", Spare="yes")
    assert outputs["Spare"].endswith("/spare")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "Environment: has no default"),
        ({"Environment": "TEST"}, "Environment: 'TEST' does not match"),
        ({"Environment": "test", "Days": "15"}, "Days: 15 is too small or too large"),
        ({"Environment": "test", "Spare": "perhaps"}, "Spare: 'perhaps' is none of yes, no"),
        ({"Environment": "test", "Colour": "red"}, "no such parameters: Colour"),
    ],
)
def test_parameters_are_checked(
    aws: Aws, tmp_path: Path, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        applied(aws, tmp_path, QUEUES, **parameters)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ("A: {Type: AWS::EC2::Instance}", "A: AWS::EC2::Instance is not translated"),
        ("A: {Type: AWS::KMS::Alias, Properties: {AliasName: !Ref B}}", "B: neither parameter"),
        ("A: {Type: AWS::EC2::InternetGateway, DependsOn: A}", "a circle: A → A"),
        (
            "A: {Type: AWS::EC2::InternetGateway, Properties: {Colour: red}}",
            "A: not translated: Colour",
        ),
        ("A: {Type: AWS::S3::Bucket, Properties: {BucketName: a}}", "A: lacks 'OwnershipControls'"),
        ("A: {Type: AWS::KMS::Alias, Properties: {AliasName: !Base64 b}}", "Fn::Base64 is not"),
        ("A: &a {Type: AWS::EC2::InternetGateway}\n  B: *a", "an alias"),
    ],
)
def test_what_is_not_understood_is_an_error(
    aws: Aws, tmp_path: Path, resources: str, message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        applied(aws, tmp_path, f"Resources:\n  {resources}\n")
