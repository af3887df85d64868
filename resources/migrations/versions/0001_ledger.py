"""The ledger: companies, charts of accounts, journal, balance snapshots, expense claims."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("create schema ledger")
    op.execute(
        """
        create table ledger.companies (
            tenant_id text primary key check (tenant_id ~ '^[a-z0-9]{1,32}$'),
            name text not null check (name <> ''),
            language text not null default 'ja' check (language in ('ja', 'en')),
            currency text not null default 'JPY' check (currency ~ '^[A-Z]{3}$'),
            time_zone text not null default 'Asia/Tokyo',
            fiscal_year_start_month smallint not null default 4
                check (fiscal_year_start_month between 1 and 12),
            consumption_tax_basis text not null default 'exclusive'
                check (consumption_tax_basis in ('exclusive', 'inclusive', 'none')),
            plan text not null default 'standard' check (plan in ('light', 'standard', 'premium')),
            status text not null default 'active' check (status in ('active', 'suspended', 'left'))
        )
        """
    )
    op.execute(
        """
        create table ledger.contacts (
            tenant_id text not null references ledger.companies,
            contact_no smallint not null,
            name text not null,
            email text not null,
            primary key (tenant_id, contact_no)
        )
        """
    )
    # The account class is what the statements know of an account: reports_pipeline.accounting
    # .accounts lists the classes.
    op.execute(
        """
        create table ledger.accounts (
            tenant_id text not null references ledger.companies,
            account_code text not null,
            name text not null check (name <> ''),
            account_class text not null,
            primary key (tenant_id, account_code)
        )
        """
    )
    # Cash flows ask each tenant for the few accounts of cash among a hundred.
    op.execute(
        "create index on ledger.accounts (tenant_id, account_code) "
        "where account_class = 'cash_and_deposits'"
    )
    op.execute(
        """
        create table ledger.journal_entries (
            tenant_id text not null,
            posted_on date not null,
            entry_id bigint not null,
            memo text not null default '',
            currency text not null,
            kind text not null default 'normal' check (kind in ('normal', 'opening', 'closing')),
            status text not null default 'posted' check (status in ('posted', 'cancelled')),
            primary key (tenant_id, posted_on, entry_id)
        ) partition by range (posted_on)
        """
    )
    # Kind and status stand on the lines too: joining five million lines to their entries would
    # cost more than reading them. No foreign key to the entries for the same reason: loading
    # checks what it loads. A line with both sides, or none, cannot exist (erpnext 27316).
    op.execute(
        """
        create table ledger.journal_lines (
            tenant_id text not null,
            posted_on date not null,
            entry_id bigint not null,
            line_no smallint not null,
            account_code text not null,
            debit bigint not null default 0 check (debit between 0 and 1e15),
            credit bigint not null default 0 check (credit between 0 and 1e15),
            kind text not null default 'normal' check (kind in ('normal', 'opening', 'closing')),
            status text not null default 'posted' check (status in ('posted', 'cancelled')),
            primary key (tenant_id, posted_on, entry_id, line_no),
            check (debit = 0 or credit = 0)
        ) partition by range (posted_on)
        """
    )
    op.execute(
        """
        create function ledger.ensure_month_partitions(first_month date, last_month date)
        returns void language plpgsql as $$
        declare
            month date := date_trunc('month', first_month)::date;
            parent text;
        begin
            while month <= last_month loop
                foreach parent in array array['journal_entries', 'journal_lines'] loop
                    execute format(
                        'create table if not exists ledger.%I partition of ledger.%I '
                        'for values from (%L) to (%L)',
                        parent || to_char(month, '_YYYY_MM'), parent,
                        month, (month + interval '1 month')::date
                    );
                end loop;
                month := (month + interval '1 month')::date;
            end loop;
        end $$
        """
    )
    # A month's movements of each account, in minor units; the sum over all months before a date
    # is the balance at that date. Closing entries are kept apart, since statements leave them out;
    # opening entries are within debit and credit and stand beside them too, since they are no flow.
    # Inflow and outflow are what the account was the counterpart of when cash came in (its credits
    # in entries that touch cash) and went out (its debits); null if it was none. Cash to cash is no
    # flow.
    op.execute(
        """
        create table ledger.balance_snapshots (
            tenant_id text not null,
            month date not null check (extract(day from month) = 1),
            account_code text not null,
            debit bigint not null,
            credit bigint not null,
            closing_debit bigint not null,
            closing_credit bigint not null,
            opening_debit bigint not null,
            opening_credit bigint not null,
            inflow bigint,
            outflow bigint,
            check ((inflow is null) = (outflow is null)),
            primary key (tenant_id, month, account_code)
        )
        """
    )
    # `sum` of bigint computes in numeric, which takes a tenth of the time of reading a month. This
    # one is as exact: what does not fit is an error.
    op.execute(
        """
        create aggregate ledger.bigint_sum(bigint) (
            sfunc = int8pl, stype = bigint, combinefunc = int8pl, parallel = safe
        )
        """
    )
    # What a snapshot is made of, and whether an entry on the account does not balance: all that is
    # asked of a month's lines, in one pass over them. Tenant by tenant and without a join, so that
    # the lines come in order from the primary key whatever the planner knows of the tables: new
    # partitions have no statistics, and a nested loop joined the lines to their entries.
    # Opening entries bring cash into the books, not into the company: they are no cash flow.
    op.execute(
        """
        create function ledger.month_movements(tenants text[], month_start date)
        returns table (tenant_id text, account_code text, debit bigint, credit bigint,
                       closing_debit bigint, closing_credit bigint,
                       opening_debit bigint, opening_credit bigint,
                       inflow bigint, outflow bigint, unbalanced boolean)
        language sql stable as $$
            select tenant.tenant_id, movements.*
            from (select distinct unnest(tenants) as tenant_id) tenant
            cross join lateral (
                select array_agg(a.account_code) as codes from ledger.accounts a
                where a.tenant_id = tenant.tenant_id and a.account_class = 'cash_and_deposits'
            ) cash
            cross join lateral (
                select lines.account_code,
                       coalesce(ledger.bigint_sum(debit) filter (where kind <> 'closing'), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where kind <> 'closing'), 0),
                       coalesce(ledger.bigint_sum(debit) filter (where kind = 'closing'), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where kind = 'closing'), 0),
                       coalesce(ledger.bigint_sum(debit) filter (where kind = 'opening'), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where kind = 'opening'), 0),
                       ledger.bigint_sum(credit) filter (where is_flow),
                       ledger.bigint_sum(debit) filter (where is_flow),
                       bool_or(entry_difference <> 0)
                from (
                    select l.account_code, l.debit, l.credit, l.kind,
                           ledger.bigint_sum(l.debit - l.credit) over entry as entry_difference,
                           l.kind = 'normal'
                               and bool_or(l.kind = 'normal' and l.account_code = any(cash.codes))
                                   over entry
                               and l.account_code <> all(cash.codes) as is_flow
                    from ledger.journal_lines l
                    where l.tenant_id = tenant.tenant_id and l.status = 'posted'
                      and l.posted_on >= month_start
                      and l.posted_on < (month_start + interval '1 month')::date
                    window entry as (partition by l.posted_on, l.entry_id)
                ) lines
                group by lines.account_code
            ) movements
        $$
        """
    )
    # Months whose snapshots may not be what their lines say any more. Whoever changes lines, late
    # postings above all, leaves a mark here; refreshing takes it away (erpnext 36112).
    op.execute(
        """
        create table ledger.stale_snapshots (
            tenant_id text not null,
            month date not null,
            primary key (tenant_id, month)
        )
        """
    )
    op.execute(
        """
        create function ledger.mark_stale_snapshots() returns trigger language plpgsql as $$
        begin
            if tg_table_name = 'balance_snapshots' then
                insert into ledger.stale_snapshots select distinct tenant_id, month from changed
                on conflict do nothing;
                return null;
            end if;
            insert into ledger.stale_snapshots
            select distinct tenant_id, date_trunc('month', posted_on)::date from changed
            on conflict do nothing;
            if tg_op = 'UPDATE' then -- perhaps of the date
                insert into ledger.stale_snapshots
                select distinct tenant_id, date_trunc('month', posted_on)::date from replaced
                on conflict do nothing;
            end if;
            return null;
        end $$
        """
    )
    for table, event, changed in (
        ("journal_lines", "insert", "new table as changed"),
        ("journal_lines", "update", "new table as changed old table as replaced"),
        ("journal_lines", "delete", "old table as changed"),
        ("balance_snapshots", "update", "new table as changed"),
        ("balance_snapshots", "delete", "old table as changed"),
    ):
        op.execute(
            f"create trigger mark_stale_after_{event} after {event} on ledger.{table} "
            f"referencing {changed} for each statement "
            "execute function ledger.mark_stale_snapshots()"
        )
    # An entry that is cancelled, say, takes its lines along.
    op.execute(
        """
        create function ledger.lines_follow_entry() returns trigger language plpgsql as $$
        begin
            update ledger.journal_lines set kind = new.kind, status = new.status
            where tenant_id = new.tenant_id and posted_on = new.posted_on
              and entry_id = new.entry_id;
            return null;
        end $$
        """
    )
    op.execute(
        """
        create trigger lines_follow_entry after update of kind, status on ledger.journal_entries
        for each row execute function ledger.lines_follow_entry()
        """
    )
    op.execute(
        """
        create procedure ledger.refresh_snapshots(tenants text[], month_start date)
        language sql as $$
            delete from ledger.balance_snapshots
            where tenant_id = any(tenants) and month = month_start;
            insert into ledger.balance_snapshots
            select tenant_id, month_start, account_code,
                   debit, credit, closing_debit, closing_credit, opening_debit, opening_credit,
                   inflow, outflow
            from ledger.month_movements(tenants, month_start);
            delete from ledger.stale_snapshots
            where tenant_id = any(tenants) and month = month_start;
        $$
        """
    )
    op.execute(
        """
        create table ledger.expense_claims (
            tenant_id text not null references ledger.companies,
            claim_id text not null,
            incurred_on date not null,
            employee text not null,
            category text not null,
            payee text not null default '',
            description text not null default '',
            amount bigint not null check (amount >= 0),
            consumption_tax bigint not null default 0 check (consumption_tax >= 0),
            status text not null
                check (status in ('submitted', 'approved', 'paid', 'rejected')),
            primary key (tenant_id, claim_id)
        )
        """
    )
    op.execute("create index on ledger.expense_claims (tenant_id, incurred_on)")
    # A month that is not here is provisional (未締め・暫定).
    op.execute(
        """
        create table ledger.month_closings (
            tenant_id text not null references ledger.companies,
            month date not null check (extract(day from month) = 1),
            closed_at timestamptz not null default now(),
            primary key (tenant_id, month)
        )
        """
    )


def downgrade() -> None:
    op.execute("drop schema ledger cascade")
