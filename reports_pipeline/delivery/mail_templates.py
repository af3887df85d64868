"""Where the texts of mails come from: the house's templates, and variants of them.

A variant replaces blocks of what it extends. Variants of companies, and the house's own, are
written by operators; so they are kept from everything but the values of the mail, and one that is
broken concerns those companies only whose mails it writes.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from reports_pipeline.delivery.replies import kept_reply

Kind = Literal["txt", "html"]

_PACKAGED = Path(__file__).with_name("templates")


def render_text(
    kind: Kind, content: Mapping[str, object], *, tenant_id: str, plan: str, folder: Path | None
) -> str:
    """The text of a mail from the first that there is of `tenants/<id>/monthly_reports.<kind>`,
    `plans/<plan>/…` and the house's own; each is looked for in `folder`, then in the package.

    Raises:
        TenantFailureError: TEMPLATE_UNUSABLE: the template, or one that it extends, cannot be
            read, replaces a block that there is not, fails with this content or makes nothing of
            it; names file, line and reason.
    """
    environment = _environment(folder)
    file = f"monthly_reports.{kind}"
    name = file
    try:
        for name in (f"tenants/{tenant_id}/{file}", f"plans/{plan}/{file}", file):
            try:
                template = environment.get_template(name)
            except jinja2.TemplateNotFound:
                continue
            _require_known_blocks(environment, name)
            text = template.render(content)
            if not text.strip():
                raise jinja2.TemplateSyntaxError("makes an empty mail", 1, name)
            return text
    # A template is a program of somebody else's, and may break in any way that programs do.
    except Exception as error:
        raise _unusable(error, name, tenant_id, folder) from error
    raise AssertionError(f"the package lacks {file}")


@dataclass(frozen=True, slots=True)
class _Outline:
    """What a template says of others: `parent` is the name of what it extends; `blocks` are all it
    has, `replaced` with their lines those that show only in place of the parent's."""

    parent: str | None
    blocks: frozenset[str]
    replaced: Mapping[str, int]


def _require_known_blocks(environment: jinja2.Environment, name: str) -> None:
    """Jinja leaves out what a variant puts into a block that there is not: a misspelt one.

    Raises:
        TemplateSyntaxError: there is such a block.
    """
    lineage: dict[str, _Outline] = {}
    parent: str | None = name
    while parent is not None and parent not in lineage:
        try:
            template = environment.get_template(parent)
        except jinja2.TemplateNotFound:
            break  # said, with its line, when the template is used
        lineage[parent] = _outline(template, parent)
        parent = lineage[parent].parent
    known: frozenset[str] = frozenset()
    for variant, outline in reversed(lineage.items()):
        for block, line in outline.replaced.items():
            if known and block not in known:
                raise jinja2.TemplateSyntaxError(
                    f"no block {block!r} in what it extends, which has {', '.join(sorted(known))}",
                    line,
                    variant,
                )
        known |= outline.blocks


@functools.lru_cache(maxsize=10_000)
def _outline(template: jinja2.Template, name: str) -> _Outline:
    """A template that was changed is another object; its own name is without `package/`."""
    environment = template.environment
    assert environment.loader is not None  # noqa: S101
    tree = environment.parse(environment.loader.get_source(environment, name)[0], name)
    blocks = list(tree.find_all(nodes.Block))
    inner = {each.name for block in blocks for each in block.find_all(nodes.Block)}
    extends = tree.find(nodes.Extends)
    parent = None
    if extends is not None and isinstance(extends.template, nodes.Const):
        parent = str(extends.template.value)
    replaced = {} if parent is None else {b.name: b.lineno for b in blocks if b.name not in inner}
    return _Outline(parent, frozenset(block.name for block in blocks), replaced)


@functools.cache
def _environment(folder: Path | None) -> jinja2.Environment:
    packaged = jinja2.FileSystemLoader(_PACKAGED)
    found = [jinja2.FileSystemLoader(folder)] if folder is not None else []
    return ImmutableSandboxedEnvironment(
        loader=jinja2.ChoiceLoader(
            # By this prefix the folder's own version of a template extends that of the package.
            [*found, packaged, jinja2.PrefixLoader({"package": packaged})]
        ),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _unusable(
    error: Exception, name: str, tenant_id: str, folder: Path | None
) -> TenantFailureError:
    line: int | str | None = "—"
    if isinstance(error, jinja2.TemplateSyntaxError):
        name, line = error.name or name, error.lineno
    else:
        # Jinja shows the lines of templates as frames; the innermost is where it broke.
        for frame in traceback.extract_tb(error.__traceback__):
            for root in filter(None, (folder, _PACKAGED)):
                if Path(frame.filename).is_relative_to(root):
                    name, line = Path(frame.filename).relative_to(root).as_posix(), frame.lineno
    reason = kept_reply(f"{type(error).__name__}: {error}")
    return TenantFailureError(
        TenantFailure(
            tenant_id,
            FailureCode.TEMPLATE_UNUSABLE,
            {"template": name, "line": line, "reason": reason},
        )
    )
