-- What one session holds and waits for. Relations of other databases cannot be
-- named from here.
select l.locktype, l.mode, l.granted, {waitstart}, coalesce(n.nspname::text, ''), coalesce(c.relname::text, ''),
  coalesce(c.relkind::text, ''), coalesce(l.page, -1), coalesce(l.tuple, -1), coalesce(l.transactionid::text, l.virtualxid, ''),
  count(*) over ()::int
from pg_locks l
left join pg_class c on c.oid = l.relation and l.database = (select oid from pg_database where datname = current_database())
left join pg_namespace n on n.oid = c.relnamespace
where l.pid = $1 and l.locktype <> 'virtualxid'
order by l.granted, (c.relkind in ('r', 'p', 'm')) desc nulls last, n.nspname = 'pg_catalog', c.relname, l.mode
limit 200
