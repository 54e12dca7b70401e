select clock_timestamp(), current_database(), current_user, current_setting('server_version'), pg_database_size(current_database()),
       d.blks_hit, d.blks_read, d.stats_reset, o.age, o.datname, current_setting('autovacuum_freeze_max_age')::bigint,
       (select setting from pg_settings where name = 'data_directory'),
       inet_server_addr() is null or inet_server_addr() = inet_client_addr(),
       pg_has_role(current_user, 'pg_read_all_stats', 'usage'), pg_has_role(current_user, 'pg_read_all_settings', 'usage'),
       pg_is_in_recovery(), extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint,
       (select count(*) from pg_stat_user_tables),
       coalesce(x.extversion, ''), coalesce(quote_ident(n.nspname), ''), coalesce(has_schema_privilege(n.oid, 'usage'), false),
       coalesce(current_setting('pg_stat_statements.max', true), '') <> ''
from pg_stat_database d
cross join (select age(datfrozenxid), datname from pg_database where datallowconn order by 1 desc limit 1) o
left join pg_extension x on x.extname = 'pg_stat_statements'
left join pg_namespace n on n.oid = x.extnamespace
where d.datname = current_database()
