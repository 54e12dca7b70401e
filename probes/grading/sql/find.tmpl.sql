{{- if joined "c" -}}
select m.id, m.anon, m.exact, m.beginning
from (select {{txt "c" "copy.id"}} as id, {{txt "c" "copy.anonymous_id"}} as anon,
             coalesce(lower({{txt "c" "copy.anonymous_id"}}) = t.term, false) or lower({{txt "c" "copy.id"}}) = t.term as exact,
             coalesce(starts_with(lower({{txt "c" "copy.anonymous_id"}}), t.term), false) or starts_with(lower({{txt "c" "copy.id"}}), t.term) as beginning,
             coalesce(starts_with(lower({{txt "c" "copy.anonymous_id"}}), left(t.term, greatest(length(t.term) - 2, 4))), false)
               or coalesce(position(t.term in lower({{txt "c" "copy.anonymous_id"}})) > 0, false) as near
      from {{tbl "copy.id"}} c, (select lower($1::text) as term) t
      where t.term <> '') m
where m.exact or m.beginning or m.near
order by m.exact desc, m.beginning desc, m.anon, m.id
limit $2
{{- end}}
