{{- if joined "a" -}}
select {{int "a" "annotation.page"}}, count(*), coalesce(sum({{num "a" "annotation.points"}}), 0)
from {{tbl "annotation.copy_id"}} a
where {{raw "a" "annotation.copy_id"}} = $1::text::{{type "annotation.copy_id"}}
group by 1
order by 1
{{- end}}
