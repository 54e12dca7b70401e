{{- if joined "s" -}}
select left({{txt "s" "score.scores_data"}}, 100000)
from {{tbl "score.copy_id"}} s
where {{raw "s" "score.copy_id"}} = $1::text::{{type "score.copy_id"}}
limit 2
{{- end}}
