with visible as (
  select queryid, calls, rows, {total} as total, {max} as longest, left(query, 4000) as query
  from {schema}.pg_stat_statements
  where queryid is not null and dbid = (select oid from pg_database where datname = current_database())
), grouped as (
  select queryid, sum(calls)::bigint as calls, sum(rows)::bigint as rows, sum(total) as total, max(longest) as longest, min(query) as query
  from visible
  group by queryid
), ranked as (
  select *, row_number() over (order by total desc, queryid) as by_time, row_number() over (order by calls desc, queryid) as by_calls
  from grouped
)
select queryid, query, calls, rows, total / 1000, longest / 1000
from ranked
where by_time <= $1 or by_calls <= $1
order by total desc, queryid
