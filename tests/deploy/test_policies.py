"""What each role may do, and what nobody may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.account import TEMPLATE
from tests.emulators.bucket_policies import as_list
from tests.emulators.cloudformation import load_template

Statement = dict[str, Any]

# AWS knows no resource for these ("Service Authorization Reference").
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition", "ses:GetAccount"}
RESOURCES = load_template(TEMPLATE)["Resources"]
ROLES = {name for name, made in RESOURCES.items() if made["Type"] == "AWS::IAM::Role"}
TASK_ROLES = ROLES - {"DatabaseMonitoringRole"}


def statements(role: str) -> Iterator[Statement]:
    for policy in RESOURCES[role]["Properties"].get("Policies", []):
        yield from policy["PolicyDocument"]["Statement"]


def actions(role: str) -> set[str]:
    return {action for statement in statements(role) for action in as_list(statement["Action"])}


def test_no_role_has_a_permission_by_pattern() -> None:
    assert {action for role in ROLES for action in actions(role) if "*" in action} == set()


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_permission_for_everything_is_one_without_resources(role: str) -> None:
    for statement in statements(role):
        if "*" in as_list(statement["Resource"]):
            assert set(as_list(statement["Action"])) <= WITHOUT_RESOURCE


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_statement_says_what_for(role: str) -> None:
    assert all(statement["Sid"] for statement in statements(role))


@pytest.mark.parametrize("role", sorted(TASK_ROLES))
def test_only_tasks_of_this_account_have_the_role(role: str) -> None:
    [trust] = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_who_reaches_documents_reaches_those_of_tenants_only() -> None:
    prefixes = {
        role: sorted(
            resource["Fn::Sub"].removeprefix("${DocumentBucket.Arn}")
            for statement in statements(role)
            if {"s3:GetObject", "s3:PutObject"} & set(as_list(statement["Action"]))
            for resource in as_list(statement["Resource"])
        )
        for role in sorted(ROLES)
    }
    assert {role: reached for role, reached in prefixes.items() if reached} == {
        "RunRole": ["/imports/*", "/intermediates/*", "/reports/*"],
        "DocumentsRole": ["/reports/*"],
    }


def test_nobody_removes_what_is_stored() -> None:
    removing = (
        "s3:Delete",
        "s3:PutLifecycle",
        "s3:PutBucket",
        "s3:BypassGovernance",
        "kms:Disable",
    )
    assert [a for role in ROLES for a in actions(role) if a.startswith(removing)] == []
    assert "s3:PutObject" not in actions("DocumentsRole")


def test_a_ledger_that_is_imported_is_only_read() -> None:
    [reading] = [s for s in statements("RunRole") if "imports" in json.dumps(s["Resource"])]
    assert reading["Action"] == "s3:GetObject"


def test_roles_are_only_given_to_runs() -> None:
    passing = {
        role: statement
        for role in ROLES
        for statement in statements(role)
        if "iam:PassRole" in as_list(statement["Action"])
    }
    assert passing.keys() == {"ControlRole"}
    assert passing["ControlRole"]["Resource"] == [
        {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
        {"Fn::GetAtt": ["RunRole", "Arn"]},
    ]
    assert passing["ControlRole"]["Condition"]["StringEquals"]["iam:PassedToService"]


@pytest.mark.parametrize("role", ["CodeRole", "ControlRole", "DocumentsRole"])
def test_only_runs_send_mails(role: str) -> None:
    assert not {action for action in actions(role) if action.startswith("ses:")}


def test_mails_are_sent_as_one_address() -> None:
    [sending] = [s for s in statements("RunRole") if "ses:SendEmail" in as_list(s["Action"])]
    assert sending["Condition"] == {
        "StringEquals": {"ses:FromAddress": {"Fn::Sub": "reports@${MailDomain}"}}
    }


def test_the_password_of_the_administrator_is_handed_to_the_preparation_only() -> None:
    knowing = {name for name, made in RESOURCES.items() if "MasterUserSecret.S" in json.dumps(made)}
    assert knowing == {"PreparationExecutionRole", "PreparationTask"}


def test_what_messages_are_encrypted_with_opens_nothing_else() -> None:
    """EventBridge may use that key for whoever asks it."""
    using = {
        name
        for name, made in RESOURCES.items()
        if "MessageKey" in json.dumps(made["Properties"]) and made["Type"] != "AWS::IAM::Role"
    }
    assert using == {
        "MessageKeyAlias", "NoticeTopic", "FeedbackTopic", "FeedbackQueue", "DeadLetterQueue",
    }  # fmt: skip
    policy = json.dumps(RESOURCES["Key"]["Properties"]["KeyPolicy"])
    assert "events.amazonaws.com" not in policy


def test_what_the_internet_talks_to_reaches_aws_and_nothing_else() -> None:
    group = {"Ref": "DocumentsGroup"}
    [way_out] = RESOURCES["DocumentsGroup"]["Properties"]["SecurityGroupEgress"]
    assert way_out["FromPort"] == way_out["ToPort"] == 443
    rules = [made["Properties"] for made in RESOURCES.values() if "SecurityGroup" in made["Type"]]
    assert not [rule for rule in rules if rule.get("SourceSecurityGroupId") == group]
    assert not [
        rule for rule in rules if "DestinationSecurityGroupId" in rule and rule["GroupId"] == group
    ]
    assert group not in [
        rule["SourceSecurityGroupId"]
        for rule in RESOURCES["DatabaseGroup"]["Properties"]["SecurityGroupIngress"]
    ]


def test_only_daemon_and_web_server_reach_the_code_server() -> None:
    callers = [
        made["Properties"]["SourceSecurityGroupId"]
        for made in RESOURCES.values()
        if made["Type"] == "AWS::EC2::SecurityGroupIngress"
        and made["Properties"]["GroupId"] == {"Ref": "CodeGroup"}
    ]
    assert callers == [{"Ref": "ControlGroup"}]


def test_everybody_is_only_ever_denied() -> None:
    """Of policies on buckets, queues, topics and keys."""
    for name, made in RESOURCES.items():
        for key in ("PolicyDocument", "KeyPolicy"):
            for statement in made.get("Properties", {}).get(key, {}).get("Statement", []):
                if statement["Effect"] == "Allow":
                    assert statement["Principal"] != "*", name
                    assert "*" not in as_list(statement["Action"]), name


def test_services_of_other_accounts_are_refused() -> None:
    """Amazon's services act for whoever asks them; all say for whom, but EventBridge to topics and
    keys."""
    for name, made in RESOURCES.items():
        for key in ("PolicyDocument", "KeyPolicy"):
            for statement in made.get("Properties", {}).get(key, {}).get("Statement", []):
                if statement["Sid"] == "EventBridgeWhichDoesNotSayForWhom":
                    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
                    assert "Condition" not in statement, name
                elif statement["Effect"] == "Allow" and "Service" in statement["Principal"]:
                    assert "Condition" in statement, f"{name}: {statement['Sid']}"
