{{- if joined "e" -}}
select t.action, count(*), count(*) filter (where t.recent), count(*) filter (where t.recent and t.failed), min(t.at), max(t.at),
       {{if tail}}pg_relation_size({{reg "event.id"}}) / current_setting('block_size')::int <= $1::bigint{{else}}true{{end}},
       case when grouping(t.action) = 1 then
         (array_agg(t.copy_id || '@' || extract(epoch from t.at)::bigint order by t.at desc)
            filter (where t.recent and t.action = 'FINALIZE' and t.failed is not true))[1:1000] end
from (select {{txt "e" "event.action"}} as action, {{ts "e" "event.timestamp"}} as at, {{ts "e" "event.timestamp"}} > now() - interval '1 hour' as recent,
             {{txt "e" "event.action"}} = 'FINALIZE' and {{json "e" "event.metadata"}}->>'success' = 'false' as failed, {{txt "e" "event.copy_id"}} as copy_id
      from {{tbl "event.id"}} e
      where {{template "tail"}}) t
group by grouping sets ((), (t.action))
order by grouping(t.action) desc, t.action
{{- end}}
