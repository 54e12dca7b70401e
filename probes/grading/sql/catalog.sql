select current_database()::text, current_user::text, current_setting('server_version'), pg_is_in_recovery(),
       coalesce(schema_name, ''), coalesce(table_name, ''), coalesce(column_name, ''), coalesce(type_name, ''),
       coalesce(not_null, false), coalesce(filled, false), coalesce(visible, false), coalesce(readable, false),
       coalesce(ins, false), coalesce(upd, false), coalesce(any_ins, false), coalesce(any_upd, false), coalesce(del, false),
       coalesce(tail, false)
from (select) as facts
left join (
  select n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
         a.attnotnull,
         a.atthasdef or a.attidentity <> '',
         pg_table_is_visible(c.oid),
         has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select'),
         has_column_privilege(c.oid, a.attnum, 'insert'),
         has_column_privilege(c.oid, a.attnum, 'update'),
         has_any_column_privilege(c.oid, 'insert'),
         has_any_column_privilege(c.oid, 'update'),
         has_table_privilege(c.oid, 'delete'),
         c.relkind = 'r' and has_table_privilege(c.oid, 'select')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relname = any($1::text[])
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and n.nspname not in ('pg_catalog', 'information_schema')
    and n.nspname not like 'pg\_temp\_%'
) as t(schema_name, table_name, column_name, type_name, not_null, filled, visible, readable, ins, upd, any_ins, any_upd, del, tail) on true
