"""The last stage: one mail to every contact of a tenant, at most once."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import dagster as dg

from assets.delivery_contents import DeliveryContents, DeliverySources
from assets.notices import warn_of_unusable
from assets.tenant_batch import Artefact, StageResult, StageWork, for_each_tenant
from reports_pipeline.delivery.deliveries import RegisteredDelivery
from reports_pipeline.delivery.messages import MailSettings
from reports_pipeline.delivery.states import SENT, WAITING, reference
from reports_pipeline.documents.catalogs import LANGUAGES
from resources.delivery_preferences import DeliveryPreferencesStore, PreferencesVersion
from resources.delivery_register import DeliveryRegister
from resources.departures import Departure, Departures
from resources.dispatch import deliver
from resources.document_store import DocumentStore
from resources.mailer import Mailer
from resources.notifier import Notifier
from resources.report_register import ReportRegister
from resources.tenants import Tenants


def report_deliveries(
    work: StageWork,
    *,
    document_store: DocumentStore,
    report_register: ReportRegister,
    delivery_register: DeliveryRegister,
    tenants: Tenants,
    delivery_preferences: DeliveryPreferencesStore,
    departures: Departures,
    notifier: Notifier,
    mailer: Mailer,
    mail_settings: MailSettings,
) -> StageResult:
    """One per month and tenant: a mail with all documents to each contact, sent at most once.

    A tenant whose mail has gone out already is done, and so is one whose mail waits for the time
    that the company wishes, or for those of the canaries: nothing about it is to be mended. One
    without a contact fails here, and is resumed without a rebuild once it has one.
    """
    contents = DeliveryContents(
        DeliverySources(
            document_store, report_register, delivery_register, tenants, delivery_preferences
        ),
        work,
    )
    now = datetime.datetime.now(datetime.UTC)
    wishes = {tenant_id: newest.preferences for tenant_id, newest in contents.preferences.items()}
    departure_by_tenant = departures.of(work.month, work.tenant_ids, now, wishes=wishes)
    unusable = _unusable(contents.preferences, departure_by_tenant)

    def make(tenant_id: str) -> Artefact:
        departure = departure_by_tenant[tenant_id]
        registered = deliver(
            delivery_register,
            mailer,
            document_store.get,
            contents.delivery(tenant_id),
            settings=mail_settings,
            now=now,
            departure=departure,
            share_document=document_store.share,
        )
        metadata = {
            "reference": dg.MetadataValue.text(reference(registered.delivery_id)),
            "mails": dg.MetadataValue.int(len(registered.among(SENT))),
            # by number: an address is personal data, which the register keeps
            "recipients": dg.MetadataValue.json(
                {str(m.recipient_no): m.state.value for m in registered.messages}
            ),
            **_wait(registered, departure, now),
        }
        if tenant_id in unusable:
            metadata["preferences_fault"] = dg.MetadataValue.text(unusable[tenant_id])
        return Artefact(registered.delivery_id, metadata)

    result = for_each_tenant(work, make)
    result.revisions = contents.revisions()
    texts = {tenant_id: dict.fromkeys(LANGUAGES, text) for tenant_id, text in unusable.items()}
    warn_of_unusable(work, notifier, "preferences", texts)
    return result


def _wait(
    registered: RegisteredDelivery, departure: Departure, now: datetime.datetime
) -> dict[str, dg.MetadataValue]:
    """What keeps mails that are ready from going out."""
    wait: dict[str, dg.MetadataValue] = {}
    if not registered.among(WAITING):
        return wait
    if departure.at > now:
        wait["waits_until"] = dg.MetadataValue.timestamp(departure.at)
    if departure.waits_for_canaries:
        wait["waits_for"] = dg.MetadataValue.text("canaries")
    return wait


def _unusable(
    newest: Mapping[str, PreferencesVersion], departure_by_tenant: Mapping[str, Departure]
) -> dict[str, str]:
    """The wishes for which the house's way was taken, by tenant: `holidays 'XX'`."""
    found = {}
    for tenant_id, departure in departure_by_tenant.items():
        wishes = dict(newest[tenant_id].unusable) if tenant_id in newest else {}
        if (zone := departure.unknown_time_zone) is not None:
            wishes["time_zone"] = zone
        if wishes:
            found[tenant_id] = ", ".join(f"{name} {value!r}" for name, value in wishes.items())
    return found
