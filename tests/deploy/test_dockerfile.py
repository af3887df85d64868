"""What the image must be, read off its Dockerfile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.deploy.account import DEPLOY, TEMPLATE
from tests.deploy.dockerfile import context_files, environment, stages
from tests.emulators.cloudformation import load_template

DOCKERFILE = DEPLOY / "Dockerfile"
CONTEXT = DEPLOY.parents[1]
STAGES = stages(DOCKERFILE)
IMAGE = STAGES[-1]
COMMANDS = [command for stage in STAGES for command in stage.of("RUN")]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_base_has_no_default_that_could_move() -> None:
    assert {stage.base for stage in STAGES} == {"${PYTHON_IMAGE}"}
    assert "\nARG PYTHON_IMAGE\n" in DOCKERFILE.read_text(encoding="utf-8")


def test_it_runs_as_nobody_in_particular() -> None:
    assert IMAGE.of("USER") == ["10001:10001"]


def test_no_package_of_the_system_is_added() -> None:
    assert not [command for command in COMMANDS if "apt" in command]


def test_but_for_wheels_only_certificates_come_from_the_web() -> None:
    """Amazon adds to them, so no digest is known: TLS says whose they are."""
    addresses = re.findall(r"\w+://[^\s'\"]+", "\n".join(COMMANDS))
    assert addresses == ["https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"]
    assert not [stage for stage in STAGES if stage.of("ADD")]


def test_every_package_is_locked_and_none_is_compiled() -> None:
    [fetching] = [
        command
        for command in COMMANDS
        if "pip" in command and "--no-index" not in command and "uninstall" not in command
    ]
    for option in ("--require-hashes", "--no-deps", "--only-binary=:all:"):
        assert option in fetching


def test_the_image_cannot_install_anything() -> None:
    [command] = IMAGE.of("RUN")
    assert command.startswith("pip uninstall --yes --root-user-action=ignore pip")


def test_tasks_write_where_the_image_lets_them() -> None:
    assert IMAGE.of("VOLUME") == ['["/var/lib/reports"]']
    assert IMAGE.of("WORKDIR") == ["/var/lib/reports"]
    given = environment(IMAGE)
    assert {given["HOME"], given["TMPDIR"]} == {"/var/lib/reports"}


def test_what_services_load_is_in_it() -> None:
    folder = environment(IMAGE)["DAGSTER_HOME"]
    in_home = {
        f"{folder}/{Path(source).name}"
        for sources, target in IMAGE.copied
        for source in sources
        if target == f"{folder}/"
    }
    commands = [
        word
        for made in load_template(TEMPLATE)["Resources"].values()
        if made["Type"] == "AWS::ECS::TaskDefinition"
        for container in made["Properties"]["ContainerDefinitions"]
        for word in container["Command"]
    ]
    assert {word for word in commands if word.startswith(folder)} <= in_home
    assert f"{folder}/dagster.yaml" in in_home


def test_each_service_has_a_health_check_of_its_own() -> None:
    resources = load_template(TEMPLATE)["Resources"]
    services = [made for made in resources.values() if made["Type"] == "AWS::ECS::Service"]
    assert len(services) == 4
    for service in services:
        task = resources[service["Properties"]["TaskDefinition"]["Ref"]]
        [container] = task["Properties"]["ContainerDefinitions"]
        assert container["HealthCheck"]["Command"][0] == "CMD"


def test_the_context_has_what_is_copied_and_no_more() -> None:
    files = context_files(DOCKERFILE, CONTEXT)
    tops = {path.parts[0] for path in files}
    assert tops == {
        "README.md", "assets", "dagster.yaml", "deploy", "pyproject.toml", "reports_pipeline",
        "requirements", "resources", "setup.py",
    }  # fmt: skip
    assert not [path for path in files if "__pycache__" in path.parts]
    assert any(path.suffix == ".ttf" for path in files)
