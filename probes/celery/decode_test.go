package celery

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/clean"
)

// envelopeOf builds an envelope from parts, as foreign producers do.
func envelopeOf(t testing.TB, body any, headers, properties map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"body": body, "content-type": "application/json", "headers": headers, "properties": properties,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func wholeProperties() map[string]any {
	return map[string]any{
		"delivery_tag": "tag", "delivery_info": map[string]any{"exchange": "", "routing_key": "celery"},
	}
}

func base64Properties() map[string]any {
	p := wholeProperties()
	p["body_encoding"] = "base64"
	return p
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestDecodeTaskIsTolerant(t *testing.T) {
	headers := map[string]any{"id": taskA, "task": finale}
	noDashes := strings.ToUpper(strings.ReplaceAll(copyA, "-", ""))
	tests := map[string]struct {
		raw  []byte
		want Message
	}{
		"minimum": {
			envelopeOf(t, b64(`[["`+copyA+`"],{},null]`), headers, base64Properties()),
			Message{ID: taskA, Task: finale, CopyID: copyA, Args: copyA, Queue: "celery"},
		},
		"plain body": {
			envelopeOf(t, `[[],{"copy_id":"`+noDashes+`","user_id":3},{}]`, headers, wholeProperties()),
			Message{ID: taskA, Task: finale, CopyID: copyA, Args: "copy_id=" + copyA + ", user_id=3", Queue: "celery"},
		},
		"compressed": {
			envelopeOf(t, zipped(t, `[["`+copyA+`"],{},{}]`),
				map[string]any{"id": taskA, "task": finale, "compression": "application/x-gzip"}, base64Properties()),
			Message{ID: taskA, Task: finale, CopyID: copyA, Args: copyA, Queue: "celery"},
		},
		"typed uuid, token cut": {
			envelopeOf(t, b64(`[[{"__type__":"uuid","__value__":{"hex":"`+noDashes+`"}}],{"lock_token":"1f0c9a2e-secret"},{}]`), headers, base64Properties()),
			Message{ID: taskA, Task: finale, CopyID: copyA, Args: copyA + ", lock_token=1f0c9a2e…", Queue: "celery"},
		},
		"protocol 1": {
			envelopeOf(t, b64(`{"task":"`+finale+`","id":"`+taskA+`","args":["`+copyA+`"],"kwargs":{},"retries":2,"eta":"2026-02-01T14:30:00"}`), nil, base64Properties()),
			Message{ID: taskA, Task: finale, CopyID: copyA, Args: copyA, Queue: "celery", Retries: 2, ETA: time.Date(2026, 2, 1, 14, 30, 0, 0, time.UTC)},
		},
		"eta, priority, copy by number": {
			envelopeOf(t, b64(`[[],{"copy_id":17},{}]`),
				map[string]any{"id": taskA, "task": finale, "retries": 1, "eta": "2026-02-01T15:30:00.5+01:00"},
				map[string]any{"delivery_tag": "t", "body_encoding": "base64", "priority": 6, "delivery_info": map[string]any{"exchange": "", "routing_key": "q"}}),
			Message{ID: taskA, Task: finale, CopyID: "17", Args: "copy_id=17", Queue: "q", Priority: 6, Retries: 1, ETA: time.Date(2026, 2, 1, 14, 30, 0, 5e8, time.UTC)},
		},
		"hostile text": {
			envelopeOf(t, b64(`[["\u001b[2J\u202e"],{},{}]`), map[string]any{"id": "a\nb", "task": "x\x1b]52;c;"}, base64Properties()),
			Message{ID: `a\nb`, Task: `x\x1b]52;c;`, Args: `\x1b[2J\u202e`, Queue: "celery"},
		},
	}
	for name, tc := range tests {
		tc.want.Raw = tc.raw
		if d := cmp.Diff(tc.want, DecodeTask(tc.raw)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestDecodeTaskTellsWhatIsBad(t *testing.T) {
	headers := map[string]any{"id": taskA, "task": finale}
	good := b64(`[[],{},{}]`)
	without := func(key string) map[string]any {
		p := base64Properties()
		delete(p, key)
		return p
	}
	bomb := zipped(t, strings.Repeat(" ", maxBody+10))
	tests := map[string]struct {
		raw  []byte
		want string
	}{
		"empty":            {nil, "empty"},
		"blank":            {[]byte("  "), "not a JSON object"},
		"null":             {[]byte("null"), "not a JSON object"},
		"truncated":        {[]byte(`{"body":"`), "not a JSON envelope"},
		"huge":             {append([]byte(`{"body":"`), bytes.Repeat([]byte("x"), maxMessage)...), "larger than"},
		"no properties":    {envelopeOf(t, good, headers, nil), "delivery_tag: it kills"},
		"no tag":           {envelopeOf(t, good, headers, without("delivery_tag")), "delivery_tag: it kills"},
		"no delivery info": {envelopeOf(t, good, headers, without("delivery_info")), "exchange: it kills"},
		"no id":            {envelopeOf(t, good, map[string]any{"task": finale}, base64Properties()), "headers.id: it kills"},
		"no task":          {envelopeOf(t, good, map[string]any{"id": taskA}, base64Properties()), "headers.task: a worker drops"},
		"no content type":  {[]byte(`{"body":"W1tdLHt9LHt9XQ==","headers":{"id":"a","task":"b"},"properties":{"body_encoding":"base64","delivery_tag":"t","delivery_info":{"exchange":"","routing_key":"c"}}}`), "content-type: it kills"},
		"pickle":           {bytes.Replace(envelopeOf(t, good, headers, base64Properties()), []byte("application/json"), []byte("application/x-python-serialize"), 1), "not read here"},
		"bad base64":       {envelopeOf(t, "%%%", headers, base64Properties()), "not valid base64"},
		"not a list":       {envelopeOf(t, b64(`"x"`), headers, base64Properties()), "options: it kills"},
		"two parts":        {envelopeOf(t, b64(`[[],{}]`), headers, base64Properties()), "options: it kills"},
		"no routing key":   {[]byte(`{"body":"W1tdLHt9LHt9XQ==","content-type":"application/json","headers":{"id":"a","task":"b"},"properties":{"body_encoding":"base64","delivery_tag":"t","delivery_info":{"exchange":""}}}`), "routing_key: it kills"},
		"args no list":     {envelopeOf(t, b64(`[1,2,3]`), headers, base64Properties()), "not a list and an object"},
		"bomb":             {envelopeOf(t, bomb, map[string]any{"id": taskA, "task": finale, "compression": "zlib"}, base64Properties()), "larger than"},
		"unknown packing":  {envelopeOf(t, good, map[string]any{"id": taskA, "task": finale, "compression": "application/zstd"}, base64Properties()), "not read here"},
		"damaged zlib":     {envelopeOf(t, good, map[string]any{"id": taskA, "task": finale, "compression": "zlib"}, base64Properties()), "zlib"},
		"protocol 1, odd":  {envelopeOf(t, b64(`{"task":5}`), nil, base64Properties()), "lacks its id: it kills"},
		"protocol 1, task": {envelopeOf(t, b64(`{"id":5}`), nil, base64Properties()), "protocol 1"},
		"deep":             {envelopeOf(t, b64(strings.Repeat("[", 20000)), headers, base64Properties()), "not a JSON list"},
	}
	for name, tc := range tests {
		if got := DecodeTask(tc.raw); !strings.Contains(got.Bad, tc.want) || got.Bad == "" {
			t.Errorf("%s: Bad is %q, want %q in it", name, got.Bad, tc.want)
		}
	}
}

// checkMessage holds for any input: nothing of it can harm a terminal, and the
// bytes are as they came.
func checkMessage(t *testing.T, raw []byte) Message {
	t.Helper()
	before := bytes.Clone(raw)
	m := DecodeTask(raw)
	if !bytes.Equal(before, m.Raw) || !bytes.Equal(before, raw) {
		t.Fatal("the raw bytes were altered")
	}
	for _, s := range []string{m.ID, m.Task, m.CopyID, m.Args, m.Queue, m.Bad} {
		if clean.Text(s) != s || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
			t.Fatalf("text %q is not clean", s)
		}
	}
	return m
}

func FuzzDecodeTask(f *testing.F) {
	headers := map[string]any{"id": taskA, "task": finale, "eta": "2026-02-01T15:30:00+01:00"}
	f.Add(mustEncode(f, sampleTask()))
	f.Add([]byte(`{}`))
	f.Add(envelopeOf(f, `[["\u001b"],{"copy_id":"\u202e"},{}]`, headers, wholeProperties()))
	f.Add(envelopeOf(f, []any{[]any{}, map[string]any{}, nil}, headers, wholeProperties()))
	f.Add(envelopeOf(f, b64(`{"task":"a\u009bb","id":"i","args":[[[{}]]],"kwargs":{"x":1e400}}`), nil, base64Properties()))
	f.Add(envelopeOf(f, zipped(f, `[[],{},{}]`), map[string]any{"id": "\x7f", "task": "\xff", "compression": "zlib"}, base64Properties()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkMessage(t, raw)
		newMatcher(copyA).raw(raw)
		newMatcher("17").raw(raw)
		decodeUnacked(string(raw))
		_, _ = DecodeBody(raw)
		_, _ = DecodeControl(raw)
		_, _ = DecodeReply(raw)
		_, _ = DecodeResult(raw)
		held(raw, "w", "running")
		queueNames(raw)
		(&Worker{}).stats(raw)
	})
}

// A hundred thousand messages that were cut or hit by noise: none passes for a
// good one and none is altered.
func TestDamagedEnvelopes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	good := mustEncode(t, sampleTask())
	for i := range 100_000 {
		raw := bytes.Clone(good)
		raw = raw[:rng.IntN(len(raw))] // always loses the closing brace
		for range rng.IntN(4) {
			if len(raw) > 0 {
				raw[rng.IntN(len(raw))] = byte(rng.IntN(256))
			}
		}
		var m Message
		if i%50 == 0 {
			m = checkMessage(t, raw)
		} else {
			m = DecodeTask(raw)
		}
		if m.Bad == "" {
			t.Fatalf("%q passes for a good message", raw)
		}
	}
}

func TestDecodeResultIsTolerant(t *testing.T) {
	tests := map[string]Result{
		`{"status":"STARTED","result":{"pid":1,"hostname":"w1@a"},"traceback":null,"children":[],"date_done":null,"task_id":"x"}`: {
			TaskID: "x", State: "STARTED", Worker: "w1@a",
		},
		`{"status":"SUCCESS","result":{"status":"error","detail":"no \u001b pages"},"children":null,"date_done":"2026-02-01T14:30:00.5","task_id":"x"}`: {
			TaskID: "x", State: "SUCCESS", Payload: map[string]any{"status": "error", "detail": `no \x1b pages`},
			Done: time.Date(2026, 2, 1, 14, 30, 0, 5e8, time.UTC),
		},
		`{"status":"FAILURE","result":{"exc_type":"RuntimeError","exc_message":["cannot",3],"exc_module":"builtins"},"traceback":"a\nb\u001b","date_done":"2026-02-01T15:30:00+01:00","task_id":"x"}`: {
			TaskID: "x", State: "FAILURE", Error: "RuntimeError: cannot, 3", Traceback: "a\nb\\x1b", Done: time.Date(2026, 2, 1, 14, 30, 0, 0, time.UTC),
		},
		`{"status":"RETRY","result":{"exc_type":"ValueError","exc_message":"text","exc_module":null},"task_id":"x"}`: {TaskID: "x", State: "RETRY", Error: "ValueError: text"},
		`{"status":"SUCCESS","result":null,"task_id":"x"}`:                                                           {TaskID: "x", State: "SUCCESS"},
		`{"status":"SUCCESS","result":14,"task_id":"x"}`:                                                             {TaskID: "x", State: "SUCCESS", Payload: map[string]any{"result": json.Number("14")}},
	}
	for raw, want := range tests {
		got, err := DecodeResult([]byte(raw))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", raw, err, d)
		}
	}
	for _, raw := range []string{"", "null", "[]", `{"status":5}`} {
		if _, err := DecodeResult([]byte(raw)); err == nil {
			t.Errorf("%q passes for a result", raw)
		}
	}
}

func TestEncodeResultReadsBack(t *testing.T) {
	done := time.Date(2026, 2, 1, 14, 30, 0, 123456000, time.UTC)
	raw, err := EncodeResult("x", "SUCCESS", map[string]any{"status": "success"}, "", done)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeResult(raw)
	want := Result{TaskID: "x", State: "SUCCESS", Payload: map[string]any{"status": "success"}, Done: done}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
}

func TestMatcherFindsACopyAnywhere(t *testing.T) {
	other := strings.Replace(copyA, "c0ffee", "deadbe", 1)
	hex := strings.ReplaceAll(copyA, "-", "")
	headers := map[string]any{"id": taskA, "task": finale}
	for body, want := range map[string]bool{
		`[["` + copyA + `"],{},{}]`:             true,
		`[[["a","` + hex + `"]],{},{}]`:         true,
		`[[],{"ids":["` + copyA + `"]},{}]`:     true,
		`[["` + other + `"],{},{}]`:             false,
		fmt.Sprintf(`[[],{"x":%q},{}]`, "none"): false,
	} {
		if got := newMatcher(copyA).raw(envelopeOf(t, b64(body), headers, base64Properties())); got != want {
			t.Errorf("%s: found is %v", body, got)
		}
		packed := map[string]any{"id": taskA, "task": finale, "compression": "zlib"}
		if got := newMatcher(copyA).raw(envelopeOf(t, zipped(t, body), packed, base64Properties())); got != want {
			t.Errorf("compressed %s: found is %v", body, got)
		}
	}
	if !newMatcher("17").raw(envelopeOf(t, b64(`[[],{"copy_id":17},{}]`), headers, base64Properties())) {
		t.Error("a copy with a number for an id is not found")
	}
}

func TestRanges(t *testing.T) {
	for _, tc := range []struct{ length, limit int64 }{{0, 10}, {3, 10}, {1200, 5000}, {5000, 1200}, {1001, 1000}, {7, 0}} {
		var n int64
		for _, r := range ranges(tc.length, tc.limit) {
			n += r[1] - r[0] + 1
		}
		if n != min(tc.length, tc.limit) {
			t.Errorf("of %d with limit %d: %d read", tc.length, tc.limit, n)
		}
	}
}

func TestTrack(t *testing.T) {
	var tr track
	at := time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)
	for i := range 2 {
		tr.add(int64(i), at.Add(time.Duration(i)*time.Second))
	}
	if _, known := tr.slope(); known {
		t.Error("a slope of two samples counts as known")
	}
	for i := range 100 {
		tr.add(int64(i)*2, at.Add(time.Duration(10+i)*10*time.Second))
	}
	if slope, known := tr.slope(); !known || slope < 11.99 || slope > 12.01 || len(tr.history()) != keptDepths {
		t.Errorf("slope %v %v, %d kept", slope, known, len(tr.history()))
	}
	a, b := Message{Raw: []byte("a")}, Message{Raw: []byte("b")}
	tr.oldest([]Message{a, b}, at)
	if got := tr.oldest([]Message{b}, at.Add(time.Minute)); !got.Equal(at) {
		t.Errorf("the message that moved up was first seen %v", got)
	}
	if got := tr.oldest(nil, at); !got.IsZero() {
		t.Error("an empty queue has an oldest message")
	}
}
