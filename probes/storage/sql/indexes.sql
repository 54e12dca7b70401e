with locked as materialized (
  select relation from pg_locks
  where locktype = 'relation' and mode = 'AccessExclusiveLock' and database = (select oid from pg_database where datname = current_database())
)
select s.schemaname, s.relname, s.indexrelname, coalesce(pg_get_indexdef(i.indexrelid), ''),
       array(select coalesce(a.attname, '(expression)')::text
             from unnest(i.indkey::int2[]) with ordinality k(number, place)
             left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number and k.number <> 0
             where k.place <= i.indnkeyatts order by k.place),
       case when exists (select from locked l where l.relation in (i.indexrelid, i.indrelid)) then -1 else pg_relation_size(i.indexrelid) end,
       coalesce(s.idx_scan, 0), (to_jsonb(s) ->> 'last_idx_scan')::timestamptz,
       i.indisunique, i.indisprimary, exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')),
       i.indisvalid, i.indpred is not null,
       concat_ws('/', c.relam, i.indnkeyatts, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
                 pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid))
from pg_stat_user_indexes s
join pg_index i on i.indexrelid = s.indexrelid
join pg_class c on c.oid = s.indexrelid
order by s.relname = any($1::text[]) desc, c.relpages desc
limit $2
