-- Who we are, what we may see, and how many connections there may be.
-- {counted} tells which sessions take a slot of max_connections: client
-- backends, and nothing else since PostgreSQL 12.
select clock_timestamp(),
  current_user::text,
  pg_backend_pid(),
  pg_has_role('pg_read_all_stats', 'usage'),
  pg_has_role('pg_signal_backend', 'usage'),
  coalesce((select rolsuper from pg_roles where rolname = current_user), false),
  (select rolname::text from pg_roles where oid = {owner}),
  coalesce(pg_has_role({owner}, 'usage'), false),
  current_setting('max_connections')::int,
  current_setting('superuser_reserved_connections')::int,
  coalesce(current_setting('reserved_connections', true), '0')::int,
  (select datconnlimit from pg_database where datname = current_database()),
  coalesce((select rolconnlimit from pg_roles where oid = {owner}), -1),
  count(*) filter (where {counted})::int,
  count(*) filter (where a.query = '<insufficient privilege>' and {counted})::int,
  count(*) filter (where a.state = 'idle' and {counted})::int,
  count(*) filter (where {counted} and a.datname = current_database())::int,
  count(*) filter (where {counted} and a.usesysid = {owner})::int,
  min(a.xact_start) filter (where a.pid <> pg_backend_pid() and {counted})
from pg_stat_activity a
