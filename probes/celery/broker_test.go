package celery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestProbeSeesTheBroker(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL(), Queues: []string{"extra"}}), client(t, s)
		p := celery.NewProbe(b)
		first, urgent := task("celery", 3, copyA, 7), task("celery", 0, copyA, 8)
		publish(t, b, first, urgent, task("found", 0))
		unacked(t, c, "tag", []byte(`{}`))
		c.SAdd(t.Context(), "_kombu.binding.found", "found\x06\x16\x06\x16found", "a\x06\x16\x06\x16bad\x1bname")
		c.SAdd(t.Context(), "_kombu.binding.celeryev", "worker.#\x06\x16\x06\x16celeryev.x")
		c.LPush(t.Context(), "import", "junk")
		fakeWorker(t, c, "w1@a", healthy("celery"))
		fakeWorker(t, c, "w2@a", healthy("celery", "import"))

		o := sample(t, p)
		if o.Waiting != 4 || o.Unacked != 1 || o.Receivers != 2 || o.WorkersErr != "" {
			t.Errorf("waiting %d, unacked %d, receivers %d, %q", o.Waiting, o.Unacked, o.Receivers, o.WorkersErr)
		}
		if s.Kind() == lab.RealRedis && !strings.HasPrefix(o.Server, "redis ") {
			t.Errorf("server is %q", o.Server)
		}
		var names []string
		for _, q := range o.Queues {
			names = append(names, q.Name)
		}
		if d := cmp.Diff([]string{"celery", "import", "found", "finalize", "maintenance", "extra"}, names); d != "" {
			t.Error(d)
		}
		checkCelery(t, queue(t, o, "celery"), urgent.ID, first.ID)
		if q := queue(t, o, "import"); q.Sample[0].Bad == "" || q.ByTask[0].Task != celery.Unreadable || q.Consumed != celery.Yes {
			t.Errorf("import is %+v", q)
		}
		if q := queue(t, o, "found"); q.Consumed != celery.No {
			t.Errorf("found is consumed: %v", q.Consumed)
		}
		want := celery.Worker{
			Name: "w1@a", Pool: 2, Queues: []string{"celery"}, Uptime: 90 * time.Second, PID: 42,
			State: celery.Healthy, Why: o.Workers[0].Why, Prefetch: -1, Scheduled: 1, Version: "celery 5.2.6",
			Running: []celery.Running{{
				ID: "t1", Task: finale, CopyID: copyA, Args: copyA + ", 7",
				Started: time.Date(2026, 2, 1, 14, 30, 0, 0, time.UTC), State: "running", Worker: "w1@a",
			}},
		}
		if d := cmp.Diff(want, o.Workers[0]); d != "" {
			t.Error(d)
		}
	})
}

func checkCelery(t *testing.T, q celery.Queue, order ...string) {
	t.Helper()
	var ids []string
	for _, m := range q.Sample {
		ids = append(ids, m.ID)
	}
	if d := cmp.Diff(order, ids); d != "" {
		t.Errorf("next to run first: %s", d)
	}
	want := celery.Queue{
		Name: "celery", Depth: 2, ByPriority: map[int]int64{0: 1, 3: 1, 6: 0, 9: 0}, Consumed: celery.Yes,
		ByTask: []celery.TaskCount{{Task: "async_finalize_copy", Count: 2}}, History: []int64{2},
	}
	if d := cmp.Diff(want, q, cmpopts.IgnoreFields(celery.Queue{}, "Sample", "Oldest")); d != "" {
		t.Error(d)
	}
}

func TestProbeSamplesOnlyTheEnds(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
		p := celery.NewProbe(b)
		var raws []any
		for i := range 300 {
			raw, err := celery.EncodeTask(task("celery", 0, fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			raws = append(raws, raw)
		}
		c.LPush(t.Context(), "celery", raws...)
		q := queue(t, sample(t, p), "celery")
		if q.Depth != 300 || len(q.Sample) != 100 || !q.Sampled || q.Sample[0].Args != "0" || q.Sample[99].Args != "299" || q.Sample[50].Args != "250" {
			t.Errorf("depth %d, %d sampled (%v), from %s to %s", q.Depth, len(q.Sample), q.Sampled, q.Sample[0].Args, q.Sample[99].Args)
		}
		oldest := q.Oldest
		c.RPop(t.Context(), "celery")
		q = queue(t, sample(t, p), "celery")
		if q.Sample[0].Args != "1" || !q.Oldest.Equal(oldest) || !slices.Equal(q.History, []int64{300, 299}) {
			t.Errorf("after a pop: next %s, first seen %v and %v, history %v", q.Sample[0].Args, oldest, q.Oldest, q.History)
		}
	})
}

func TestSilentWorkerIsCountedNotWaitedForTwice(t *testing.T) {
	s := labtest.MiniRedis(t)
	b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
	fakeWorker(t, c, "w1@a", healthy("celery"))
	fakeWorker(t, c, "frozen@a", nil)
	p := celery.NewProbe(b)
	o := sample(t, p)
	if o.Receivers != 2 || len(o.Workers) != 2 || o.Workers[0].State != celery.Unsure || queue(t, o, "finalize").Consumed != celery.Unknown || queue(t, o, "celery").Consumed != celery.Yes {
		t.Errorf("receivers %d, workers %d, finalize consumed %v", o.Receivers, len(o.Workers), queue(t, o, "finalize").Consumed)
	}
	if again := sample(t, p); !again.WorkersAt.Equal(o.WorkersAt) {
		t.Error("the workers were asked again at once")
	}
	if _, known, err := b.Taken(labtest.Context(t)); known || err != nil {
		t.Errorf("known %v, %v: a silent worker may take any queue", known, err)
	}
}

func TestNobodyListens(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b := open(t, celery.Config{BrokerURL: s.URL()})
		o := sample(t, celery.NewProbe(b))
		if o.Receivers != 0 || len(o.Workers) != 0 || queue(t, o, "celery").Consumed != celery.Unknown {
			t.Errorf("%+v", o)
		}
	})
}

func TestControlLeavesNothingBehind(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		c, ctx := client(t, s), labtest.Context(t)
		fakeWorker(t, c, "w1@a", healthy("celery"))
		names := celery.Names{}
		dead, alive, foreign := uuid.NewString(), uuid.NewString(), uuid.NewString()
		for _, oid := range []string{dead, alive, foreign} {
			c.SAdd(ctx, names.ReplyBindings(), names.ReplyBinding(oid))
			c.LPush(ctx, names.ReplyList(oid), "late")
		}
		c.HSet(ctx, "cockpit:oids", dead, time.Now().Add(-time.Hour).Unix(), alive, time.Now().Unix())

		b, err := celery.Open(celery.Config{BrokerURL: s.URL()})
		if err != nil {
			t.Fatal(err)
		}
		if taken, known, err := b.Taken(ctx); !known || !taken["celery"] || err != nil {
			t.Errorf("taken %v, known %v, %v", taken, known, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		members := c.SMembers(ctx, names.ReplyBindings()).Val()
		slices.Sort(members)
		want := []string{names.ReplyBinding(alive), names.ReplyBinding(foreign)}
		slices.Sort(want)
		if d := cmp.Diff(want, members); d != "" {
			t.Errorf("bindings: %s", d)
		}
		if n := c.Exists(ctx, names.ReplyList(dead)).Val(); n != 0 {
			t.Error("the reply list of a killed cockpit is still there")
		}
		if got := c.HKeys(ctx, "cockpit:oids").Val(); !slices.Equal(got, []string{alive}) {
			t.Errorf("registered: %v", got)
		}
	})
}

func TestLiveFindsTheCopyEverywhere(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL()}), client(t, s)
		waiting, other := task("finalize", 9, copyA), task("celery", 0, uuid.NewString())
		publish(t, b, waiting, other, task("celery", 0, "17"))
		held := task("celery", 0, copyA)
		raw, err := celery.EncodeTask(held)
		if err != nil {
			t.Fatal(err)
		}
		unacked(t, c, "tag", raw)
		fakeWorker(t, c, "w1@a", healthy("celery"))
		got, err := b.Live(labtest.Context(t), strings.ToUpper(copyA))
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, r := range got {
			states = append(states, r.ID+" "+r.State)
		}
		want := []string{waiting.ID + " waiting", held.ID + " unacked", "t2 scheduled", "t1 running"}
		if d := cmp.Diff(want, states); d != "" {
			t.Error(d)
		}
		fakeWorker(t, c, "frozen@a", nil)
		var incomplete *celery.ErrIncomplete
		if got, err = b.Live(labtest.Context(t), copyA); !errors.As(err, &incomplete) || len(got) != 4 {
			t.Errorf("with a silent worker: %d tasks, %v", len(got), err)
		}
	})
}

func TestResult(t *testing.T) {
	onEach(t, func(t *testing.T, s *lab.RedisServer) {
		b, c := open(t, celery.Config{BrokerURL: s.URL(), ResultURL: s.URL() + "&x=1"}), client(t, s)
		if s.Kind() == lab.MiniRedis {
			b = open(t, celery.Config{BrokerURL: s.URL()})
		}
		if _, found, err := b.Result(t.Context(), "x"); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		raw, err := celery.EncodeResult("x", "SUCCESS", map[string]any{"status": "error"}, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		c.Set(t.Context(), "celery-task-meta-x", raw, celery.ResultTTL)
		r, found, err := b.Result(t.Context(), "x")
		if !found || err != nil || r.State != "SUCCESS" || r.Payload["status"] != "error" {
			t.Errorf("%+v %v %v", r, found, err)
		}
	})
}

func TestResultsKeptElsewhere(t *testing.T) {
	s := labtest.MiniRedis(t)
	b := open(t, celery.Config{BrokerURL: s.URL(), ResultURL: "django-db"})
	sample(t, celery.NewProbe(b))
	var e *probes.Error
	if _, _, err := b.Result(t.Context(), "x"); !errors.As(err, &e) {
		t.Errorf("error is %v", err)
	}
}

func TestPrefixIsUsedEverywhere(t *testing.T) {
	s := labtest.MiniRedis(t)
	b, c, ctx := open(t, celery.Config{BrokerURL: s.URL(), KeyPrefix: "exam*:"}), client(t, s), labtest.Context(t)
	publish(t, b, task("celery", 3))
	if n := c.LLen(ctx, "exam*:celery\x06\x163").Val(); n != 1 {
		t.Errorf("%d in the prefixed list", n)
	}
	if n, err := b.Quarantine(ctx, "celery", "q1", celery.Lists{Whatever: true}); n != 1 || err != nil {
		t.Errorf("moved %d, %v", n, err)
	}
	sample(t, celery.NewProbe(b))
	for _, key := range c.Keys(ctx, "*").Val() {
		if !strings.HasPrefix(key, "exam*:") {
			t.Errorf("key %q lacks the prefix", key)
		}
	}
	if qs, err := b.Quarantines(ctx); len(qs) != 1 || err != nil {
		t.Errorf("quarantines: %v %v", qs, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	const secret = "pa55word-never-shown"
	real := labtest.Redis(t, lab.RedisOptions{TCP: true, Password: "other", ACL: []string{
		"user reader on >" + secret + " ~celery* ~import* ~finalize* ~maintenance* ~unacked* +@read +@connection +@transaction",
		"user nobody on >" + secret + " +ping",
	}})
	hostPort := strings.TrimSuffix(real.URL()[strings.LastIndex(real.URL(), "@")+1:], "/0")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	web, secureWeb := httptest.NewServer(nil), httptest.NewTLSServer(nil)
	secureWeb.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(web.Close)
	t.Cleanup(secureWeb.Close)
	t.Cleanup(func() { _ = silent.Close() })
	for name, tc := range map[string]struct {
		url, cause string
		denied     bool
	}{
		"refused":        {"redis://u:" + secret + "@" + closed.Addr().String(), "connection refused at", false},
		"no host":        {"redis://u:" + secret + "@no-such-host.invalid", "no such host", false},
		"no socket":      {"unix://u:" + secret + "@/nonexistent/r.sock", "no socket", false},
		"silent":         {"redis://u:" + secret + "@" + silent.Addr().String(), "no answer in time", false},
		"no password":    {"redis://" + hostPort, "password is required", true},
		"wrong password": {"redis://:" + secret + "@" + hostPort, "wrong user or password", true},
		"no rights":      {"redis://nobody:" + secret + "@" + hostPort, "permission", true},
		"a web server":   {"redis://u:" + secret + "@" + web.Listener.Addr().String(), "", false},
		"not trusted":    {"rediss://u:" + secret + "@" + secureWeb.Listener.Addr().String(), "certificate is not trusted", false},
		"no TLS":         {"rediss://u:" + secret + "@" + web.Listener.Addr().String(), "does not speak TLS", false},
		"no such db":     {"redis://:other@" + hostPort + "/99", "no such database", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, celery.Config{BrokerURL: tc.url})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := celery.NewProbe(b).Sample(ctx)
			var e *probes.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if !strings.Contains(e.Cause, tc.cause) || e.Next == "" || e.Denied != tc.denied || e.Source != probes.Redis {
				t.Errorf("cause %q, next %q, denied %v", e.Cause, e.Next, e.Denied)
			}
			t.Log(err)
			if all := fmt.Sprintf("%v %+v %v", err, e, e.Err); strings.Contains(all, secret) {
				t.Errorf("the password is in %s", all)
			}
		})
	}
	t.Run("control refused", func(t *testing.T) {
		b := open(t, celery.Config{BrokerURL: "redis://reader:" + secret + "@" + hostPort})
		o := sample(t, celery.NewProbe(b))
		if !strings.Contains(o.WorkersErr, "permission") || len(o.Queues) != 4 {
			t.Errorf("workers: %q, %d queues", o.WorkersErr, len(o.Queues))
		}
	})
}

func TestRecoversWithoutRestart(t *testing.T) {
	s := labtest.MiniRedis(t)
	b := open(t, celery.Config{BrokerURL: s.URL()})
	p := celery.NewProbe(b)
	sample(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Sample(ctx); err == nil {
		t.Error("a cancelled sample gave a payload")
	}
	sample(t, p)
}

func TestOpenWithoutAddress(t *testing.T) {
	if _, err := celery.Open(celery.Config{}); err == nil || !strings.Contains(err.Error(), "CELERY_BROKER_URL") {
		t.Errorf("error is %v", err)
	}
}

func TestLeastPrivilege(t *testing.T) {
	s := labtest.Redis(t, lab.RedisOptions{TCP: true, ACL: []string{"user reader on >pw " + celery.ReaderACL, "user operator on >pw " + celery.OperatorACL}})
	c, ctx := client(t, s), labtest.Context(t)
	fakeWorker(t, c, "w1@a", healthy("celery"))
	as := func(user string) *celery.Broker {
		return open(t, celery.Config{BrokerURL: strings.Replace(s.URL(), "redis://", "redis://"+user+":pw@", 1)})
	}
	reader, operator := as("reader"), as("operator")
	publish(t, operator, task("celery", 0, copyA))
	var file bytes.Buffer
	if n, err := operator.Quarantine(ctx, "celery", "id", contents(t, operator, "celery").Lists); n != 1 || err != nil {
		t.Error(n, err)
	}
	if o := sample(t, celery.NewProbe(reader)); o.WorkersErr != "" || len(o.Workers) != 1 || len(o.Quarantines) != 1 || o.Server == "" {
		t.Errorf("%+v", o)
	}
	if n, err := reader.SaveRaw(ctx, &file, "celery", "id"); n != 1 || err != nil {
		t.Error(n, err)
	}
	if _, n, err := operator.LoadRaw(ctx, &file, "id2"); n != 1 || err != nil {
		t.Error(n, err)
	}
	for _, id := range []string{"id", "id2"} {
		if n, err := operator.Restore(ctx, id, "celery"); n != 1 || err != nil {
			t.Error(n, err)
		}
	}
	c.LPush(ctx, "import", "{")
	found, err := operator.Poison(ctx)
	if len(found) != 1 || err != nil || operator.RemovePoison(ctx, found[0], "poison") != nil {
		t.Errorf("poison: %v %v", found, err)
	}
	c.Del(ctx, "cockpit:quarantine:poison:import")
	if live, err := reader.Live(ctx, copyA); len(live) != 3 || err != nil {
		t.Error(live, err)
	}
	unacked(t, c, "tag", []byte(`{}`))
	p, announced := celery.NewTasksProbe(reader), uuid.NewString()
	eventually(t, func() bool { // its events reach a reader too
		announce(t, c, announced, "REVOKED", nil)
		return row(tasksOf(t, p).Rows, announced).State == celery.TaskRevoked
	})
	if all := tasksOf(t, p); all.Sampled != "" {
		t.Error(all.Sampled)
	}
	if _, _, err := reader.Result(ctx, "x"); err != nil {
		t.Error(err)
	}
	var e *probes.Error
	if err := reader.Publish(ctx, task("celery", 0)); !errors.As(err, &e) || !e.Denied {
		t.Errorf("a reader published: %v", err)
	}
}
