-- 69_labels: labels of the local tracker's items (P-11). The pipeline hears of them through the inbox, like of any other tracker.

create function orch.labels_read(p_labels text) returns text[]
language plpgsql immutable as $$
declare
        labels text[] := array(select distinct w from regexp_split_to_table(coalesce(p_labels, ''), '[\s,]+') w where w <> '' order by w);
begin
        if exists (select from unnest(labels) w where w !~ '^[A-Za-z0-9._:/-]{1,64}$') or cardinality(labels) > 50 then
                perform orch.refuse('OR003', 'a label has 1 to 64 letters, digits, dots, dashes, colons, slashes or underscores; an item has 50 at most');
        end if;
        return labels;
end
$$;
comment on function orch.labels_read(text) is 'Labels as they were typed, separated by blanks or commas; OR003 when one is none';

create function orch.item_label(p_work_item text, p_label text, p_on boolean default true) returns jsonb
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
        wanted text[] := orch.labels_read(p_label);
        before orch.local_item;
        i orch.local_item;
begin
        select * into before from orch.local_item where work_item = p_work_item for no key update;
        if not found then
                perform orch.refuse('OR001', format('the local tracker has no item %s', orch.quoted(p_work_item)), 'List them with: orchctl item list');
        elsif wanted = '{}' then
                perform orch.refuse('OR003', 'a label is missing');
        end if;
        update orch.local_item set
                labels = array(select w from unnest(before.labels) w where w <> all (wanted)) || case when p_on then wanted else '{}' end,
                labelled_by = case when p_on then before.labelled_by || (select jsonb_object_agg(w, orch.actor()) from unnest(wanted) w where w <> all (before.labels))
                                   else before.labelled_by - wanted end
        where id = before.id and (p_on and not wanted <@ before.labels or not p_on and wanted && before.labels);
        select * into i from orch.local_item where id = before.id;
        if i.labels <> before.labels then
                perform orch.local_event(i, null, null);
        end if;
        perform orch.audit_act('item_label', i.work_item, jsonb_build_object('label', p_label, 'on', p_on), orch.item_json(before), orch.item_json(i));
        return orch.item_json(i) || jsonb_build_object('message', format('%s has %s', i.work_item, coalesce('the labels ' || nullif(array_to_string(i.labels, ', '), ''), 'no label')));
end
$$;
comment on function orch.item_label(text, text, boolean) is 'P-11: gives a work item of the local tracker labels, or takes them away; who gave each is kept';
