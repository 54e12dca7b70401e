{{- if joined "q" -}}
select count(*), coalesce(sum({{num "q" "question_score.score"}}), 0)
from {{tbl "question_score.copy_id"}} q
where {{raw "q" "question_score.copy_id"}} = $1::text::{{type "question_score.copy_id"}}
{{- end}}
