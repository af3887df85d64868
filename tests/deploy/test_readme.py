"""What README.md has people type is shell, and names what there is."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.deploy.account import DEPLOY, FOUNDATION, TEMPLATE
from tests.emulators.cloudformation import load_template

README = (DEPLOY / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    block
    for block in re.findall(r"^```\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    if re.search(r"\b(aws|docker|task) ", block)
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0][:40])
def test_it_can_be_typed(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_outputs_that_are_asked_for_are_there() -> None:
    outputs = {name for path in (FOUNDATION, TEMPLATE) for name in load_template(path)["Outputs"]}
    asked = re.findall(r"\boutput reports-\$ENVIRONMENT(?:-foundation)? (\w+)", README)
    tasks = re.findall(r"^\s*task (\w+TaskDefinition) ", README, re.MULTILINE)
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
    named = set(re.findall(r"\b(Image|ServiceCount|MakeNetwork|Environment)=", README))
    parameters = {
        name for path in (FOUNDATION, TEMPLATE) for name in load_template(path)["Parameters"]
    }
    assert named <= parameters
