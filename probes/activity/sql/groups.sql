-- The connections by database, user and application.
select coalesce(a.datname, '')::text, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), {app},
  count(*)::int,
  count(*) filter (where a.state = 'active')::int,
  count(*) filter (where a.state = 'idle')::int,
  count(*) filter (where a.state like 'idle in transaction%')::int
from pg_stat_activity a left join pg_roles r on r.oid = a.usesysid
where {counted}
group by 1, 2, 3, 4
order by 5 desc, 2, 3
limit 50
