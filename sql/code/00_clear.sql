-- 00_clear: everything under sql/code/ is made anew, in one transaction, whenever any of it has changed: views and
-- functions that are no longer in the files are gone. What tables depend on (in the migrations) stays.
set local role orch_owner;

do $$
declare
        name text;
begin
        -- The names are read before anything is dropped: a cascade takes others along, whose names would then be numbers.
        foreach name in array array(select c.oid::regclass::text from pg_class c
                 where c.relnamespace = 'orch'::regnamespace and c.relkind = 'v')
        loop
                execute format('drop view if exists %s cascade', name);
        end loop;
        foreach name in array array(select p.oid::regprocedure::text from pg_proc p
                 where p.pronamespace = 'orch'::regnamespace
                   and not exists (select from pg_depend d where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
                                   and d.deptype in ('n', 'a') and d.classid in ('pg_trigger'::regclass, 'pg_attrdef'::regclass,
                                           'pg_constraint'::regclass, 'pg_class'::regclass)))
        loop
                execute format('drop function if exists %s cascade', name);
        end loop;
end
$$;
