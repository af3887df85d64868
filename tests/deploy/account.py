"""An account of the emulator in which everything of deploy/aws was created."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.emulators.cloudformation import Stack, apply_template
from tests.emulators.cloudformation_types import Client

DEPLOY = Path(__file__).parents[2] / "deploy" / "aws"
FOUNDATION, TEMPLATE = DEPLOY / "foundation.yaml", DEPLOY / "template.yaml"
EXAMPLE = DEPLOY / "parameters.example.json"


def example_parameters() -> dict[str, str]:
    parameters: dict[str, str] = json.loads(EXAMPLE.read_text(encoding="utf-8"))["Parameters"]
    return parameters


def deploy(client: Client, **changed: str) -> Stack:
    """Apply the foundation, and with what it made the template, as README.md does it; no service
    runs unless ServiceCount says so."""
    foundation = apply_template(FOUNDATION, {"Environment": "prod"}, client, name="foundation")
    secret = client("secretsmanager").create_secret(
        Name="oidc", SecretString=json.dumps({"client_id": "reports", "client_secret": "secret"})
    )
    certificate = client("acm").request_certificate(DomainName="*.financeflow.example")
    parameters: Mapping[str, str] = {
        **example_parameters(),
        "NetworkId": foundation.outputs["NetworkId"],
        "PrivateSubnetIds": foundation.outputs["PrivateSubnetIds"],
        "PublicSubnetIds": foundation.outputs["PublicSubnetIds"],
        "OperatorCertificateArn": certificate["CertificateArn"],
        "LinkCertificateArn": certificate["CertificateArn"],
        "OidcSecretArn": secret["ARN"],
        "ServiceCount": "0",
        **changed,
    }
    return apply_template(TEMPLATE, parameters, client)


def task_definition(client: Client, stack: Stack, logical_id: str) -> dict[str, Any]:
    """Of its one container."""
    found = client("ecs").describe_task_definition(taskDefinition=stack.ref(logical_id))
    [container] = found["taskDefinition"]["containerDefinitions"]
    assert isinstance(container, dict)
    return container


def variables(client: Client, stack: Stack, logical_id: str) -> dict[str, str]:
    """What its container finds in its environment."""
    container = task_definition(client, stack, logical_id)
    manager = client("secretsmanager")
    given = {pair["name"]: pair["value"] for pair in container["environment"]}
    for secret in container["secrets"]:
        arn, _, key = secret["valueFrom"].partition("::")[0].rpartition(":")
        if len(secret["valueFrom"].split(":")) == 7:  # no key of a JSON text
            arn, key = secret["valueFrom"], ""
        text = manager.get_secret_value(SecretId=arn)["SecretString"]
        given[secret["name"]] = json.loads(text)[key] if key else text
    return given
