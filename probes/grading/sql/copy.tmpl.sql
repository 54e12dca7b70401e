{{- if joined "c" -}}
select now(), {{txt "c" "copy.id"}}, {{txt "c" "copy.anonymous_id"}}, {{txt "c" "copy.status"}},
       {{txt "x" "exam.name"}}, {{ts "x" "exam.created_at"}},
       {{if joined "k"}}(select count(*) from {{tbl "copy_booklet.copy_id"}} k where {{raw "k" "copy_booklet.copy_id"}} = {{raw "c" "copy.id"}}){{else}}null::bigint{{end}},
       {{template "pages" (raw "c" "copy.id")}},
       {{txt "c" "copy.pdf_source"}}, {{txt "c" "copy.final_pdf"}},
       {{ts "c" "copy.created_at"}}, {{ts "c" "copy.validated_at"}}, {{ts "c" "copy.assigned_at"}}, {{ts "c" "copy.graded_at"}}, {{ts "c" "copy.locked_at"}},
       {{int "c" "copy.locked_by_id"}}, {{if joined "u"}}(select {{txt "u" "user.username"}} from {{tbl "user.id"}} u where {{raw "u" "user.id"}} = {{raw "c" "copy.locked_by_id"}}){{else}}null::text{{end}},
       {{int "c" "copy.assigned_corrector"}}, {{if joined "u"}}(select {{txt "u" "user.username"}} from {{tbl "user.id"}} u where {{raw "u" "user.id"}} = {{raw "c" "copy.assigned_corrector"}}){{else}}null::text{{end}},
       left({{txt "c" "copy.error"}}, 2000), {{int "c" "copy.retries"}}, {{num "c" "copy.score"}}
from {{tbl "copy.id"}} c
{{- if joined "x"}}
left join {{tbl "exam.id"}} x on {{raw "x" "exam.id"}} = {{raw "c" "copy.exam_id"}}
{{- end}}
where {{raw "c" "copy.id"}} = $1::text::{{type "copy.id"}}
{{- end}}
