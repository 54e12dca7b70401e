{{- /* Parts that other files include. */ -}}

{{- define "pages" -}}
{{- if and (joined "k") (joined "b") (has "booklet.pages_images") -}}
(select coalesce(sum(case when jsonb_typeof({{json "b" "booklet.pages_images"}}) = 'array'
                          then jsonb_array_length({{json "b" "booklet.pages_images"}}) else 0 end), 0)::int
 from {{tbl "copy_booklet.copy_id"}} k
 join {{tbl "booklet.id"}} b on {{raw "b" "booklet.id"}} = {{raw "k" "copy_booklet.booklet_id"}}
 where {{raw "k" "copy_booklet.copy_id"}} = {{.}})
{{- else -}} null::int {{- end -}}
{{- end -}}

{{- /* The last blocks of the event table: rows are only ever added, at its end. $1 is how many. */ -}}
{{- define "tail" -}}
{{- if tail -}}
e.ctid >= (select format('(%s,0)', greatest(pg_relation_size({{reg "event.id"}}) / current_setting('block_size')::int - $1::bigint, 0))::tid)
{{- else -}} $1::bigint is not null {{- end -}}
{{- end -}}

{{- define "event_select" -}}
select e.id::text, e.at, e.action, e.copy_id::text, {{txt "c" "copy.anonymous_id"}}, e.actor, {{txt "u" "user.username"}},
       case when octet_length(e.meta::text) <= 4096 then e.meta::text
            else jsonb_build_object('success', e.meta->'success', 'detail', left(e.meta->>'detail', 500), 'error', left(e.meta->>'error', 500),
                                    'retries', left(e.meta->>'retries', 20), 'filename', left(e.meta->>'filename', 200))::text end
from (select {{raw "e" "event.id"}} as id, {{ts "e" "event.timestamp"}} as at, {{txt "e" "event.action"}} as action,
             {{raw "e" "event.copy_id"}} as copy_id, {{int "e" "event.actor_id"}} as actor, {{json "e" "event.metadata"}} as meta
      from {{tbl "event.id"}} e
      where
{{- end -}}

{{- define "event_joins" -}}
) e
{{- if joined "c"}}
left join {{tbl "copy.id"}} c on {{raw "c" "copy.id"}} = e.copy_id
{{- end}}
{{- if joined "u"}}
left join {{tbl "user.id"}} u on {{raw "u" "user.id"}} = e.actor
{{- end}}
order by e.at desc, e.id desc
{{- end -}}

{{- /* What the copies w.copy_id have been through, by kind of event. */ -}}
{{- define "history_joins" -}}
cross join lateral (
  select {{txt "e" "event.action"}} as action, min({{ts "e" "event.timestamp"}}) as first, max({{ts "e" "event.timestamp"}}) as last
  from {{tbl "event.id"}} e
  where {{raw "e" "event.copy_id"}} = w.copy_id
    and {{txt "e" "event.action"}} in ('IMPORT', 'VALIDATE', 'LOCK', 'UNLOCK', 'CREATE_ANN', 'UPDATE_ANN', 'DELETE_ANN', 'FINALIZE')
  group by 1) h
left join {{tbl "copy.id"}} c on {{raw "c" "copy.id"}} = w.copy_id
order by w.copy_id, h.first
{{- end -}}

{{- define "history_select" -}}
select w.copy_id::text, {{txt "c" "copy.anonymous_id"}}, {{txt "c" "copy.status"}}, {{ts "c" "copy.validated_at"}}, {{ts "c" "copy.graded_at"}},
       h.action, h.first, h.last
{{- end -}}

{{- define "lock_select" -}}
select {{txt "l" "lock.id"}}, {{txt "l" "lock.copy_id"}}, {{txt "c" "copy.anonymous_id"}},
       {{int "l" "lock.owner"}}, {{txt "u" "user.username"}},
       {{ts "l" "lock.since"}}, {{ts "l" "lock.expires_at"}}, {{ts "l" "lock.expires_at"}} < now(),
       left({{txt "l" "lock.token"}}, 8), {{txt "c" "copy.status"}}, {{int "d" "draft.version"}}
from {{tbl "lock.copy_id"}} l
{{- if joined "c"}}
left join {{tbl "copy.id"}} c on {{raw "c" "copy.id"}} = {{raw "l" "lock.copy_id"}}
{{- end}}
{{- if joined "u"}}
left join {{tbl "user.id"}} u on {{raw "u" "user.id"}} = {{raw "l" "lock.owner"}}
{{- end}}
{{- if joined "d"}}
left join {{tbl "draft.copy_id"}} d
       on {{raw "d" "draft.copy_id"}} = {{raw "l" "lock.copy_id"}} and {{raw "d" "draft.owner_id"}} = {{raw "l" "lock.owner"}}
{{- end}}
{{- end -}}
