select count(distinct queryid), count(*) filter (where queryid is null), coalesce(sum({total}), 0) / 1000, {since}
from {schema}.pg_stat_statements(false)
where dbid = (select oid from pg_database where datname = current_database())
