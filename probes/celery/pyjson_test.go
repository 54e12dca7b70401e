package celery

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestStandardReadsPythonsNumbers(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":NaN,"b":[-Infinity,Infinity],"c":1}`: `{"a":null,"b":[null,null],"c":1}`,
		`["NaN \" Infinity",NaN]`:                  `["NaN \" Infinity",null]`,
		`["NaN"]`:                                  `["NaN"]`,
		`["open NaN`:                               `["open NaN`,
		`["open \`:                                 `["open \`,
		`N`:                                        `N`,
		``:                                         ``,
	} {
		if got := string(standard([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	m := DecodeTask(envelopeOf(t, b64(`[["`+copyA+`",NaN],{},{}]`), map[string]any{"id": taskA, "task": finale}, base64Properties()))
	if m.Bad != "" || m.CopyID != copyA || m.Args != copyA+", None" {
		t.Errorf("%+v", m)
	}
	r, err := DecodeResult([]byte(`{"status":"SUCCESS","result":{"final_score":NaN,"status":"done"},"task_id":"x"}`))
	if err != nil || r.Payload["status"] != "done" {
		t.Errorf("%+v %v", r, err)
	}
}

func FuzzStandard(f *testing.F) {
	f.Add(`{"a":NaN,"b":"\"Infinity"}`)
	f.Add(`{"a":-Infinity`)
	f.Fuzz(func(t *testing.T, s string) {
		if json.Valid([]byte(s)) && string(standard([]byte(s))) != s {
			t.Errorf("%q was changed", s)
		}
		_ = standard([]byte(s))
	})
}

func TestReadConf(t *testing.T) {
	for in, want := range map[string]time.Duration{
		`300`: 300 * time.Second, `"270.5"`: 270500 * time.Millisecond, `"1 day, 0:00:00"`: 24 * time.Hour, `"0:30:00"`: 30 * time.Minute,
		`"12 days, 1:02:03"`: 12*24*time.Hour + time.Hour + 2*time.Minute + 3*time.Second,
		`null`:               0, `-5`: 0, `1e300`: 0, `"\u001b[31m"`: 0, `{}`: 0,
	} {
		got := readConf("w", json.RawMessage(`{"task_time_limit":`+in+`}`), nil)
		if got.TimeLimit != want {
			t.Errorf("%s is %v, want %v", in, got.TimeLimit, want)
		}
	}
	hostile := readConf("w", json.RawMessage(`{"task_default_queue":"a\u001b[31m","broker_transport_options":{"fanout_prefix":false,"global_keyprefix":"exam:"}}`), json.RawMessage(`{"pool":{"timeouts":[1]}}`))
	if strings.Contains(hostile.DefaultQueue, "\x1b") || hostile.FanoutPrefix != "False" || hostile.KeyPrefix != "exam:" || hostile.VisibilityTimeout != time.Hour {
		t.Errorf("%+v", hostile)
	}
	if odd := readConf("w", json.RawMessage(`{"task_default_queue":5,"task_time_limit":9}`), json.RawMessage(`[]`)); odd.TimeLimit != 9*time.Second {
		t.Errorf("%+v", odd)
	}
}
