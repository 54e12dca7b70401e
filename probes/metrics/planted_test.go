package metrics

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

// fullWorker is a worker that tells of itself what a real one does.
type fullWorker struct {
	*worker
	resident, cpu, open float64
	domain              string
}

func (w *fullWorker) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	text := strings.Replace(w.text(), "process_resident_memory_bytes 4.2e7\n", fmt.Sprintf("process_resident_memory_bytes %v\n", w.resident), 1)
	text = strings.Replace(text, "process_cpu_seconds_total 1.5\n", fmt.Sprintf("process_cpu_seconds_total %v\n", w.cpu), 1)
	io.WriteString(rw, text+fmt.Sprintf("process_open_fds %v\nprocess_max_fds 1024\n", w.open)+w.domain)
}

// A process that ends and is begun anew while we look on is a restart; one that
// began before and is only met late is none.
func TestARestartIsSeen(t *testing.T) {
	began := float64(time.Now().Add(-time.Hour).Unix())
	a := &app{workers: []*worker{newWorker(began), newWorker(began + 1)}}
	var clock *time.Time
	p, clock := watch(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", clock.UTC().Format(http.TimeFormat))
		a.ServeHTTP(w, r)
	}), Config{})
	*clock = time.Now()
	sample(t, p)
	late := newWorker(began + 2)
	a.workers = append(a.workers, late)
	*clock = clock.Add(time.Minute)
	if o := sample(t, p); len(o.Restarts) != 0 || len(o.Processes) != 3 {
		t.Fatalf("met late: %+v, %d processes", o.Restarts, len(o.Processes))
	}
	anew := began + 3600 + 90
	a.workers[1] = newWorker(anew)
	*clock = clock.Add(50 * time.Second)
	sample(t, p)
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	if len(o.Restarts) != 1 || !o.Restarts[0].At.Equal(startTime(anew)) || !o.Restarts[0].Before.Equal(startTime(began+1)) {
		t.Errorf("restarts %+v", o.Restarts)
	}
	*clock = clock.Add(2 * time.Hour)
	a.workers[0] = newWorker(anew + 7000)
	if o = sample(t, p); len(o.Restarts) != 1 || !o.Restarts[0].At.Equal(startTime(anew+7000)) {
		t.Errorf("after an hour: %+v", o.Restarts)
	}
}

// Memory that grows for ten minutes and more is told from warming up.
func TestALeakIsSeen(t *testing.T) {
	w := &fullWorker{worker: newWorker(1000), resident: 150 << 20, open: 30}
	p, clock := watch(t, w, Config{})
	var o Overview
	for minute := range 90 {
		w.resident += 8 << 20
		w.cpu += 15
		*clock = clock.Add(time.Minute)
		o = sample(t, p)
		leaks, memory := o.Processes[0].Leaks(), o.Processes[0].Memory
		if leaks != (minute >= 10) {
			t.Fatalf("minute %d: leaks %v, %+v", minute, leaks, memory)
		}
		if len(memory) > 62 {
			t.Fatalf("%d points of memory are kept", len(memory))
		}
	}
	x := o.Processes[0]
	if grown, over := x.Grown(); over != time.Hour || grown != 60*8<<20 {
		t.Errorf("grew %v in %v", grown, over)
	}
	if math.Abs(x.CPUShare-.25) > 1e-9 || x.OpenFDs != 30 || x.MaxFDs != 1024 {
		t.Errorf("got %+v", x)
	}
}

// The last hour is a point a minute, however often it is looked; minutes
// without a look are left out, and what is older is forgotten.
func TestTheLastHour(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	p, clock := watch(t, a, Config{})
	look := func(n int, seconds float64) {
		for range n { // 4 looks a minute
			a.workers[0].serve(finalize, 200, 15, seconds)
			a.workers[0].serve(finalize, 504, 15, seconds)
			*clock = clock.Add(15 * time.Second)
			sample(t, p)
		}
	}
	sample(t, p)
	look(4*50, .2)
	*clock = clock.Add(10 * time.Minute) // the cockpit was paused
	look(4*30, 4)
	o := sample(t, p)
	trend := endpointOf(t, o, finalize).Trend
	if len(trend) > 60 || trend[0].At.Before(clock.Add(-61*time.Minute)) || !trend[len(trend)-1].At.Equal(clock.Truncate(time.Minute)) {
		t.Fatalf("%d points from %v", len(trend), trend[0].At)
	}
	missing := 60 - len(trend)
	if missing < 9 || missing > 11 {
		t.Errorf("%d minutes are missing, want about the 10 without a look", missing)
	}
	early, late := trend[3], trend[len(trend)-2]
	if early.P95.Upper != .25 || late.P95.Lower != 2.5 || math.Abs(late.RPS-2) > .1 || late.Server != .5 {
		t.Errorf("early %+v, late %+v", early, late)
	}
	if e := endpointOf(t, o, finalize); e.TimeoutShare != .5 || e.ErrorShare != .5 {
		t.Errorf("504: %+v", e)
	}
}

// The application's own families: what was counted while we watched apart from
// what was counted before; a gauge is no counter, and processes add up.
func TestDomainFamilies(t *testing.T) {
	text := func(conflicts, slow, copies int) string {
		return fmt.Sprintf(`# TYPE grading_lock_conflicts_total counter
grading_lock_conflicts_total{conflict_type="expired"} %d
# TYPE grading_finalize_duration_seconds histogram
grading_finalize_duration_seconds_bucket{status="success",retry_attempt="1",le="60.0"} 10
grading_finalize_duration_seconds_bucket{status="success",retry_attempt="1",le="120.0"} %d
grading_finalize_duration_seconds_bucket{status="success",retry_attempt="1",le="+Inf"} %d
grading_finalize_duration_seconds_sum{status="success",retry_attempt="1"} %d
grading_finalize_duration_seconds_count{status="success",retry_attempt="1"} %d
# TYPE grading_copies_by_status gauge
grading_copies_by_status{status="LOCKED"} %d
# HELP grading_ocr_errors_total OCR errors
# TYPE grading_ocr_errors_total counter
`, conflicts, 10+slow, 10+slow, 100*(10+slow), 10+slow, copies)
	}
	w := &fullWorker{worker: newWorker(1000), domain: text(5, 0, 9)}
	p, clock := watch(t, w, Config{})
	sample(t, p)
	w.domain = text(8, 4, 3)
	*clock = clock.Add(10 * time.Minute)
	d := sample(t, p).Domain
	if len(d.Conflicts) != 1 || d.Conflicts[0] != (Tally{"expired", 3, 8}) || d.Over != 10*time.Minute {
		t.Errorf("conflicts %+v in %v", d.Conflicts, d.Over)
	}
	f := d.Finalize[0]
	if f.Status != "success" || f.Group != "1" || f.Recent != 4 || f.Total != 14 || f.P95.Lower != 60 || f.P95.Upper != 120 || f.Mean != 100 {
		t.Errorf("finalize %+v", f)
	}
	if len(d.Copies) != 1 || d.Copies[0] != (Count{"LOCKED", 3}) || len(d.OCR) != 0 {
		t.Errorf("copies %+v, OCR %+v", d.Copies, d.OCR)
	}
}

// Labels that anybody makes up are bounded here too.
func TestManyStatusesAndDomainLabels(t *testing.T) {
	w := &fullWorker{worker: newWorker(1000)}
	p, clock := watch(t, w, Config{})
	sample(t, p)
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "grading_ocr_errors_total{error_type=\"%d\x1b[2J\"} 1\n", i)
		w.serve(finalize, i, 1, .1)
	}
	w.domain = b.String()
	*clock = clock.Add(10 * time.Second)
	o := sample(t, p)
	total := 0.0
	for _, x := range o.Domain.OCR {
		total += x.Recent
		if strings.Contains(x.Name, "\x1b") {
			t.Fatalf("label %q", x.Name)
		}
	}
	if n := len(o.Domain.OCR); n > maxDomain+1 || total != 1000 {
		t.Errorf("%d OCR labels, %v errors", n, total)
	}
	if e := endpointOf(t, o, finalize); len(e.ByStatus) > maxCodes+1 || e.Requests != 1000 {
		t.Errorf("%d statuses of %v requests", len(e.ByStatus), e.Requests)
	}
}

// A scrape costs what it says: the bytes and samples of all answers.
func TestCost(t *testing.T) {
	w := newWorker(1000)
	w.serve(finalize, 200, 1, .1)
	a := &app{workers: []*worker{w}}
	p, _ := watch(t, a, Config{})
	c := sample(t, p).Cost
	if c.Requests != a.scrapes || c.Bytes != a.scrapes*len(w.text()) || c.Samples != 5*a.scrapes || c.Took <= 0 {
		t.Errorf("%+v after %d scrapes of %d bytes", c, a.scrapes, len(w.text()))
	}
}
