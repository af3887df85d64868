"""Applies a CloudFormation template with the ordinary APIs.

moto's own stacks leave out most properties. Here each resource is created by the calls that a
person would make, and a type or property that nobody translates is an error, so that a template
cannot say something that no test has seen. Which calls: `cloudformation_types.py`.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.emulators.api_calls import ACCOUNT
from tests.emulators.cloudformation_types import TYPES, Client, Created

_REFERENCE = re.compile(r"\$\{([^!}]+)\}")
_SECRET = re.compile(
    r"\{\{resolve:secretsmanager:(?P<secret>arn:(?:[^:]*:){5}[^:]*):SecretString:(?P<key>\w+)\}\}"
)
_NOTHING = object()  # AWS::NoValue


class TemplateError(ValueError):
    """The template, or a parameter for it, cannot be applied; the message names the part."""


@dataclass
class Stack:
    """What was created, by logical id, and what the template says of itself."""

    name: str
    parameters: Mapping[str, Any]
    resources: dict[str, Created] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def ref(self, logical_id: str) -> str:
        return self.resources[logical_id].ref


@functools.cache
def load_template(path: Path) -> dict[str, Any]:
    """With `!Ref x` as `{"Ref": "x"}`, and likewise the other short forms."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    return template


def apply_template(
    path: Path, parameters: Mapping[str, str], client: Client, *, name: str = "reports"
) -> Stack:
    """Create the resources of a template in an empty account, each after those that it needs.

    Raises:
        TemplateError: a parameter is missing, unknown or not allowed; a resource has a type or a
            property that is not translated; or something refers to what is not there.
    """
    template = load_template(path)
    stack = Stack(name, _checked(template.get("Parameters", {}), parameters))
    return _Application(template, stack, client).apply()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with the tags of CloudFormation, and without aliases, which it refuses."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise TemplateError(f"an alias, {self.peek_event().start_mark}")
        return super().compose_node(parent, index)


def _function(loader: Any, tag: str, node: Any) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def _checked(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    if unknown := given.keys() - declared.keys():
        raise TemplateError(f"no such parameters: {', '.join(sorted(unknown))}")
    values = {}
    for name, parameter in declared.items():
        value = str(given[name] if name in given else parameter.get("Default", _NOTHING))
        if name not in given and "Default" not in parameter:
            raise TemplateError(f"{name}: has no default, and was not given")
        allowed = [str(choice) for choice in parameter.get("AllowedValues", [value])]
        if value not in allowed:
            raise TemplateError(f"{name}: {value!r} is none of {', '.join(allowed)}")
        if re.fullmatch(parameter.get("AllowedPattern", ".*"), value) is None:
            raise TemplateError(f"{name}: {value!r} does not match {parameter['AllowedPattern']}")
        if parameter["Type"] == "Number" and not (
            parameter.get("MinValue", 0) <= float(value) <= parameter.get("MaxValue", float("inf"))
        ):
            raise TemplateError(f"{name}: {value} is too small or too large")
        values[name] = value.split(",") if parameter["Type"].startswith("List<") else value
    return values


class _Application:
    def __init__(self, template: Mapping[str, Any], stack: Stack, client: Client) -> None:
        self._resources: Mapping[str, Any] = template["Resources"]
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._outputs: Mapping[str, Any] = template.get("Outputs", {})
        self._stack = stack
        self._client = functools.cache(client)  # to make one takes longer than to use it
        self._under_way: list[str] = []

    def apply(self) -> Stack:
        for logical_id, resource in self._resources.items():
            if self._is_wanted(resource):
                self._created(logical_id)
        self._stack.outputs = {
            name: self._value(output["Value"])
            for name, output in self._outputs.items()
            if self._is_wanted(output)
        }
        return self._stack

    def _is_wanted(self, part: Mapping[str, Any]) -> bool:
        return "Condition" not in part or self._holds(part["Condition"])

    def _holds(self, name: str) -> bool:
        holds: bool = self._value(self._conditions[name])
        return holds

    def _created(self, logical_id: str) -> Created:
        """The resource, which is created if it is not yet, and what it needs before it."""
        if logical_id in self._stack.resources:
            return self._stack.resources[logical_id]
        if logical_id not in self._resources:
            raise TemplateError(f"{logical_id}: neither parameter nor resource")
        if logical_id in self._under_way:
            raise TemplateError(f"a circle: {' → '.join([*self._under_way, logical_id])}")
        self._under_way.append(logical_id)
        resource = self._resources[logical_id]
        needed = resource.get("DependsOn", [])
        for other in [needed] if isinstance(needed, str) else needed:
            self._created(other)
        if (create := TYPES.get(resource["Type"])) is None:
            raise TemplateError(f"{logical_id}: {resource['Type']} is not translated")
        properties = self._value(resource.get("Properties", {}))
        name = f"{self._stack.name}-{logical_id}"
        try:
            created = create(self._client, name, properties)
        except KeyError as error:
            raise TemplateError(f"{logical_id}: lacks {error}") from error
        if properties:
            raise TemplateError(f"{logical_id}: not translated: {', '.join(properties)}")
        self._under_way.pop()
        self._stack.resources[logical_id] = created
        return created

    def _value(self, part: Any) -> Any:
        """A part of the template with its functions computed."""
        match part:
            case {"Ref": "AWS::NoValue"}:
                return _NOTHING
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(logical_id), str(attribute)]}:
                return self._attribute(logical_id, attribute)
            case {"Fn::Sub": str(text)}:
                return self._with_secrets(_REFERENCE.sub(self._referenced, text))
            case {"Fn::Join": [str(separator), items]}:
                return separator.join(self._value(items))
            case {"Fn::Select": [index, items]}:
                return self._value(items)[int(index)]
            case {"Fn::GetAZs": _}:
                zones = self._client("ec2").describe_availability_zones()["AvailabilityZones"]
                return [zone["ZoneName"] for zone in zones]
            case {"Fn::Cidr": [network, count, bits]}:
                subnets = ipaddress.ip_network(self._value(network)).subnets(
                    new_prefix=32 - int(bits)
                )
                return [str(subnet) for subnet, _ in zip(subnets, range(count), strict=False)]
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self._value(then if self._holds(condition) else otherwise)
            case {"Fn::Equals": [one, other]}:
                return self._value(one) == self._value(other)
            case {"Fn::Not": [condition]}:
                return not self._value(condition)
            case {**entries}:
                if unknown := [key for key in entries if str(key).startswith("Fn::")]:
                    raise TemplateError(f"{unknown[0]} is not translated")
                values = {key: self._value(value) for key, value in entries.items()}
                return {key: value for key, value in values.items() if value is not _NOTHING}
            case list():
                return [value for value in map(self._value, part) if value is not _NOTHING]
        return part

    def _ref(self, name: str) -> Any:
        if name.startswith("AWS::"):
            return {
                "AWS::AccountId": ACCOUNT,
                "AWS::Partition": "aws",
                "AWS::Region": self._client("ec2").meta.region_name,
                "AWS::StackName": self._stack.name,
            }[name]
        if name in self._stack.parameters:
            return self._stack.parameters[name]
        return self._created(name).ref

    def _attribute(self, logical_id: str, attribute: str) -> str:
        attributes = self._created(logical_id).attributes
        if attribute not in attributes:
            raise TemplateError(f"{logical_id}: no attribute {attribute}")
        return attributes[attribute]

    def _referenced(self, found: re.Match[str]) -> str:
        name, _, attribute = found[1].partition(".")
        return self._attribute(name, attribute) if attribute else str(self._ref(name))

    def _with_secrets(self, text: str) -> str:
        def secret(found: re.Match[str]) -> str:
            kept = self._client("secretsmanager").get_secret_value(SecretId=found["secret"])
            content: dict[str, str] = yaml.safe_load(kept["SecretString"])
            return content[found["key"]]

        return _SECRET.sub(secret, text)
