{{- if and (joined "c") (joined "e") (has "copy.status") -}}
select {{txt "c" "copy.status"}}, count(*)
from {{tbl "copy.id"}} c
where not exists (select from {{tbl "event.id"}} e where {{raw "e" "event.copy_id"}} = {{raw "c" "copy.id"}})
group by 1
order by 1
{{- end}}
