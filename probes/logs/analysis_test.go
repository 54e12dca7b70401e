package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/lab/labtest"
)

// production fills a folder with JSON logs of a busy hour, over three parts,
// with requests, slow ones among them, conflicts and audit records.
func production(t *testing.T) (*Probe, string) {
	t.Helper()
	dir := t.TempDir()
	n := 0
	record := func(level, logger, message, extra string) string {
		n++
		at := noon.Add(time.Duration(n) * 777 * time.Millisecond).Format("2006-01-02 15:04:05,000")
		return fmt.Sprintf(`{"timestamp": "%s", "level": "%s", "logger": "%s", "message": "%s"%s, "module": "m", "line": %d}`, at, level, logger, message, extra, n) + "\n"
	}
	for part := 2; part >= 0; part-- {
		var b, audit strings.Builder
		for i := range 1500 {
			id := copyID((part*1500 + i/2) % 40)
			path := "/api/grading/copies/" + id + "/draft/"
			req := fmt.Sprintf(`, "request_id": "r-%d-%d", "path": "%s", "method": "PUT", "user_id": %d`, part, i/2, path, i%9+1)
			switch i % 50 {
			case 3:
				b.WriteString(record("WARNING", "django.request", "Conflict: "+path, `, "status_code": 409, "request": "<WSGIRequest: PUT '`+path+`'>"`))
			case 9:
				b.WriteString(record("WARNING", "metrics", fmt.Sprintf("Slow request: PUT %s took %d.50s (status: 200)", path, 5+i%13), fmt.Sprintf(`, "status_code": 200, "duration_ms": %d.5%s`, 5500+i, req)))
			case 17:
				b.WriteString(record("ERROR", "grading.services", "PDF generation failed for copy "+id+" (attempt 1): x", `, "exc_info": "Traceback (most recent call last):\n  File \"x\"\nOSError: [Errno 28] No space left"`+req))
			case 25:
				audit.WriteString(record("INFO", "audit", "audit", `, "action": "copy.download", "resource": "Copy:1d2", "user": "u"`+req))
			default:
				b.WriteString(record("INFO", "grading.views", "saved", req))
			}
		}
		suffix := ""
		if part > 0 {
			suffix = "." + strconv.Itoa(part)
		}
		write(t, dir, "django.log"+suffix, b.String())
		write(t, dir, "audit.log"+suffix, audit.String())
	}
	return New(Config{Dir: dir}), dir
}

// jq runs a jq program over all records of a folder's django.log and audit.log.
func jq(t *testing.T, dir, program string, into any) {
	t.Helper()
	labtest.Need(t, "jq")
	files, _ := filepath.Glob(dir + "/*.log*")
	out, err := exec.Command("jq", append([]string{"-s", "-c", program}, files...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func TestHistogramCountsWhatJqCounts(t *testing.T) {
	p, dir := production(t)
	h, err := p.Histogram(context.Background(), Query{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Minute, Level string
		N             int
	}
	jq(t, dir, `group_by(.timestamp[:16] + .level) | map({Minute: .[0].timestamp[:16], Level: .[0].level, N: length})`, &want)
	got := map[string]int{}
	for i, b := range h.Bars {
		for j, n := range b.Levels {
			if n > 0 {
				got[b.From.Format("2006-01-02 15:04")+Levels()[j]] = n
			}
		}
		if i > 0 && b.From.Sub(h.Bars[i-1].From) != time.Minute {
			t.Errorf("a gap before %v", b.From)
		}
	}
	wanted := map[string]int{}
	for _, w := range want {
		wanted[w.Minute+w.Level] = w.N
	}
	if diff := cmp.Diff(wanted, got); diff != "" || len(got) < 100 {
		t.Error(diff)
	}
	var levels, loggers []Count
	jq(t, dir, `group_by(.level) | map({Name: .[0].level, N: length}) | sort_by(-.N, .Name)`, &levels)
	jq(t, dir, `group_by(.logger) | map({Name: .[0].logger, N: length}) | sort_by(-.N, .Name)`, &loggers)
	if diff := cmp.Diff(levels, h.ByLevel); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(loggers, h.ByLogger); diff != "" {
		t.Error(diff)
	}
}

func TestHistogramOfAQuery(t *testing.T) {
	p, dir := production(t)
	q, _ := ParseQuery("level:warning logger:django.request", noon, time.UTC)
	h, err := p.Histogram(context.Background(), q, 0)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "cat "+dir+"/* | grep -c 'Conflict: '").Output()
	if err != nil || fmt.Sprintln(h.Records) != string(out) || len(h.Bars) > maxBars || len(h.Bars) < maxBars/12 {
		t.Errorf("%d records in %d bars of %v; grep counts %s, %v", h.Records, len(h.Bars), h.Bucket, out, err)
	}
	sum := 0
	for _, b := range h.Bars {
		sum += b.Total()
	}
	if sum != h.Records {
		t.Errorf("%d records in the bars of %d", sum, h.Records)
	}
}

// TestHistogramOverYears: lines of impossible and of far-apart times do not
// make a bar for every minute between them.
func TestHistogramOverYears(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "django.log", "no time\n1931-01-01 00:00:00,000 INFO a x\n2026-11-22 12:00:00,000 INFO a x\n9999-12-31 23:59:59,999 INFO a x\n")
	for _, bucket := range []time.Duration{0, time.Minute} {
		h, err := New(Config{Dir: dir}).Histogram(context.Background(), Query{}, bucket)
		if err != nil || len(h.Bars) > maxBuckets || h.Records != 4 || h.Timeless != 1 {
			t.Errorf("%d bars of %v, %d records, %v", len(h.Bars), h.Bucket, h.Records, err)
		}
	}
}

func TestRequestsAreThoseOfJq(t *testing.T) {
	p, dir := production(t)
	res, err := p.Requests(context.Background(), Query{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		ID, First, Last, Path string
		Records               int
	}
	jq(t, dir, `map(select(.request_id)) | sort_by(.timestamp) | group_by(.request_id) | map({ID: .[0].request_id, First: .[0].timestamp, Last: .[-1].timestamp, Path: .[-1].path, Records: length}) | sort_by(.ID)`, &want)
	got := map[string]Request{}
	for i, r := range res.Requests {
		got[r.ID] = r
		if i > 0 && r.Last.After(res.Requests[i-1].Last) {
			t.Error("not newest first")
		}
	}
	if len(got) != len(want) || len(want) < 2000 {
		t.Fatalf("%d requests, jq finds %d", len(got), len(want))
	}
	for _, w := range want {
		g := got[w.ID]
		const form = "2006-01-02 15:04:05,000"
		if g.First.Format(form) != w.First || g.Last.Format(form) != w.Last || g.Records != w.Records || g.Path != w.Path {
			t.Errorf("%s: %+v, want %+v", w.ID, g, w)
		}
	}
}

// TestRequestsOfTheLastRecords is the playbook's tail | grep | uniq.
func TestRequestsOfTheLastRecords(t *testing.T) {
	p, dir := production(t)
	q, _ := ParseQuery("file=django.log", noon, time.UTC)
	res, err := p.Requests(context.Background(), q, 100)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", "tail -100 "+dir+`/django.log | grep -o '"request_id": "[^"]*"' | sort -u | wc -l`).Output()
	if err != nil || fmt.Sprintln(len(res.Requests)) != string(out) || res.Records != 100 {
		t.Errorf("%d requests of %d records, tail and grep find %s, %v", len(res.Requests), res.Records, out, err)
	}
}

func TestSlowestAreThoseOfJq(t *testing.T) {
	p, dir := production(t)
	res, err := p.Slow(context.Background(), Query{Limit: 20})
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	jq(t, dir, `map(.duration_ms // empty) | sort | reverse | .[:20]`, &want)
	var got []float64
	for _, l := range res.Lines {
		got = append(got, float64(l.Duration.Microseconds())/1000)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 20 {
		t.Error(diff)
	}
	var all int
	jq(t, dir, `map(select(.duration_ms)) | length`, &all)
	if res.Records != all {
		t.Errorf("%d records, jq finds %d", res.Records, all)
	}
}

func TestSlowWithoutJSON(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "celery.log", "[2026-11-22 12:00:00,000: INFO/F-1] Task a.b["+aTask+"] succeeded in 61.5s: None\n"+
		"2026-11-22 12:00:01,000 WARNING metrics Slow request: GET /x took 7.25s (status: 200)\n2026-11-22 12:00:01,000 INFO g it took a while\n")
	res, err := New(Config{Dir: dir}).Slow(context.Background(), Query{})
	if err != nil || len(res.Lines) != 2 || res.Lines[0].Duration != 61500*time.Millisecond || res.Lines[1].Duration != 7250*time.Millisecond {
		t.Errorf("%+v, %v", res.Lines, err)
	}
}
