{{- if joined "e" -}}
select {{int "e" "event.actor_id"}}, {{txt "u" "user.username"}}, count(*)
from {{tbl "event.id"}} e
{{- if joined "u"}}
left join {{tbl "user.id"}} u on {{raw "u" "user.id"}} = {{raw "e" "event.actor_id"}}
{{- end}}
where {{raw "e" "event.copy_id"}} = $1::text::{{type "event.copy_id"}} and {{txt "e" "event.action"}} = 'FINALIZE'
group by 1, 2
order by 1
{{- end}}
