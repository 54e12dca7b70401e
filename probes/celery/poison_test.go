package celery_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// spoiled are defects of an envelope, made of a sound one. Those that begin
// with an exclamation mark kill a real worker.
func spoiled() map[string]func(m, headers, properties, delivery map[string]any) {
	body := func(text string) func(m, h, p, d map[string]any) {
		return func(m, _, _, _ map[string]any) { m["body"] = base64.StdEncoding.EncodeToString([]byte(text)) }
	}
	return map[string]func(m, h, p, d map[string]any){
		"!no id":           func(_, h, _, _ map[string]any) { delete(h, "id") },
		"!no content type": func(m, _, _, _ map[string]any) { delete(m, "content-type") },
		"!no body":         func(m, _, _, _ map[string]any) { delete(m, "body") },
		"!bad base64":      func(m, _, _, _ map[string]any) { m["body"] = "%%%" },
		"!no tag":          func(_, _, p, _ map[string]any) { delete(p, "delivery_tag") },
		"!tag None":        func(_, _, p, _ map[string]any) { p["delivery_tag"] = nil },
		"!no exchange":     func(_, _, _, d map[string]any) { delete(d, "exchange") },
		"!no routing key":  func(_, _, _, d map[string]any) { delete(d, "routing_key") },
		"!limits no pair":  func(_, h, _, _ map[string]any) { h["timelimit"] = 5 },
		"!two parts":       body(`[["x"],{}]`),
		"!four parts":      body(`[["x"],{},{},{}]`),
		"!null":            body(`null`),
		"!a string":        body(`"hello"`),
		"!nothing":         body(``),
		"!odd object":      body(`{"a":1}`),
		"!protocol 1, no id": func(m, h, _, _ map[string]any) {
			delete(h, "task")
			m["body"] = base64.StdEncoding.EncodeToString([]byte(`{"task":"x"}`))
		},
		"no task":          func(_, h, _, _ map[string]any) { delete(h, "task") },
		"pickle":           func(m, _, _, _ map[string]any) { m["content-type"] = "application/x-python-serialize" },
		"no JSON":          body(`[[`),
		"no UTF-8":         body("\xff\xfe["),
		"three numbers":    body(`[1,2,3]`),
		"bad zlib":         func(_, h, _, _ map[string]any) { h["compression"] = "application/x-gzip" },
		"unknown packing":  func(_, h, _, _ map[string]any) { h["compression"] = "application/nope" },
		"bad eta":          func(_, h, _, _ map[string]any) { h["eta"] = "tomorrow" },
		"tag is a number":  func(_, _, p, _ map[string]any) { p["delivery_tag"] = 5 },
		"exchange is None": func(_, _, _, d map[string]any) { d["exchange"] = nil },
		"no headers":       func(m, _, _, _ map[string]any) { delete(m, "headers") },
	}
}

func envelopes(t *testing.T) (sound string, bad map[string]string) {
	t.Helper()
	sound = encoded(t, task("celery", 0, copyA, 1))
	bad = map[string]string{"!empty": "", "!no envelope": "{", "!a list": "[1]"}
	for name, spoil := range spoiled() {
		var m map[string]any
		if err := json.Unmarshal([]byte(sound), &m); err != nil {
			t.Fatal(err)
		}
		properties := m["properties"].(map[string]any)
		spoil(m, m["headers"].(map[string]any), properties, properties["delivery_info"].(map[string]any))
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		bad[name] = string(raw)
	}
	return sound, bad
}

var digits = regexp.MustCompile(`\W+`)

func TestPoisonIsFoundAndRemovedAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
		sound, bad := envelopes(t)
		for name, raw := range bad {
			kills := strings.HasPrefix(name, "!")
			c.Del(ctx, "celery", "celery\x06\x166")
			c.LPush(ctx, "celery", sound, raw, raw, sound)
			c.LPush(ctx, "celery\x06\x166", raw)
			found, err := b.Poison(ctx)
			if want := map[bool]int{true: 3, false: 0}[kills]; len(found) != want || err != nil {
				t.Fatalf("%s: found %d of %d, %v", name, len(found), want, err)
			}
			if !kills {
				continue
			}
			if m := found[2]; m.Queue != "celery" || m.Priority != 6 || string(m.Raw) != raw || !strings.Contains(m.Bad, "kills the worker") {
				t.Errorf("%s: %+v", name, m)
			}
			id := "p-" + digits.ReplaceAllString(name, "-")
			if err := b.RemovePoison(ctx, found[0], id); err != nil {
				t.Fatal(name, err)
			}
			if d := cmp.Diff([]string{sound, raw, sound}, c.LRange(ctx, "celery", 0, -1).Val()); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			if err := b.RemovePoison(ctx, found[0], id); !errors.Is(err, celery.ErrQuarantineExists) {
				t.Errorf("the same id: %v", err)
			}
			if n, err := b.Restore(ctx, id, "celery"); n != 1 || err != nil || c.LIndex(ctx, "celery", -1).Val() != raw {
				t.Errorf("restored %d, %v", n, err)
			}
			if err := b.RemovePoison(ctx, found[2], id); err != nil || c.LLen(ctx, "cockpit:quarantine:"+id+":celery\x06\x166").Val() != 1 {
				t.Errorf("%s at priority 6: %v", name, err)
			}
			if err := b.RemovePoison(ctx, found[2], id+"2"); !errors.Is(err, celery.ErrNotThere) || c.Exists(ctx, "cockpit:quarantine:"+id+"2:celery\x06\x166").Val() != 0 {
				t.Errorf("%s is gone: %v", name, err)
			}
		}
		if err := b.RemovePoison(ctx, celery.DecodeTask([]byte(sound)), "id"); err == nil || !strings.Contains(err.Error(), "sound") {
			t.Errorf("a sound message: %v", err)
		}
	})
}

// What is called poison kills a real worker.
func TestPoisonKillsARealWorker(t *testing.T) {
	python(t)
	_, bad := envelopes(t)
	for name, raw := range bad {
		if !strings.HasPrefix(name, "!") {
			continue
		}
		t.Run(name[1:], func(t *testing.T) {
			t.Parallel()
			s := labtest.Redis(t)
			c := client(t, s)
			w := startWorker(t, s, c, workerOptions{})
			c.LPush(t.Context(), "celery", raw)
			w.wait() // or the test hangs
		})
	}
}

// What is not called poison is survived by a real worker. Poison that comes
// back into the queue kills the next worker, unless it is removed.
func TestPoisonRemovedTheWorkerLives(t *testing.T) {
	python(t)
	sound, bad := envelopes(t)
	s := labtest.Redis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s), labtest.Context(t)
	c.Set(ctx, "go", 1, 0)
	w := startWorker(t, s, c, workerOptions{})
	for name, raw := range bad {
		if !strings.HasPrefix(name, "!") {
			c.LPush(ctx, "celery", raw)
		}
	}
	c.LPush(ctx, "celery", sound)
	eventually(t, func() bool {
		return c.LLen(ctx, "celery").Val() == 0 && c.LRange(ctx, "ran:"+copyA, -1, -1).Val() != nil
	})
	last := task("celery", 0, copyA, 77)
	publish(t, b, last)
	eventually(t, func() bool { return state(t, b, last.ID) == "SUCCESS" })

	c.LPush(ctx, "celery", bad["!no id"])
	w.wait()
	found, err := b.Poison(ctx)
	if len(found) != 1 || err != nil {
		t.Fatalf("found %d, %v", len(found), err)
	}
	if err := b.RemovePoison(ctx, found[0], "id"); err != nil {
		t.Fatal(err)
	}
	startWorker(t, s, c, workerOptions{name: "w2@test"})
	after := task("celery", 0, copyA, 78)
	publish(t, b, after)
	eventually(t, func() bool { return state(t, b, after.ID) == "SUCCESS" })
	if pong, err := b.PingWorkers(ctx); len(pong.Answered) != 1 || err != nil {
		t.Errorf("%+v %v", pong, err)
	}
}
