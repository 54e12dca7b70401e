package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/ui"
)

// nightBook is a playbook with a step for each verdict. Its texts are as long
// as those of the built-in ones.
const nightBook = `
name: import-stuck
title: Import stuck
section: "3"
when:
  - A PDF was uploaded and its copy stays in STAGING.
  - A copy has no page after several minutes.
  - The import's progress stands at 0 %.
asks: copy
steps:
  - id: attempts
    title: Recent imports in the logs
    section: 3.2/1
    why: |
      Every failed import leaves a line, and it names the copy and the user.
      An import over HTTP that succeeds leaves none: silence is a good sign.
    look: {logs: 'pattern:import since:24h'}
    by_hand:
      deployed: |
        docker compose --env-file .env -f infra/docker/docker-compose.prod.yml logs --no-color --since 24h backend celery | grep -E 'import_pdf|batch_import|Async import|copies/import/' | tail -50
      note: The log files are inside the containers, rotated, and since 2026-02-07 there are none; the word IMPORT is in no line.
  - id: copy-status
    title: How far the copy came
    section: 3.2/2
    why: |
      Stuck is STAGING without a page. STAGING with pages is the normal state
      after an exam upload: it waits for somebody to identify and validate it.
    look: {page: 'copy {copy}'}
    by_hand:
      deployed: |
        psql "$DATABASE_URL" -v copy={copy_id} <<'SQL'
        SELECT c.anonymous_id, c.status, count(b.id) AS booklets,
               coalesce(sum(jsonb_array_length(b.pages_images)), 0) AS pages
        FROM exams_copy c
        LEFT JOIN exams_copy_booklets l ON l.copy_id = c.id
        LEFT JOIN exams_booklet b ON b.id = l.booklet_id
        WHERE c.id::text = :'copy'
        GROUP BY c.id;
        SQL
      note: The column is pages_images, a list; there is no pages_count.
  - id: queue
    title: What waits in the queues
    section: 3.2/3
    why: A queue that grows is short of workers; one that stands still has none.
    look: {pane: queue}
    verdicts:
      - {when: 'rows > 0', is: suspicious, says: "{n} rows of waiting tasks; the oldest waits longer than an import takes."}
    by_hand: {deployed: 'redis-cli -n {broker_db} llen celery'}
  - id: worker
    title: The workers
    section: 3.2/4
    why: |
      A worker that hangs still holds its tasks; one that the kernel killed gives
      them back after an hour.
    look: {causes: [worker-oom, orphaned-unacked]}
    verdicts:
      - {when: 'found("worker-oom")', is: cause, rule: worker-oom, says: The import needed more memory than there is.}
    by_hand:
      deployed: |
        docker compose --env-file .env -f infra/docker/docker-compose.prod.yml exec -T celery celery -A core inspect ping
        docker compose --env-file .env -f infra/docker/docker-compose.prod.yml exec -T celery celery -A core inspect active
      note: inspect active says nothing of those that wait, nor whether anybody takes their queue; an upload over HTTP uses no task at all.
  - id: disk
    title: Room on the disks
    section: 3.2/5
    why: A full disk refuses every page.
    look: {command: [df, -h]}
causes: [worker-oom, orphaned-unacked, queue-backlog, disk-full]
actions:
  - {action: retry, on: copy, target: '{copy_id}', section: 3.4/2, why: The task that should have made the pages failed or was lost., consequence: "The import runs once more; if it had made pages already, they would be made again."}
advice:
  - title: Restart the worker by hand
    section: 3.4/1
    says: >-
      First make sure that no message kills it: a poisoned message takes every new worker with it. Then restart it and
      see it answer. Set restart_command and the cockpit does this itself.
    text:
      deployed: |
        docker compose --env-file .env -f infra/docker/docker-compose.prod.yml restart celery
        docker compose --env-file .env -f infra/docker/docker-compose.prod.yml exec -T celery celery -A core inspect ping
      note: There is no systemd or supervisor unit here; the worker is a service of docker compose.
prevent:
  - Watch the workers' heartbeat and whether each queue is taken; alert when either fails for two minutes.
  - Check a PDF when it is uploaded - that it opens, its pages, its size.
escalate:
  - {to: Development Team, when: 'failed_attempts >= 2', says: A remedy failed twice.}
  - {to: Database Admin, when: 'found("worker-oom")', says: The machine is short of memory; somebody must say what may be stopped.}
`

// nightSources give what the steps of the night see.
type nightSources struct {
	hold    chan struct{} // Command waits for it to close; nil: it fails
	hostile bool
}

func (n *nightSources) text(s string) string {
	if n.hostile {
		return sample.Hostile
	}
	return s
}

func (n *nightSources) Logs(context.Context, string) (playbook.Table, error) {
	if n.hostile {
		return playbook.Table{}, errors.New(sample.Hostile)
	}
	return playbook.Table{}, &probes.Error{Source: probes.Logs, Op: "read django.log", Cause: "permission denied", Next: "chmod o+r /srv/grading/logs/django.log."}
}

func (n *nightSources) Page(context.Context, probes.Set, string, string) (playbook.Table, error) {
	return playbook.Table{Lines: []string{n.text("status       STAGING since 14m, by first seen"), n.text("exam         Maths Terminale 2026"), n.text("pages        12 in 3 booklets"), n.text("annotations  none"),
		"", n.text("14:16:45  IMPORT  admin  12 pages")}}, nil
}

func (n *nightSources) Pane(context.Context, probes.Set, string, string) (playbook.Table, error) {
	t := playbook.Table{Columns: []string{"QUEUE", "TASK", "WAITING", "OLDEST", "COPY", "ARGUMENTS"}, Note: n.text("Only the first 25 of each queue were looked at"), More: 1216}
	for i := range 25 {
		t.Rows = append(t.Rows, []string{"celery", n.text("async_import_pdf"), fmt.Sprint(i * i), fmt.Sprintf("%dm", 59-i), n.text(fmt.Sprintf("A3F2-%04d", i)), n.text(fmt.Sprintf(`["scan_%04d.pdf", 3]`, i))})
	}
	return t, nil
}

func (n *nightSources) SQL(context.Context, string, []any) (playbook.Table, error) {
	return playbook.Table{}, nil
}

func (n *nightSources) Command(ctx context.Context, _ []string) (playbook.Table, error) {
	if n.hold != nil {
		select {
		case <-n.hold:
		case <-ctx.Done():
		}
	}
	return playbook.Table{}, ctx.Err()
}

// night has a stage with the findings of a bad night, and a playbook that leads
// through them.
func night(hostile bool) func(*stage, *Config) {
	return func(s *stage, c *Config) {
		text := nightBook
		if hostile {
			c.Judge = sample.HostileNight
		} else {
			c.Judge = sample.Night
		}
		s.bench.more = append(s.bench.more,
			&fakeAction{id: "restart", title: "Restart worker", kinds: []actions.TargetKind{"worker"}, disabled: func(actions.Target) string {
				return "restart_command is not set: the cockpit cannot restart a worker here."
			}},
			&fakeAction{id: "revoke", title: "Revoke task", kinds: []actions.TargetKind{"task"}})
		c.Books = []*playbook.Playbook{testBook(s.t, text), testBook(s.t, locksBook)}
		c.Sources = &nightSources{hold: make(chan struct{}), hostile: hostile}
		c.SaveHandOver = func(name, _ string) (string, error) { return "/state/handover-" + name + ".md", nil }
		c.Place = func(_ context.Context, _ probes.Set, id string) (playbook.Place, error) {
			copyRef := grading.CopyRef{ID: id, Anon: "A3F2-0042"}
			if hostile {
				copyRef.Anon = sample.Hostile
			}
			return playbook.Place{Dialect: grading.Deployed, Names: map[string]string{"log_dir": "/srv/grading/logs", "broker_db": "1"}, Copy: copyRef}, nil
		}
	}
}

// guideScenes are the pages of the guide, each with the keys that lead there.
func guideScenes() []scene {
	all := []size{{60, 15}, {80, 24}, {120, 36}, {200, 50}}
	plain, hostile := night(false), night(true)
	press := func(keys ...string) func(*stage) {
		return func(s *stage) { s.press(keys...) }
	}
	walk := func(keys ...string) func(*stage) {
		return press(append([]string{":", "'walkthrough import-stuck A3F2-0042'", "enter"}, keys...)...)
	}
	return []scene{
		{"findings", all, plain, press("w")},
		{"findings_further", all[:2], plain, press("w", "pgdown", "G")},
		{"finding", all, plain, press("w", "o")},
		{"finding_further", all[:2], plain, press("w", "o", "G")},
		{"blind", all, plain, press("w", "G", "enter")},
		{"step_unknown", all, plain, walk()},
		{"step_ok", all, plain, walk("right")},
		{"step_suspicious", all, plain, walk("right", "right")},
		{"step_cause", all, plain, walk("right", "right", "right", "n", "'asked the exam office: nobody uploads now'", "enter")},
		{"step_running", all, plain, walk("right", "right", "right", "right")},
		{"by_hand", all, plain, walk("right", "v")},
		{"conclusion", all, plain, walk("e")},
		{"conclusion_further", all[:2], plain, walk("e", "G")},
		{"hand_over", all, plain, walk("n", "'asked the exam office: nobody uploads now'", "enter", "x")},
		{"findings_hostile", all, hostile, press("w")},
		{"finding_hostile", all, hostile, press("w", "o")},
		{"blind_hostile", all, hostile, press("w", "G", "enter")},
		{"step_hostile", all, hostile, func(s *stage) {
			walk("right", "n")(s)
			s.paste(sample.Hostile)
			s.press("enter")
		}},
		{"rows_hostile", all, hostile, walk("right", "right")},
		{"unknown_hostile", all, hostile, walk()},
		{"conclusion_hostile", all, hostile, walk("e")},
		{"hand_over_hostile", all, hostile, walk("x")},
	}
}

func TestGoldenGuide(t *testing.T) { goldenScenes(t, "guide_", guideScenes()) }

// What is data does not choose a colour: the red of the hostile text is none of
// the theme's.
func TestGuideTakesNoColoursFromData(t *testing.T) {
	for _, sc := range guideScenes() {
		if !strings.HasSuffix(sc.name, "_hostile") {
			continue
		}
		for _, z := range sc.sizes {
			play(t, z.w, z.h, sc.change, func(t *testing.T, s *stage) {
				sc.reach(s)
				if strings.Contains(s.app.View().Content, "\x1b[31m") {
					t.Errorf("%s at %dx%d obeys an escape code of the data:\n%q", sc.name, z.w, z.h, s.app.View().Content)
				}
			})
		}
	}
}

// The pages of the guide with their colours, in each look.
func TestGoldenGuideColours(t *testing.T) {
	for _, look := range ui.Looks() {
		var out strings.Builder
		for _, sc := range guideScenes() {
			if name := sc.name; name != "findings" && name != "step_cause" && name != "conclusion" {
				continue
			}
			change := func(s *stage, c *Config) {
				sc.change(s, c)
				c.Theme = ui.NewTheme(look, false)
			}
			play(t, 80, 24, change, func(t *testing.T, s *stage) {
				sc.reach(s)
				out.WriteString(sc.name + "\n" + strings.ReplaceAll(s.app.View().Content, "\x1b", "␛") + "\n")
			})
		}
		golden(t, "guide_look_"+string(look), out.String())
	}
}
