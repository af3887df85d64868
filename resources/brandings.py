"""Each company's branding, from which month on, who set it and when."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

import psycopg

from reports_pipeline.accounting.periods import Month
from reports_pipeline.documents.branding import (
    HOUSE_BRANDING,
    Branding,
    BrandingError,
    usable_branding,
)
from reports_pipeline.documents.logos import read_logo, stored_logo


@dataclass(frozen=True, slots=True)
class LogoUpload:
    """A file that somebody says is a logo: PNG, JPEG or SVG."""

    file_name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class BrandingChange:
    """What is to be set; None is to stay as it is."""

    template: str | None = None
    accent: str | None = None
    logo: LogoUpload | None = None
    without_logo: bool = False


@dataclass(frozen=True, slots=True)
class BrandingVersion:
    """A version as it was set: `accent` and `template` as they are stored, usable or not."""

    version: int
    effective_from: Month
    template: str
    accent: str
    logo_file_name: str | None
    set_by: str
    set_at: datetime.datetime
    fault: BrandingError | None  # why documents do not have it


class Brandings:
    """The table `reporting.brandings`.

    In effect for a month is the version with the latest `effective_from` up to it; of several the
    highest.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def of(
        self, tenant_ids: Collection[str], month: Month
    ) -> tuple[dict[str, Branding], dict[str, BrandingError]]:
        """The branding of each tenant's documents of a month; and why it is the house's where the
        tenant's own cannot be used."""
        brandings = dict.fromkeys(tenant_ids, HOUSE_BRANDING)
        faults = {}
        with psycopg.connect(self._url) as connection:
            versions = _in_effect(connection, tenant_ids, month)
            rows = connection.execute(
                """
                select tenant_id, version, template, accent, logo_png, logo_png_sha256
                from reporting.brandings
                join unnest(%s::text[], %s::integer[]) as chosen (tenant_id, version)
                    using (tenant_id, version)
                """,
                [list(versions), list(versions.values())],
            )
            for tenant_id, *stored in rows:
                try:
                    brandings[tenant_id] = _stored_branding(*stored)
                except BrandingError as error:
                    faults[tenant_id] = error
        return brandings, faults

    def in_effect(self, tenant_ids: Collection[str], month: Month) -> dict[str, int]:
        """The version in effect for a month, usable or not, by tenant; a tenant without any is
        missing."""
        with psycopg.connect(self._url) as connection:
            return _in_effect(connection, tenant_ids, month)

    def set(
        self, tenant_id: str, change: BrandingChange, *, effective_from: Month, set_by: str
    ) -> Branding:
        """Add a version: the one that is in effect for `effective_from`, changed.

        Raises:
            BrandingError: it cannot be used; nothing was added.
        """
        with psycopg.connect(self._url) as connection:
            connection.execute(
                "select pg_advisory_xact_lock(hashtext('brandings/' || %s))", [tenant_id]
            )
            branding, upload = _changed(connection, tenant_id, effective_from, change)
            [(version,)] = connection.execute(
                """
                insert into reporting.brandings
                    (tenant_id, version, effective_from, template, accent, logo, logo_file_name,
                     logo_png, logo_png_sha256, set_by)
                select %(tenant)s, coalesce(max(version), 0) + 1, %(effective_from)s, %(template)s,
                       %(accent)s, %(logo)s, %(file_name)s, %(png)s, %(sha256)s, %(set_by)s
                from reporting.brandings where tenant_id = %(tenant)s
                returning version
                """,
                {
                    "tenant": tenant_id,
                    "effective_from": effective_from.start,
                    "template": branding.template,
                    "accent": branding.accent,
                    "logo": upload and upload.content,
                    "file_name": upload and upload.file_name,
                    "png": branding.logo and branding.logo.png,
                    "sha256": branding.logo and _sha256(branding.logo.png),
                    "set_by": set_by,
                },
            ).fetchall()
        return replace(branding, version=version)

    def changed(self, tenant_id: str, change: BrandingChange, month: Month) -> Branding:
        """What `set` would add, with the version that it would change; nothing is stored.

        Raises:
            BrandingError: it cannot be used.
        """
        with psycopg.connect(self._url) as connection:
            return _changed(connection, tenant_id, month, change)[0]

    def history(
        self, tenant_ids: Collection[str] | None = None
    ) -> dict[str, tuple[BrandingVersion, ...]]:
        """All versions of these tenants, or of all, by tenant, oldest first; a tenant without any
        is missing."""
        found: dict[str, tuple[BrandingVersion, ...]] = {}
        with psycopg.connect(self._url) as connection:
            rows = connection.execute(
                """
                select tenant_id, version, effective_from, template, accent, logo_file_name, set_by,
                       set_at, logo_png, logo_png_sha256
                from reporting.brandings
                where %(tenants)s::text[] is null or tenant_id = any(%(tenants)s)
                order by tenant_id, version
                """,
                {"tenants": None if tenant_ids is None else list(tenant_ids)},
            )
            for tenant_id, version, first, template, accent, file_name, by, at, *logo in rows:
                fault = None
                try:
                    _stored_branding(version, template, accent, *logo)
                except BrandingError as error:
                    fault = error
                entry = BrandingVersion(
                    version, Month.of(first), template, accent, file_name, by, at, fault
                )
                found[tenant_id] = (*found.get(tenant_id, ()), entry)
        return found


def _in_effect(
    connection: psycopg.Connection, tenant_ids: Collection[str], month: Month
) -> dict[str, int]:
    return dict(
        connection.execute(
            """
            select distinct on (tenant_id) tenant_id, version
            from reporting.brandings
            where tenant_id = any(%s) and effective_from <= %s
            order by tenant_id, effective_from desc, version desc
            """,
            [list(tenant_ids), month.start],
        ).fetchall()
    )


def _stored_branding(
    version: int, template: str, accent: str, png: bytes | None, sha256: str | None
) -> Branding:
    """A branding as it is stored, checked again: the row may have been written by other means."""
    logo = None if png is None or sha256 is None else stored_logo(png, sha256)
    return usable_branding(version, template, accent, logo)


def _changed(
    connection: psycopg.Connection, tenant_id: str, month: Month, change: BrandingChange
) -> tuple[Branding, LogoUpload | None]:
    """The branding that is in effect for a month, changed, and the file its logo is from."""
    version = _in_effect(connection, [tenant_id], month).get(tenant_id, HOUSE_BRANDING.version)
    row = connection.execute(
        """
        select template, accent, logo_png, logo_png_sha256, logo_file_name, logo
        from reporting.brandings where tenant_id = %s and version = %s
        """,
        [tenant_id, version],
    ).fetchone()
    template, accent, png, sha256, file_name, content = row or (
        HOUSE_BRANDING.template, HOUSE_BRANDING.accent, None, None, None, None,
    )  # fmt: skip
    upload = None if file_name is None else LogoUpload(file_name, content)
    if change.template is not None:
        template = change.template
    if change.accent is not None:
        accent = change.accent
    if change.without_logo:
        upload = png = sha256 = None
    if change.logo is not None:
        upload = change.logo
        png = read_logo(upload.content).png
        sha256 = _sha256(png)
    return _stored_branding(version, template, accent, png, sha256), upload


def _sha256(png: bytes) -> str:
    return hashlib.sha256(png).hexdigest()
