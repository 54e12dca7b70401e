package lab_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMetricsText(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.NoWorker = true
	w := world(t, opts)
	starts := map[float64]bool{}
	for range 3 {
		text := strings.TrimPrefix(scrape(t, w), "200\n")
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		starts[families["process_start_time_seconds"].Metric[0].GetGauge().GetValue()] = true
		want := []string{
			"http_request_duration_seconds", "http_request_duration_seconds_created", "http_requests_created", "http_requests_total",
			"process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes",
			"process_start_time_seconds", "process_virtual_memory_bytes", "python_gc_objects_collected_total", "python_info",
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(families))); diff != "" {
			t.Errorf("families with samples (-want +got):\n%s", diff)
		}
		for _, head := range []string{"grading_finalize_duration_seconds histogram", "grading_copies_by_status gauge", "grading_lock_conflicts_total counter"} {
			if !strings.Contains(text, "# TYPE "+head+"\n") {
				t.Errorf("no TYPE line for %s", head)
			}
		}
		for _, m := range families["http_request_duration_seconds"].Metric {
			checkHistogram(t, m.GetHistogram().GetSampleCount(), len(m.GetHistogram().GetBucket()))
		}
	}
	if len(starts) != 3 {
		t.Errorf("%d processes answered three scrapes", len(starts))
	}
	w.RestartWebProcess(0)
	if text := scrape(t, w); strings.Contains(text, "http_requests_total{") {
		t.Error("a restarted process kept its counters")
	}
}

func checkHistogram(t *testing.T, count uint64, buckets int) {
	t.Helper()
	if count == 0 || buckets != 12 {
		t.Errorf("%d observations in %d buckets, want 12 buckets", count, buckets)
	}
}

func TestMetricsWantTheToken(t *testing.T) {
	opts := quiet(lab.Deployed)
	opts.NoWorker = true
	w := world(t, opts)
	url, token := w.Env()["METRICS_URL"], w.Env()["METRICS_TOKEN"]
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, c := range []struct {
		method, url, header string
		want                int
	}{
		{"GET", url, token, 200},
		{"GET", url + "?token=" + token, "", 200},
		{"GET", url, "", 403},
		{"GET", url, "wrong", 403},
		{"GET", url + "/", token, 404},
		{"POST", url, token, 405},
	} {
		req, err := http.NewRequestWithContext(labtest.Context(t), c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.header != "" {
			req.Header.Set("X-Metrics-Token", c.header)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s %s with %q: %d, want %d", c.method, c.url, c.header, resp.StatusCode, c.want)
		}
	}
}
