-- Sizes and definitions take a share lock, as in tables.sql.
with locked as materialized (
  select relation from pg_locks
  where locktype = 'relation' and mode = 'AccessExclusiveLock' and database = (select oid from pg_database where datname = current_database())
), judged as (
  select i.*, s.schemaname, s.relname, s.indexrelname, s.idx_scan, (to_jsonb(s) ->> 'last_idx_scan')::timestamptz as last_scan, c.relam, c.relpages,
         exists (select from locked l where l.relation in (i.indexrelid, i.indrelid)) as locked
  from pg_stat_user_indexes s
  join pg_index i on i.indexrelid = s.indexrelid
  join pg_class c on c.oid = s.indexrelid
  order by s.relname = any($1::text[]) desc, c.relpages desc
  limit $2
)
select schemaname, relname, indexrelname, case when locked then '' else coalesce(pg_get_indexdef(indexrelid), '') end,
       array(select coalesce(a.attname, '(expression)')::text
             from unnest(indkey::int2[]) with ordinality k(number, place)
             left join pg_attribute a on a.attrelid = indrelid and a.attnum = k.number and k.number <> 0
             where k.place <= indnkeyatts order by k.place),
       case when locked then -1 else pg_relation_size(indexrelid) end, coalesce(idx_scan, 0), last_scan,
       indisunique, indisprimary, exists (select from pg_constraint c where c.conindid = indexrelid and c.contype in ('p', 'u', 'x')),
       indisvalid, indpred is not null,
       concat_ws('/', relam, indnkeyatts, indkey::text, indclass::text, indcollation::text, indoption::text,
                 case when indexprs is null and indpred is null then ''
                      when locked then indexrelid::text -- not comparable now
                      else concat(pg_get_expr(indexprs, indrelid), '/', pg_get_expr(indpred, indrelid)) end)
from judged
order by relname = any($1::text[]) desc, relpages desc
