-- A size takes a share lock, which would wait behind an ALTER TABLE and whoever
-- waits for one, so what is locked like that is left out.
with locked as materialized (
  select relation from pg_locks
  where locktype = 'relation' and mode = 'AccessExclusiveLock' and database = (select oid from pg_database where datname = current_database())
), biggest as (
  select s.*, c.reltoastrelid, age(c.relfrozenxid) as xid_age, c.reltuples, s.relname = any($1::text[]) as grading
  from pg_stat_user_tables s join pg_class c on c.oid = s.relid
  order by s.relname = any($1::text[]) desc, greatest(c.relpages, (s.n_live_tup + s.n_dead_tup) / 100) desc
  limit $2
), judged as (
  select b.*, exists (select from locked l where l.relation = b.relid or l.relation = b.reltoastrelid
                      or l.relation in (select indexrelid from pg_index where indrelid = b.relid)) as locked
  from biggest b
)
select schemaname, relname, grading, locked,
       case when locked then -1 else pg_relation_size(relid) end, case when locked then -1 else pg_indexes_size(relid) end,
       case when locked then -1 when reltoastrelid = 0 then 0 else pg_total_relation_size(reltoastrelid) end,
       case when n_live_tup + n_dead_tup > 0 then n_live_tup else greatest(reltuples, 0)::bigint end, n_dead_tup,
       coalesce(seq_scan, 0), coalesce(seq_tup_read, 0), coalesce(idx_scan, 0),
       greatest(last_vacuum, last_autovacuum), greatest(last_analyze, last_autoanalyze), xid_age,
       case when grading then array(select attname::text from pg_attribute where attrelid = relid and attnum > 0 and not attisdropped) end
from judged
