"""When and how each company wants its mails, who set it and when."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from reports_pipeline.delivery.preference_checks import unusable_preferences
from reports_pipeline.delivery.preferences import (
    DEFAULT_PREFERENCES,
    Attachments,
    Corrections,
    DeliveryPreferences,
)

_NAMES = tuple(field.name for field in fields(DeliveryPreferences))


class PreferenceError(ValueError):
    """A preference cannot be used; the message says what it has to be."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name.replace('_', ' ')} {value!r}: must be {expected}")


@dataclass(frozen=True, slots=True)
class PreferencesVersion:
    """A company's wishes as they were set, without those of them that cannot be used."""

    version: int
    preferences: DeliveryPreferences
    unusable: Mapping[str, object]  # by name, as they are stored: the row was written by others
    set_by: str
    set_at: datetime.datetime


class DeliveryPreferencesStore:
    """The table `reporting.delivery_preferences`.

    The highest version of a company holds, for every month. What equals the house's way is stored
    as null, and remains the house's way if that is another one some day. A wish that cannot be
    used, which only a row can have that was written by other means, is none: nobody's mail is lost
    for it.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def current(self, tenant_ids: Collection[str]) -> dict[str, DeliveryPreferences]:
        """What holds, by tenant; of a tenant that is missing the defaults."""
        return {tenant_id: v.preferences for tenant_id, v in self.newest(tenant_ids).items()}

    def newest(self, tenant_ids: Collection[str]) -> dict[str, PreferencesVersion]:
        """The version that holds, by tenant; a tenant without any is missing."""
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            return newest_preferences(connection, tenant_ids)

    def history(
        self, tenant_ids: Collection[str] | None = None
    ) -> dict[str, tuple[PreferencesVersion, ...]]:
        """All versions of these tenants, or of all, by tenant, oldest first; a tenant without any
        is missing."""
        found: dict[str, tuple[PreferencesVersion, ...]] = {}
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            rows = connection.execute(
                """
                select * from reporting.delivery_preferences
                where %(tenants)s::text[] is null or tenant_id = any(%(tenants)s)
                order by tenant_id, version
                """,
                {"tenants": None if tenant_ids is None else list(tenant_ids)},
            )
            for row in rows:
                tenant_id = row["tenant_id"]
                found[tenant_id] = (*found.get(tenant_id, ()), _version(row))
        return found

    def set(self, tenant_id: str, preferences: DeliveryPreferences, *, set_by: str) -> int:
        """Add a version; returns its number.

        Raises:
            PreferenceError: one of them cannot be used; nothing was added.
        """
        return self.change(tenant_id, lambda _: preferences, set_by=set_by).version

    def change(
        self,
        tenant_id: str,
        change: Callable[[DeliveryPreferences], DeliveryPreferences],
        *,
        set_by: str,
    ) -> PreferencesVersion:
        """Add a version, made of the one that holds.

        Raises:
            PreferenceError: one of them cannot be used; nothing was added.
        """
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            connection.execute(
                "select pg_advisory_xact_lock(hashtext('delivery_preferences/' || %s))",
                [tenant_id],
            )
            newest = newest_preferences(connection, [tenant_id]).get(tenant_id)
            preferences = change(newest.preferences if newest else DEFAULT_PREFERENCES)
            for name, expected in unusable_preferences(preferences).items():
                raise PreferenceError(name, getattr(preferences, name), expected)
            values = {name: _stored(preferences, name) for name in _NAMES}
            row = connection.execute(
                """
                insert into reporting.delivery_preferences
                    (tenant_id, version, not_before, business_day, holidays, corrections,
                     attachments, largest_mail_bytes, note, support_address, set_by)
                values (%(tenant_id)s, %(version)s, %(not_before)s, %(business_day)s, %(holidays)s,
                        %(corrections)s, %(attachments)s, %(largest_mail_bytes)s, %(note)s,
                        %(support_address)s, %(set_by)s)
                returning *
                """,
                {
                    **values,
                    "tenant_id": tenant_id,
                    "version": newest.version + 1 if newest else 1,
                    "set_by": set_by,
                },
            ).fetchone()
        assert row is not None  # noqa: S101
        return _version(row)


def newest_preferences(
    connection: psycopg.Connection[DictRow], tenant_ids: Collection[str]
) -> dict[str, PreferencesVersion]:
    """The version that holds, by tenant; a tenant without any is missing."""
    rows = connection.execute(
        """
        select distinct on (tenant_id) * from reporting.delivery_preferences
        where tenant_id = any(%s) order by tenant_id, version desc
        """,
        [list(tenant_ids)],
    )
    return {row["tenant_id"]: _version(row) for row in rows}


def _version(row: Mapping[str, Any]) -> PreferencesVersion:
    stored = {name: row[name] for name in _NAMES if row[name] is not None}
    if "corrections" in stored:
        stored["corrections"] = Corrections(stored["corrections"])
    if "attachments" in stored:
        stored["attachments"] = Attachments(stored["attachments"])
    names = unusable_preferences(DeliveryPreferences(**stored))
    unusable = {name: stored.pop(name) for name in names}
    preferences = DeliveryPreferences(**stored)
    return PreferencesVersion(row["version"], preferences, unusable, row["set_by"], row["set_at"])


def _stored(preferences: DeliveryPreferences, name: str) -> object:
    value = getattr(preferences, name)
    return None if value == getattr(DEFAULT_PREFERENCES, name) else value
