select n.nspname, c.relname,
       array(select a.attname::text from unnest(k.conkey) with ordinality u(number, place)
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number order by u.place)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and c.relkind = 'r'
order by c.relname = any($1::text[]) desc, c.relpages desc
limit $2
