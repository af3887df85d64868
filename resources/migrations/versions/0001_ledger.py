"""The ledger: companies, charts of accounts, journal, balance snapshots, expense claims."""

from alembic import op

revision = "0001"
down_revision = None

# The classes whose accounts snapshots know: what is one of them is one in all months.
# Statements below are put together from this constant only.
# ruff: noqa: S608
_IN_ALL_MONTHS = (
    "('cash_and_deposits', 'retained_earnings_brought_forward', 'other_retained_earnings')"
)


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
            closing_day smallint not null default 31
                check (closing_day between 1 and 28 or closing_day = 31), -- 31: the month's end
            consumption_tax_basis text not null default 'exclusive'
                check (consumption_tax_basis in ('exclusive', 'inclusive', 'none')),
            display_unit text not null default 'one' check (display_unit in ('one', 'thousand')),
            plan text not null default 'standard' check (plan in ('light', 'standard', 'premium')),
            -- of a second copy of the documents, which the premium plan adds
            copy_language text check (copy_language in ('ja', 'en') and copy_language <> language),
            status text not null default 'active' check (status in ('active', 'suspended', 'left'))
        )
        """
    )
    # A company's fiscal years begin with its start month and its months end on its closing day,
    # until a row here says otherwise: from `first_month` on fiscal years begin with that month (the
    # one before is cut short) and every twelve months after, and months end on `closing_day`.
    op.execute(
        """
        create table ledger.fiscal_year_changes (
            tenant_id text not null references ledger.companies,
            first_month date not null check (extract(day from first_month) = 1),
            closing_day smallint not null default 31
                check (closing_day between 1 and 28 or closing_day = 31),
            primary key (tenant_id, first_month)
        )
        """
    )
    # The day after a tenant's month, and the month that a day belongs to. Months have no gap: each
    # begins where the one before ends, also where the closing day changes.
    op.execute(
        """
        create function ledger.month_end(tenant text, month date)
        returns date language sql stable as $$
            select case closing_day
                when 31 then (month + interval '1 month')::date else month + closing_day
            end
            from (
                select closing_day, first_month from ledger.fiscal_year_changes
                where tenant_id = tenant and first_month <= month
                union all
                select closing_day, '-infinity' from ledger.companies where tenant_id = tenant
                order by first_month desc limit 1
            ) calendar
        $$
        """
    )
    op.execute(
        """
        create function ledger.month_start(tenant text, month date)
        returns date language sql stable as $$
            select ledger.month_end(tenant, (month - interval '1 month')::date)
        $$
        """
    )
    op.execute(
        """
        create function ledger.period(tenant text, month date)
        returns table (starts_on date, ends_on date) rows 1 language sql stable as $$
            select ledger.month_start(tenant, month), ledger.month_end(tenant, month)
            offset 0 -- once for a tenant and not for each of its lines
        $$
        """
    )
    op.execute(
        """
        create function ledger.month_of(tenant text, day date)
        returns date language sql stable as $$
            select case
                when day < ledger.month_end(tenant, date_trunc('month', day)::date)
                then date_trunc('month', day)::date
                else (date_trunc('month', day) + interval '1 month')::date
            end
        $$
        """
    )
    # The first month of the fiscal year that a month is in.
    op.execute(
        """
        create function ledger.fiscal_year_of(tenant text, month date)
        returns date language sql stable as $$
            select (
                first_month + (date_part('year', age(month, first_month)) || ' years')::interval
            )::date
            from (
                select first_month from ledger.fiscal_year_changes
                where tenant_id = tenant and first_month <= month
                union all
                select make_date(1900, fiscal_year_start_month, 1)
                from ledger.companies where tenant_id = tenant
                order by first_month desc limit 1
            ) beginning
        $$
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
    # .accounts lists the classes. It is null while nobody has said what the account is.
    op.execute(
        """
        create table ledger.accounts (
            tenant_id text not null references ledger.companies,
            account_code text not null,
            name text not null check (name <> ''),
            account_class text,
            primary key (tenant_id, account_code)
        )
        """
    )
    # What an operator has said an account is, from a month on; before the first such month, and for
    # accounts that are not here, ledger.accounts says it.
    op.execute(
        """
        create table ledger.account_mappings (
            tenant_id text not null,
            account_code text not null,
            first_month date not null check (extract(day from first_month) = 1),
            account_class text not null,
            mapped_by text not null,
            mapped_at timestamptz not null default now(),
            primary key (tenant_id, account_code, first_month),
            foreign key (tenant_id, account_code) references ledger.accounts deferrable
        )
        """
    )
    # What snapshots keep of cash and of 利益剰余金 holds for all months, so for these classes a
    # mapping does too, whatever its first month. Asking each tenant for these few accounts among a
    # hundred is what the index is for.
    op.execute(
        "create index on ledger.accounts (tenant_id, account_class, account_code) "
        f"where account_class in {_IN_ALL_MONTHS}"
    )
    for function, classes in (
        ("cash_accounts", "('cash_and_deposits')"),
        (
            "retained_earnings_accounts",
            "('retained_earnings_brought_forward', 'other_retained_earnings')",
        ),
    ):
        op.execute(
            f"""
            create function ledger.{function}(tenant text)
            returns text[] language sql stable as $$
                select array_agg(account_code) from (
                    select account_code from ledger.accounts account
                    where tenant_id = tenant and account_class in {classes}
                      and not exists (
                          select from ledger.account_mappings mapping
                          where mapping.tenant_id = account.tenant_id
                            and mapping.account_code = account.account_code
                      )
                    union all
                    select account_code from (
                        select distinct on (account_code) account_code, account_class
                        from ledger.account_mappings where tenant_id = tenant
                        order by account_code, first_month desc
                    ) newest where account_class in {classes}
                ) accounts
            $$
            """
        )
    # What the accounts are in the reports of a month; `mapped_from` and `mapped_by` are null where
    # the chart says it, the class is null where nobody has. It must stay a single query: the
    # planner then puts it in the place of the call, and reads what the caller asks for and no more.
    op.execute(
        """
        create function ledger.accounts_in(tenants text[], month date)
        returns table (tenant_id text, account_code text, name text, account_class text,
                       mapped_from date, mapped_by text)
        language sql stable as $$
            select account.tenant_id, account.account_code, account.name,
                   coalesce(mapping.account_class, account.account_class),
                   mapping.first_month, mapping.mapped_by
            from ledger.accounts account
            left join (
                select distinct on (tenant_id, account_code) *
                from ledger.account_mappings
                where tenant_id = any(tenants) and first_month <= accounts_in.month
                order by tenant_id, account_code, first_month desc
            ) mapping
                on mapping.tenant_id = account.tenant_id
                and mapping.account_code = account.account_code
            where account.tenant_id = any(tenants)
        $$
        """
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
    # flow. `with_retained_earnings`: a normal entry has the account, 利益剰余金 and no cash in it,
    # which for profit and loss accounts only closing entries have.
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
            with_retained_earnings boolean not null,
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
    # partitions have no statistics, and a nested loop joined the lines to their entries. The bounds
    # that all tenants share let the planner leave out all partitions but two.
    # A line's `own` is 1 for cash, 2 for 利益剰余金, 4 if opening, 8 if closing, else
    # 0; what the lines of its entry are together is what it is `touched` by. Adding up by these
    # first and by account then, and handing the window no more than it needs (the `order by` keeps
    # the planner from undoing that), takes a third of the time away.
    # Opening entries bring cash into the books, not into the company: they are no cash flow.
    op.execute(
        """
        create function ledger.month_movements(tenants text[], month_start date)
        returns table (tenant_id text, account_code text, debit bigint, credit bigint,
                       closing_debit bigint, closing_credit bigint,
                       opening_debit bigint, opening_credit bigint,
                       inflow bigint, outflow bigint, with_retained_earnings boolean,
                       unbalanced boolean)
        language sql stable as $$
            select tenant.tenant_id, movements.*
            from (select distinct unnest(tenants) as tenant_id) tenant
            cross join lateral (
                select ledger.month_start(tenant.tenant_id, month_movements.month_start)
                           as starts_on,
                       ledger.month_end(tenant.tenant_id, month_movements.month_start) as ends_on,
                       ledger.cash_accounts(tenant.tenant_id) as cash,
                       ledger.retained_earnings_accounts(tenant.tenant_id) as retained
                offset 0 -- else every line would ask again
            ) known
            cross join lateral (
                select account_code,
                       coalesce(ledger.bigint_sum(debit) filter (where own < 8), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where own < 8), 0),
                       coalesce(ledger.bigint_sum(debit) filter (where own = 8), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where own = 8), 0),
                       coalesce(ledger.bigint_sum(debit) filter (where own = 4), 0),
                       coalesce(ledger.bigint_sum(credit) filter (where own = 4), 0),
                       ledger.bigint_sum(credit) filter (where own in (0, 2) and touched & 1 <> 0),
                       ledger.bigint_sum(debit) filter (where own in (0, 2) and touched & 1 <> 0),
                       bool_or(own < 4 and touched & 3 = 2),
                       bool_or(unbalanced)
                from (
                    select account_code, own, touched,
                           ledger.bigint_sum(greatest(amount, 0)) as debit,
                           ledger.bigint_sum(greatest(-amount, 0)) as credit,
                           bool_or(difference <> 0) as unbalanced
                    from (
                        select account_code, own, amount,
                               bit_or(own) over entry as touched,
                               ledger.bigint_sum(amount) over entry as difference
                        from (
                            select posted_on, entry_id, account_code, debit - credit as amount,
                                   case kind
                                       when 'normal' then case
                                           when account_code = any(known.cash) then 1
                                           when account_code = any(known.retained) then 2
                                           else 0
                                       end
                                       when 'opening' then 4
                                       else 8
                                   end as own
                            from ledger.journal_lines l
                            where l.tenant_id = tenant.tenant_id and status = 'posted'
                              and posted_on >= known.starts_on and posted_on < known.ends_on
                              and posted_on
                                  >= (month_movements.month_start - interval '1 month')::date
                              and posted_on
                                  < (month_movements.month_start + interval '1 month')::date
                            order by posted_on, entry_id
                        ) lines
                        window entry as (partition by posted_on, entry_id)
                    ) of_entries
                    group by account_code, own, touched
                ) parts
                group by account_code
            ) movements
        $$
        """
    )
    # Months whose snapshots may not be what their lines say any more. Whoever changes lines, late
    # postings above all, leaves a mark here; refreshing takes it away (erpnext 36112). A mark that
    # is there already is written again, so that whoever posts while the month is refreshed waits,
    # and then leaves a new one.
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
                insert into ledger.stale_snapshots
                select distinct tenant_id, month from changed order by 1, 2
                on conflict (tenant_id, month) do update set month = excluded.month;
                return null;
            end if;
            -- A calendar month has days of at most two of a tenant's months.
            insert into ledger.stale_snapshots
            select distinct tenant_id, ledger.month_of(tenant_id, unnest(array[first, last]))
            from (
                select tenant_id, min(posted_on) as first, max(posted_on) as last from changed
                group by tenant_id, date_trunc('month', posted_on)
            ) days order by 1, 2
            on conflict (tenant_id, month) do update set month = excluded.month;
            return null;
        end $$
        """
    )
    for table, event, rows in (
        ("journal_lines", "insert", "new"),
        ("journal_lines", "update", "new"),
        ("journal_lines", "update", "old"),  # perhaps of the date
        ("journal_lines", "delete", "old"),
        ("balance_snapshots", "insert", "new"),
        ("balance_snapshots", "update", "new"),
        ("balance_snapshots", "delete", "old"),
    ):
        op.execute(
            f"create trigger mark_{rows}_stale_after_{event} after {event} on ledger.{table} "
            f"referencing {rows} table as changed for each statement "
            "execute function ledger.mark_stale_snapshots()"
        )
    # Another closing day makes all of a tenant's snapshots doubtful, and those of new months.
    op.execute(
        """
        create function ledger.mark_snapshots_of_calendar_stale()
        returns trigger language plpgsql as $$
        declare
            tenant text := case tg_op when 'DELETE' then old.tenant_id else new.tenant_id end;
        begin
            if tg_table_name = 'fiscal_year_changes' and 1 = (
                select count(distinct closing_day) from (
                    select closing_day from ledger.companies where tenant_id = tenant
                    union all
                    select closing_day from ledger.fiscal_year_changes where tenant_id = tenant
                    union all select old.closing_day where tg_op <> 'INSERT'
                ) days
            ) then
                return null;
            end if;
            insert into ledger.stale_snapshots
            select distinct tenant, (month + shift * interval '1 month')::date
            from ledger.balance_snapshots cross join generate_series(-1, 1) shift
            where tenant_id = tenant order by 2
            on conflict (tenant_id, month) do update set month = excluded.month;
            return null;
        end $$
        """
    )
    for table, event, condition in (
        ("companies", "update of closing_day", "old.closing_day <> new.closing_day"),
        ("fiscal_year_changes", "insert or update or delete", "true"),
    ):
        op.execute(
            f"create trigger mark_snapshots_of_calendar_stale after {event} on ledger.{table} "
            f"for each row when ({condition}) "
            "execute function ledger.mark_snapshots_of_calendar_stale()"
        )
    # So does another opinion of what is cash or 利益剰余金, in the months that have the account.
    op.execute(
        f"""
        create function ledger.mark_snapshots_of_account_stale()
        returns trigger language plpgsql as $$
        declare
            changed record := case tg_op when 'DELETE' then old else new end;
        begin
            if tg_table_name = 'account_mappings' then
                perform from (
                    select account_class from ledger.accounts
                    where tenant_id = changed.tenant_id and account_code = changed.account_code
                    union all select changed.account_class
                    union all select old.account_class where tg_op = 'UPDATE'
                    union all select account_class from ledger.account_mappings
                    where tenant_id = changed.tenant_id and account_code = changed.account_code
                ) classes
                where account_class in {_IN_ALL_MONTHS};
                if not found then
                    return null;
                end if;
            end if;
            insert into ledger.stale_snapshots
            select tenant_id, month from ledger.balance_snapshots
            where tenant_id = changed.tenant_id and account_code = changed.account_code order by 2
            on conflict (tenant_id, month) do update set month = excluded.month;
            return null;
        end $$
        """
    )
    for table, event, condition in (
        ("accounts", "insert", f"new.account_class in {_IN_ALL_MONTHS}"),
        (
            "accounts",
            "update of account_class",
            "old.account_class is distinct from new.account_class and "
            f"(old.account_class in {_IN_ALL_MONTHS} or new.account_class in {_IN_ALL_MONTHS})",
        ),
        ("account_mappings", "insert or update or delete", "true"),
    ):
        op.execute(
            f"create trigger mark_snapshots_of_account_stale_after_{event.split()[0]} "
            f"after {event} on ledger.{table} for each row when ({condition}) "
            "execute function ledger.mark_snapshots_of_account_stale()"
        )
    # Kind and status of a line are its entry's, and no line is without an entry: each reader takes
    # them from where it is fastest.
    op.execute(
        """
        create function ledger.refuse_lines_unlike_entry() returns trigger language plpgsql as $$
        declare
            line record;
        begin
            select l.tenant_id, l.posted_on, l.entry_id, l.line_no, e.entry_id is null as alone
            into line
            from changed l left join ledger.journal_entries e using (tenant_id, posted_on, entry_id)
            where (l.kind, l.status) is distinct from (e.kind, e.status)
            limit 1;
            if found then
                raise exception using
                    errcode = 'integrity_constraint_violation',
                    message = format(
                        'line %s of entry %s of %s (tenant %s) %s', line.line_no, line.entry_id,
                        line.posted_on, line.tenant_id, case when line.alone
                            then 'has no entry' else 'differs from its entry in kind or status' end
                    ),
                    hint = 'Write the entry first, then lines of the entry''s kind and status.';
            end if;
            return null;
        end $$
        """
    )
    for event in ("insert", "update"):
        op.execute(
            f"create trigger refuse_lines_unlike_entry_after_{event} "
            f"after {event} on ledger.journal_lines referencing new table as changed "
            "for each statement execute function ledger.refuse_lines_unlike_entry()"
        )
    op.execute(
        """
        create function ledger.refuse_entries_with_lines() returns trigger language plpgsql as $$
        declare
            line record;
        begin
            select tenant_id, posted_on, entry_id into line
            from removed join ledger.journal_lines using (tenant_id, posted_on, entry_id)
            where not exists (
                select from ledger.journal_entries e
                where (e.tenant_id, e.posted_on, e.entry_id)
                    = (removed.tenant_id, removed.posted_on, removed.entry_id)
            )
            limit 1;
            if found then
                raise exception using
                    errcode = 'integrity_constraint_violation',
                    message = format('entry %s of %s (tenant %s) still has lines',
                                     line.entry_id, line.posted_on, line.tenant_id),
                    hint = 'Delete the lines first, or set the entry''s status to cancelled.';
            end if;
            return null;
        end $$
        """
    )
    for event in ("update", "delete"):  # an update may move an entry to another day
        op.execute(
            f"create trigger refuse_entries_with_lines_after_{event} "
            f"after {event} on ledger.journal_entries referencing old table as removed "
            "for each statement execute function ledger.refuse_entries_with_lines()"
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
    # Calendar months in which an entry in another currency than the company's was written: where
    # to look for such entries, which nobody may add to the others.
    op.execute(
        """
        create table ledger.foreign_currency_months (
            tenant_id text not null,
            month date not null,
            primary key (tenant_id, month)
        )
        """
    )
    op.execute(
        """
        create function ledger.mark_foreign_currency() returns trigger language plpgsql as $$
        begin
            insert into ledger.foreign_currency_months
            select distinct tenant_id, date_trunc('month', posted_on)::date
            from changed join ledger.companies company using (tenant_id)
            where changed.currency <> company.currency order by 1, 2
            on conflict do nothing;
            return null;
        end $$
        """
    )
    for event in ("insert", "update"):
        op.execute(
            f"create trigger mark_foreign_currency_after_{event} "
            f"after {event} on ledger.journal_entries referencing new table as changed "
            "for each statement execute function ledger.mark_foreign_currency()"
        )
    op.execute(
        """
        create function ledger.refuse_other_currency() returns trigger language plpgsql as $$
        begin
            perform from ledger.journal_entries where tenant_id = new.tenant_id limit 1;
            if found then
                raise exception using
                    errcode = 'integrity_constraint_violation',
                    message = format('the books of tenant %s are kept in %s',
                                     new.tenant_id, old.currency),
                    hint = 'Replace its journal together with its currency.';
            end if;
            return new;
        end $$
        """
    )
    op.execute(
        "create trigger refuse_other_currency before update of currency on ledger.companies "
        "for each row when (old.currency <> new.currency) "
        "execute function ledger.refuse_other_currency()"
    )
    op.execute(
        """
        create procedure ledger.refresh_snapshots(tenants text[], month_start date)
        language sql as $$
            insert into ledger.stale_snapshots
            select distinct unnest(tenants), month_start order by 1
            on conflict (tenant_id, month) do update set month = excluded.month;
            delete from ledger.balance_snapshots
            where tenant_id = any(tenants) and month = month_start;
            insert into ledger.balance_snapshots
            select tenant_id, month_start, account_code,
                   debit, credit, closing_debit, closing_credit, opening_debit, opening_credit,
                   inflow, outflow, with_retained_earnings
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
    # Each time that a month was closed, and opened again. A month without a closing that still
    # stands is provisional (未締め・暫定).
    op.execute(
        """
        create table ledger.month_closings (
            tenant_id text not null references ledger.companies,
            month date not null check (extract(day from month) = 1),
            closed_at timestamptz not null default now(),
            closed_by text not null default 'import',
            reopened_at timestamptz,
            reopened_by text,
            reason text,
            check (num_nulls(reopened_at, reopened_by, reason) in (0, 3)),
            primary key (tenant_id, month, closed_at)
        )
        """
    )
    op.execute(
        "create unique index month_closings_standing on ledger.month_closings (tenant_id, month) "
        "where reopened_at is null"
    )


def downgrade() -> None:
    op.execute("drop schema ledger cascade")
