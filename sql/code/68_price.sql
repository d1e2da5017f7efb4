-- 68_price: acts on what tokens cost (J-7). A price counts from its day on, so what was spent before is not told anew.

create function orch.price_list() returns jsonb
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
        select jsonb_build_object('prices', coalesce(jsonb_agg(to_jsonb(m) order by m.model, m.since), '[]')) from orch.model_price m;
end;
comment on function orch.price_list() is 'J-7: what tokens cost, in dollars per million, by the beginning of the model''s name and from which day on';

create function orch.price_number(p_what text, p_text text, p_standard numeric) returns numeric
language plpgsql stable as $$
begin
        if p_text is null and p_standard is not null then
                return p_standard;
        elsif p_text is null or p_text !~ '^[0-9]{1,6}(\.[0-9]{1,6})?$' then
                perform orch.refuse('OR003', format('%s is no price for %s', orch.quoted(p_text), p_what), 'Dollars per million tokens, as in 15 or 18.75');
        end if;
        return p_text::numeric;
end
$$;
comment on function orch.price_number(text, text, numeric) is 'A price as somebody has typed it; refused when it is none';

create function orch.price_day(p_text text) returns date
language plpgsql stable as $$
begin
        return coalesce(p_text::date, (clock_timestamp() at time zone 'UTC')::date);
exception when data_exception then
        perform orch.refuse('OR003', format('%s is no day', orch.quoted(p_text)), 'As in 2027-01-31');
end
$$;
comment on function orch.price_day(text) is 'A day as somebody has typed it; today (UTC) when there is none';

create function orch.price_done(p_act text, p_object text, p_before jsonb, p_said text) returns jsonb
language plpgsql as $$
declare
        after jsonb := orch.price_list();
begin
        if after <> p_before then
                perform orch.record('setting', orch.actor(), null, null, null, jsonb_build_object('price', p_object, 'message', p_said));
        end if;
        perform orch.audit_act(p_act, p_object, '{}', p_before, after);
        return after || jsonb_build_object('message', p_said);
end
$$;
comment on function orch.price_done(text, text, jsonb, text) is 'History, audit and answer of a price that was set or removed';

create function orch.price_set(p_model text, p_input text, p_output text, p_cache_read text default null, p_cache_write text default null, p_since text default null) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb;
        day date := orch.price_day(p_since);
        price_in numeric := orch.price_number('input', p_input, null);
        price_out numeric := orch.price_number('output', p_output, null);
        price_read numeric := orch.price_number('cache_read', p_cache_read, price_in / 10);
        price_write numeric := orch.price_number('cache_write', p_cache_write, price_in * 1.25);
begin
        if coalesce(p_model, '') !~ '^[!-~]{1,200}$' then
                perform orch.refuse('OR003', format('%s cannot be the name of a model', orch.quoted(p_model)), 'Its beginning is enough, as in claude-opus-4');
        end if;
        lock table orch.model_price in share row exclusive mode; -- before and after are of this act alone
        before := orch.price_list();
        insert into orch.model_price as m (model, since, input, output, cache_read, cache_write) values (p_model, day, price_in, price_out, price_read, price_write)
        on conflict (model, since) do update set input = excluded.input, output = excluded.output, cache_read = excluded.cache_read, cache_write = excluded.cache_write;
        return orch.price_done('price_set', p_model, before, format('%s costs %s in, %s out, %s remembered and %s to remember, dollars per million tokens, from %s on',
                p_model, price_in, price_out, trim_scale(price_read), trim_scale(price_write), day));
end
$$;
comment on function orch.price_set(text, text, text, text, text, text) is
        'J-7: what tokens of a model cost from a day on, today when it is not said; remembered ones a tenth of the input, to remember them a quarter more than it, unless said otherwise';

create function orch.price_remove(p_model text, p_since text) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        before jsonb;
        day date;
begin
        if p_since is null then
                perform orch.refuse('OR003', 'which price? The day from which on it counts is missing', 'List them with: orchctl price list');
        end if;
        day := orch.price_day(p_since);
        lock table orch.model_price in share row exclusive mode;
        before := orch.price_list();
        delete from orch.model_price where model = p_model and since = day;
        return orch.price_done('price_remove', p_model, before, format(case when found then 'the price of %s from %s on is removed' else '%s has no price from %s on' end, p_model, day));
end
$$;
comment on function orch.price_remove(text, text) is 'J-7: takes a price away; the one before it counts on, or else the dearest of all';
