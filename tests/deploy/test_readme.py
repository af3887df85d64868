"""What README.md has people type is shell that does what it says, and names what there is.

All of it is run here, in its order, with an `aws` that writes down what it is asked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.deploy.account import DEPLOY, FOUNDATION, TEMPLATE, example_parameters
from tests.emulators.cloudformation import load_template
from tests.programs import require_program

README = (DEPLOY / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    block
    for _, text in re.findall(r"^( *)```\n(.*?)^\1```$", README, re.DOTALL | re.MULTILINE)
    if re.search(r"\b(aws|docker|task|deploy) ", block := textwrap.dedent(text))
]
FUNCTIONS = "\n".join(
    re.findall(r"^\w+\(\) \{(?: #[^\n]*)?\n.*?^\}$", "\n".join(BLOCKS), re.DOTALL | re.MULTILINE)
)

# Commands of the AWS CLI that are no operations of an API.
OF_THE_CLI = {
    ("cloudformation", "deploy"),
    ("ecr", "get-login-password"),
    ("s3", "cp"),
    ("s3", "rb"),
}
OPTIONS_OF_THE_CLI = {"output", "query"}

# Answers are files, by service and operation; without one it is a word.
AWS = """#!/usr/bin/env bash
{ printf '%s\\0' "$@"; printf '\\x1e'; } >> "$FAKES/calls"
if [ -e "$FAKES/$1 $2" ]; then cat "$FAKES/$1 $2"; else echo value; fi
"""
# A writer whose reader ends before it is ended, too.
OTHER = """#!/usr/bin/env bash
[[ "$*" != *--password-stdin* ]] || cat > /dev/null
echo value
"""
STOPPED = {"lastStatus": "STOPPED", "stoppedReason": "its reason"}
ANSWERS = {
    "ecs run-task": {"tasks": [{"taskArn": "arn:aws:ecs:::task/reports-prod/1"}]},
    "ecs describe-tasks": {**STOPPED, "containers": [{"exitCode": 0}]},
    "s3api list-object-versions": [{"Key": f"{n}", "VersionId": "1"} for n in range(600)],
}

SESSION = botocore.session.get_session()

Call = list[str]


class Shell:
    """bash in a folder of its own, which knows `deploy` and no program that reaches out."""

    def __init__(self, folder: Path) -> None:
        require_program("jq")
        self.folder = folder
        (folder / "deploy").symlink_to(DEPLOY.parent)
        (folder / "aoba").mkdir()
        self._program("aws", AWS)
        for name in ("docker", "git", "sleep"):
            self._program(name, OTHER)
        for asked, answer in ANSWERS.items():
            self.answer(asked, answer)
        parameters = (DEPLOY / "parameters.example.json").read_text(encoding="utf-8")
        (folder / "parameters.json").write_text(parameters, encoding="utf-8")

    def answer(self, asked: str, answer: object) -> None:
        (self.folder / asked).write_text(json.dumps(answer), encoding="utf-8")

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail"],
            input=text,
            cwd=self.folder,
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "FAKES": str(self.folder),
                "ENVIRONMENT": "prod",
                "USER": "sato",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[Call]:
        text = (self.folder / "calls").read_text(encoding="utf-8")
        return [call.removesuffix("\0").split("\0") for call in text.split("\x1e")[:-1]]

    def _program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What AWS is asked by all of it."""
    shell = Shell(tmp_path_factory.mktemp("typed"))
    done = shell.run("\n".join(BLOCKS))
    assert done.returncode == 0, done.stderr
    return shell.calls()


def test_everything_can_be_typed_and_is_known_to_aws(typed: list[Call]) -> None:
    assert len(typed) > 100
    assert [wrong for call in typed if (wrong := fault(call))] == []


def fault(call: Call) -> str | None:
    """What AWS would not understand of a call."""
    service, operation, *rest = call
    if (service, operation) in OF_THE_CLI:
        return None
    service = "s3" if service == "s3api" else service
    model = SESSION.get_service_model(service)
    if operation == "wait":
        waiters = SESSION.get_waiter_model(service)
        names = {xform_name(name, "-"): name for name in waiters.waiter_names}
        if rest[0] not in names:
            return f"no such waiter: {call}"
        name = waiters.get_waiter(names[rest[0]]).operation
    else:
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        if operation not in operations:
            return f"no such operation: {call}"
        name = operations[operation]
    shape: Any = model.operation_model(name).input_shape
    known = {xform_name(member, "-"): member for member in shape.members}
    given = {option.removeprefix("--") for option in rest if option.startswith("--")}
    given = {option if option in known else option.removeprefix("no-") for option in given}
    if unknown := given - known.keys() - OPTIONS_OF_THE_CLI:
        return f"no such options: {unknown}: {call}"
    members = {known[option] for option in given if option in known}
    missing = set(shape.required_members) - members
    return f"lacks {missing}: {call}" if missing else None


def test_a_deployment_is_given_the_whole_file_and_what_differs(shell: Shell) -> None:
    assert overridden(shell, "deploy ServiceCount=0 Protect=false") == {
        **example_parameters(),
        "ServiceCount": "0",
        "Protect": "false",
    }


def test_a_release_stays_in_the_file(shell: Shell) -> None:
    image = "registry/reports@sha256:" + "1" * 64
    expected = {**example_parameters(), "Image": image}
    assert overridden(shell, f"release {image}\ndeploy") == expected


def overridden(shell: Shell, commands: str) -> dict[str, str]:
    """The parameters of the deployment, as the AWS CLI reads them."""
    done = shell.run(f"{FUNCTIONS}\n{commands}")
    assert done.returncode == 0, done.stderr
    call = shell.calls()[-1]
    assert call[:2] == ["cloudformation", "deploy"]
    return dict(pair.split("=", 1) for pair in call[call.index("--parameter-overrides") + 1 :])


def test_a_task_is_given_its_command_word_by_word(shell: Shell) -> None:
    done = shell.run(f"{FUNCTIONS}\ntask RunTaskDefinition run sh -c 'a \"$@\"' b --c")
    assert done.returncode == 0, done.stderr
    [call] = [call for call in shell.calls() if call[:2] == ["ecs", "run-task"]]
    [override] = json.loads(call[call.index("--overrides") + 1])["containerOverrides"]
    assert override["command"] == ["sh", "-c", 'a "$@"', "b", "--c"]
    assert override["environment"] == [{"name": "LOGNAME", "value": "sato"}]


@pytest.mark.parametrize(
    ("asked", "answer", "code", "told"),
    [
        ("ecs describe-tasks", {**STOPPED, "containers": [{"exitCode": 3}]}, 3, ""),
        ("ecs describe-tasks", {**STOPPED, "containers": [{}]}, 1, "its reason"),
        ("ecs run-task", {"tasks": [], "failures": [{"reason": "RESOURCE"}]}, 1, "RESOURCE"),
    ],
)
def test_a_task_that_fails_says_why(
    shell: Shell, asked: str, answer: object, code: int, told: str
) -> None:
    shell.answer(asked, answer)
    done = shell.run(f"{FUNCTIONS}\ntask RunTaskDefinition run true")
    assert done.returncode == code
    assert told in done.stderr


def test_a_bucket_is_emptied_in_parts_that_a_command_can_name(shell: Shell) -> None:
    assert shell.run(f"{FUNCTIONS}\nempty bucket").returncode == 0
    removed = [
        json.loads(call[call.index("--delete") + 1])["Objects"]
        for call in shell.calls()
        if call[1] == "delete-objects"
    ]
    assert [len(objects) for objects in removed] == [250, 250, 100]


def test_what_a_teardown_leaves_is_taken_over(typed: list[Call]) -> None:
    kept = {
        name
        for name, made in load_template(TEMPLATE)["Resources"].items()
        if made.get("DeletionPolicy") == "RetainExceptOnCreate"
    }
    [call] = [call for call in typed if call[1] == "create-change-set"]
    template = json.loads(call[call.index("--template-body") + 1])["Resources"]
    imported = json.loads(call[call.index("--resources-to-import") + 1])
    assert {part["LogicalResourceId"] for part in imported} == template.keys() == kept
    for name, made in template.items():
        assert made["Type"] == load_template(TEMPLATE)["Resources"][name]["Type"]


def test_outputs_that_are_asked_for_are_there() -> None:
    outputs = {name for path in (FOUNDATION, TEMPLATE) for name in load_template(path)["Outputs"]}
    asked = re.findall(r"\boutput reports-\$ENVIRONMENT(?:-foundation)? (\w+)", README)
    tasks = re.findall(r"\btask (\w+TaskDefinition) ", README)
    assert asked
    assert tasks
    assert {*asked, *tasks} <= outputs


def test_every_alarm_is_in_the_table() -> None:
    alarms = {
        name
        for name, made in load_template(TEMPLATE)["Resources"].items()
        if made["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert {name for name in alarms if f"{name}" not in README} == set()


def test_parameters_that_are_changed_are_there() -> None:
    changed = r"\b(Image|ServiceCount|Protect|DatabaseSnapshot|DatabaseGigabytes|MakeNetwork)\b"
    named = set(re.findall(changed, README))
    parameters = {
        name for path in (FOUNDATION, TEMPLATE) for name in load_template(path)["Parameters"]
    }
    assert named <= parameters
