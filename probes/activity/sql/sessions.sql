-- Every session that is at work, in a transaction, waiting for a lock or in the
-- way of one that does, and those asked for ($1); the idle ones are only
-- counted. pg_blocking_pids holds up the lock manager for a moment, so only
-- sessions that wait for a lock are asked about. A role without
-- pg_read_all_stats does not see who waits, but pg_locks hides nothing.
with waiting as materialized (
  select w.pid, pg_blocking_pids(w.pid) as blockers
  from (
    select a.pid from pg_stat_activity a where a.wait_event_type = 'Lock'
    union
    select l.pid from pg_locks l where not l.granted and l.pid is not null and not pg_has_role('pg_read_all_stats', 'usage')
    order by 1 limit {most}
  ) w
), blocking as materialized (
  select distinct unnest(blockers) as pid from waiting
), looked_at as materialized (
  select pid from waiting
  union select pid from blocking
  union (select a.pid from pg_stat_activity a where a.state like 'idle in transaction%' order by a.xact_start limit 50)
), locks as materialized (
  select l.pid,
    (array_agg(c.relname::text order by c.relname, l.mode) filter (where l.granted and l.locktype = 'relation'))[1:20] as held,
    (array_agg(l.mode order by c.relname, l.mode) filter (where l.granted and l.locktype = 'relation'))[1:20] as modes,
    max(c.relname::text) filter (where not l.granted or l.locktype = 'tuple') as wants,
    bool_or(l.locktype = 'tuple') as wants_row,
    min({waitstart}) filter (where not l.granted) as since
  from pg_locks l
  left join pg_class c on c.oid = l.relation and l.database = (select oid from pg_database where datname = current_database())
    and c.relkind in ('r', 'p', 'm') and c.relnamespace <> 'pg_catalog'::regnamespace
  where exists (select from looked_at) and l.pid in (select pid from looked_at) and (c.oid is not null or not l.granted)
  group by l.pid
)
select a.pid, a.backend_start, coalesce(a.datname, '')::text, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), {app},
  coalesce(host(a.client_addr), ''), coalesce(a.client_port, -1), coalesce(a.backend_type, ''), coalesce(a.state, ''),
  a.state_change, a.xact_start, a.query_start, coalesce(a.wait_event_type, ''), coalesce(a.wait_event, ''),
  a.backend_xid is not null, coalesce(left(a.query, case when a.pid = any($1::int[]) then {whole} else {short} end), ''), {leader}, {query_id},
  coalesce(w.blockers, '{}'), coalesce(k.held, '{}'), coalesce(k.modes, '{}'), coalesce(k.wants, ''), coalesce(k.wants_row, false), k.since,
  coalesce(r.rolsuper, false), coalesce(pg_has_role(a.usesysid, 'usage'), false), coalesce(a.query = '<insufficient privilege>', false),
  count(*) over ()::int
from pg_stat_activity a
left join pg_roles r on r.oid = a.usesysid
left join waiting w on w.pid = a.pid
left join locks k on k.pid = a.pid
where (a.pid <> pg_backend_pid() or a.pid = any($1::int[]))
  and (a.state <> 'idle' or w.pid is not null or a.pid in (select pid from blocking) or a.pid = any($1::int[]))
order by (w.pid is not null or a.pid in (select pid from blocking) or a.pid = any($1::int[])) desc, a.xact_start nulls last, a.pid
limit {most}
