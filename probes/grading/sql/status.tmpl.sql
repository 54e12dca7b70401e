{{- if and (joined "c") (has "copy.status") -}}
select {{txt "c" "copy.status"}}, count(*) from {{tbl "copy.status"}} c group by 1 order by 1
{{- end}}
