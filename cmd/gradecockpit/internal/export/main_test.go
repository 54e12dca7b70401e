package export_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/export"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// station is an exporter over real servers.
type station struct {
	t       *testing.T
	cockpit *wire.Cockpit
	address string
}

// serve runs an exporter as the command does, with the settings of the test. It
// is patient, so that on a busy machine nothing is withheld that a test looks at.
func serve(t *testing.T, settings map[string]string) *station {
	t.Helper()
	return serveFor(t, settings, time.Hour)
}

// serveFor withholds what is older than that.
func serveFor(t *testing.T, settings map[string]string, patient time.Duration) *station {
	t.Helper()
	settings["GRADECOCKPIT_REFRESH"], settings["GRADECOCKPIT_READ_ONLY"] = "1s", "true"
	settings["HOME"] = t.TempDir()
	cfg, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) { v, ok := settings[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	cockpit, err := wire.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := export.Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{t, cockpit, l.Addr().String()}
	var sources []probes.SourceID
	for _, id := range probes.Sources() {
		if cockpit.Hub.Latest().Has(id) && cockpit.Configured(id) {
			sources = append(sources, id)
		}
	}
	e := export.New(cockpit.Hub, export.Options{Sources: sources, Patient: patient})
	s.run(e, l)
	return s
}

// run serves until the test ends, and fails it where the end is not clean.
func (s *station) run(e *export.Exporter, l net.Listener) {
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx, l) }()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Errorf("serve: %v", err)
		}
		s.cockpit.Close(labtest.Context(s.t))
	})
}

// get asks for a path on a connection of its own.
func (s *station) get(method, path string) (status int, body string, header http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(labtest.Context(s.t), method, "http://"+s.address+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// scraped is one answer of /metrics, by name and by labels in order.
type scraped map[string]map[string]float64

func (s *station) scrape() scraped {
	s.t.Helper()
	_, text, _ := s.get(http.MethodGet, "/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		s.t.Fatalf("%v in\n%s", err, text)
	}
	out := scraped{}
	for name, f := range families {
		out[name] = map[string]float64{}
		for _, m := range f.GetMetric() {
			out[name][labels(m)] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.GetLabel() {
		all = append(all, l.GetValue())
	}
	return strings.Join(all, " ")
}

// until scrapes until a condition holds. It leaves the probes, which share its
// cores, time in between.
func (s *station) until(what string, holds func(scraped) bool) (last scraped) {
	s.t.Helper()
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s: the last scrape has series of %v", what, last.names())
		}
	})
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	labtest.Eventually(s.t, func() bool {
		<-pause.C
		last = s.scrape()
		return holds(last)
	})
	return last
}

// looked is a scrape after every probe of a configured source has looked.
func (s *station) looked() scraped {
	s.t.Helper()
	return s.until("every probe has looked", func(m scraped) bool {
		for _, snap := range s.cockpit.Hub.Latest().Snapshots() {
			if s.cockpit.Configured(snap.Source) && m["gradecockpit_probe_runs_total"][string(snap.ID)+" "+string(snap.Source)] == 0 {
				return false
			}
		}
		return true
	})
}

// sources are the servers that answer or not; the host is always there.
func (m scraped) sources() map[string]float64 {
	all := maps.Clone(m["gradecockpit_source_up"])
	delete(all, "host")
	return all
}

// names are the families that have series, those about the process left out.
func (m scraped) names() (out []string) {
	for name, series := range m {
		if len(series) > 0 && (strings.HasPrefix(name, "gradecockpit_") || strings.HasPrefix(name, "grading_")) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
