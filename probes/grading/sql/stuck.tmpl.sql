{{- if and (joined "c") (has "copy.status") -}}
with sick as (
  select {{raw "c" "copy.id"}} as key, {{txt "c" "copy.anonymous_id"}} as anon, {{txt "c" "copy.status"}} as status,
         {{raw "c" "copy.exam_id"}} as exam, {{int "c" "copy.locked_by_id"}} as locked_by, {{ts "c" "copy.locked_at"}} as locked_at,
         {{ts "c" "copy.graded_at"}} as graded_at, {{ts "c" "copy.created_at"}} as created_at,
         left({{txt "c" "copy.error"}}, 500) as error, {{int "c" "copy.retries"}} as retries,
         {{ts "l" "lock.expires_at"}} as expires, {{ts "l" "lock.since"}} as lock_since, {{int "l" "lock.owner"}} as owner
  from {{tbl "copy.id"}} c
  {{- if joined "l"}}
  left join {{tbl "lock.copy_id"}} l on {{raw "l" "lock.copy_id"}} = {{raw "c" "copy.id"}}
  {{- end}}
  where {{raw "c" "copy.status"}} in ('STAGING', 'LOCKED', 'GRADING_IN_PROGRESS', 'GRADING_FAILED')
  {{- if has "copy.final_pdf"}}
     or ({{raw "c" "copy.status"}} = 'GRADED' and coalesce({{raw "c" "copy.final_pdf"}}, '') = '')
  {{- end}}
), paged as (
  select s.*, case when s.status = 'STAGING' then {{template "pages" "s.key"}} end as staged_pages
  from sick s
  offset 0
), told as (
  select s.*,
         {{if and (joined "x") (has "copy.exam_id")}}{{ts "x" "exam.created_at"}}{{else}}null::timestamptz{{end}} as exam_created,
         ev.*
  from paged s
  {{- if and (joined "x") (has "copy.exam_id")}}
  left join {{tbl "exam.id"}} x on s.status = 'STAGING' and {{raw "x" "exam.id"}} = s.exam
  {{- end}}
  {{- if joined "e"}}
  left join lateral (
    select max(e.at) filter (where e.action = 'IMPORT' and e.meta->>'reconstructed' is distinct from 'true') as imported,
           max(e.at) filter (where e.action = 'LOCK' and e.meta->>'reconstructed' is distinct from 'true') as lock_event,
           max(e.at) filter (where e.action = 'FINALIZE') as finalized, max(e.at) as last_event,
           (array_agg(e.meta order by e.at desc) filter (where e.action = 'FINALIZE'))[1] as outcome
    from (select {{txt "e" "event.action"}} as action, {{ts "e" "event.timestamp"}} as at, {{json "e" "event.metadata"}} as meta
          from {{tbl "event.id"}} e
          where {{raw "e" "event.copy_id"}} = s.key
            and {{raw "e" "event.timestamp"}} >= case when s.status = 'LOCKED' then coalesce(s.lock_since - interval '1 second', '-infinity') else '-infinity' end
            and (s.status <> 'STAGING' or s.staged_pages = 0)) e) ev on true
  {{- else}}
  cross join (select null::timestamptz as imported, null::timestamptz as lock_event, null::timestamptz as finalized,
                     null::timestamptz as last_event, null::jsonb as outcome) ev
  {{- end}}
), judged as (
  select t.*, case
    when status = 'STAGING' then case when staged_pages = 0 then 'import' end
    when status = 'GRADING_FAILED' then 'failed'
    when status = 'GRADING_IN_PROGRESS' then 'in-progress'
    when status = 'GRADED' then 'no-pdf'
    when $1::bool then 'dead-end'
    when outcome->>'success' = 'false' and (lock_event is null or lock_event < finalized) then 'failed'
    {{- if not (joined "l")}}
    when true then null
    {{- end}}
    when expires is null then 'no-lock'
    when expires < now() then 'expired' end as cause
  from told t
  offset 0
), dated as (
  select j.*, {{since "time"}} as since, {{since "index"}} as since_from
  from judged j
  where cause is not null
  offset 0
), overdue as (
  select *
  from dated
  where case cause
    when 'expired' then expires < now() - $4::float8 * interval '1 second'
    when 'import' then coalesce(since < now() - $2::float8 * interval '1 second', true)
    when 'in-progress' then coalesce(since < now() - $3::float8 * interval '1 second', true)
    when 'no-lock' then coalesce(since < now() - $4::float8 * interval '1 second', true)
    when 'dead-end' then coalesce(since < now() - $4::float8 * interval '1 second', true)
    else true end
), kept as (
  select *
  from overdue
  order by since nulls last, key
  limit $5
)
select m.key::text, m.anon, m.status, m.cause, m.since, m.since_from, m.expires, coalesce(m.owner, m.locked_by), {{txt "u" "user.username"}},
       {{template "pages" "m.key"}}, coalesce(m.error, ''), left(m.outcome->>'detail', 500), left(m.outcome->>'error', 500),
       left(m.outcome->>'retries', 20), (select jsonb_object_agg(n.cause, n.copies) from (select cause, count(*) as copies from overdue group by 1) n)
from kept m
{{- if joined "u"}}
left join {{tbl "user.id"}} u on {{raw "u" "user.id"}} = coalesce(m.owner, m.locked_by)
{{- end}}
order by m.since nulls last, m.key
{{- end}}
