package metrics

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gradecockpit/probes"
)

const secret = "s3cr3t-t0ken"

func TestFailures(t *testing.T) {
	answer := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusMovedPermanently)
		}
	}
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "# a comment that never ends\n")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		path    string
		want    []string
		denied  bool
	}{
		{"a web page", answer(200, "text/html; charset=utf-8", "<!doctype html>"), "", []string{"answers a web page, not metrics", "nginx does not forward /metrics; ask backend:8000"}, false},
		{"a web page that says it is text", answer(200, "text/plain", "\n<html>"), "", []string{"answers a web page"}, false},
		{"403", answer(403, "text/plain", "Forbidden "+secret), "", []string{"answers 403", "METRICS_TOKEN"}, true},
		{"401", answer(401, "text/plain", ""), "", []string{"answers 401"}, true},
		{"400", answer(400, "text/html", "<h1>"), "", []string{"answers 400", "in the application's ALLOWED_HOSTS?"}, false},
		{"404 with a slash", answer(404, "text/html", ""), "/metrics/", []string{"answers 404", "no slash at its end"}, false},
		{"404", answer(404, "text/html", ""), "", []string{"answers 404", "exactly /metrics"}, false},
		{"502", answer(502, "text/html", ""), "", []string{"answers 502", "see its log"}, false},
		{"204", answer(204, "text/plain", ""), "", []string{"answers 204"}, false},
		{"not metrics", answer(200, "text/plain", "hello "+secret+"\x1b[31m\n"), "", []string{"text format", "(token)"}, false},
		{"cut in the middle", answer(200, "text/plain", `http_requests_total{method="GET`), "", []string{"unexpected end of input"}, false},
		{"another host", redirect("http://user:pw@metrics.example.org:9/" + secret), "", []string{"redirects to http://metrics.example.org:9, which is not followed"}, false},
		{"a redirect without end", redirect("/metrics"), "", []string{"redirects again and again"}, false},
		{"a redirect to nowhere", redirect(""), "", []string{"answers 301"}, false},
		{"hanging", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", []string{"no whole answer in time", "All workers may be busy"}, false},
		{"dripping", drip, "", []string{"no whole answer in time"}, false},
		{"hanging up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", []string{"EOF"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			address := strings.Replace(srv.URL, "//", "//user:hidden-pw@", 1) + tt.path + "?key=hidden-key"
			timeout := time.Minute
			if strings.Contains(tt.want[0], "in time") {
				timeout = 100 * time.Millisecond
			}
			p, err := New(Config{URLs: []string{address}, Token: secret, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Sample(context.Background())
			checkError(t, err, tt.denied, tt.want...)
		})
	}
}

func checkError(t *testing.T, err error, denied bool, want ...string) {
	t.Helper()
	var e *probes.Error
	if !errors.As(err, &e) || e.Source != probes.Metrics || e.Denied != denied {
		t.Fatalf("got %#v, want denied %v", err, denied)
	}
	for _, s := range want {
		if !strings.Contains(e.Error(), s) {
			t.Errorf("%q does not say %q", e, s)
		}
	}
	if strings.Contains(e.Error(), secret) || strings.Contains(e.Error(), "hidden") || strings.ContainsAny(e.Error(), "\x1b\n") {
		t.Errorf("unsafe to show: %q", e)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p, err := New(Config{URLs: []string{"http://admin:" + secret + "@" + addr + "/metrics?token=" + secret}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Sample(context.Background())
	checkError(t, err, false, "scrape http://"+addr+"/metrics: nobody listens there")
}

func TestHTTPSOnAnHTTPPort(t *testing.T) {
	srv := httptest.NewServer(&app{workers: []*worker{newWorker(1)}})
	defer srv.Close()
	p, err := New(Config{URLs: []string{strings.Replace(srv.URL, "http:", "https:", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Sample(context.Background())
	checkError(t, err, false, "speaks http, not https")
}

func TestTooLong(t *testing.T) {
	zipped := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		for range 1 << 10 {
			z.Write([]byte(strings.Repeat("#\n", 1<<14))) // 32 MiB unpacked, 32 kB on the wire
		}
	}
	p, _ := watch(t, http.HandlerFunc(zipped), Config{MaxBytes: 1 << 20})
	_, err := p.Sample(context.Background())
	checkError(t, err, false, "the answer is longer than 1048576 bytes")
}

func TestGzip(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("gzip is not asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		io.WriteString(z, newWorker(1000).text())
	}
	p, _ := watch(t, http.HandlerFunc(h), Config{})
	if o := sample(t, p); len(o.Processes) != 1 || o.Processes[0].Resident != 4.2e7 {
		t.Errorf("got %+v", o)
	}
}

// The token goes into the header, never into the URL, wherever it came from.
func TestToken(t *testing.T) {
	for name, cfg := range map[string]Config{
		"set apart":  {Token: secret},
		"in the URL": {},
	} {
		t.Run(name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Metrics-Token") != secret || r.URL.RawQuery != "" || r.Header.Get("Connection") != "close" {
					w.WriteHeader(http.StatusForbidden)
				}
			}
			srv := httptest.NewServer(http.HandlerFunc(h))
			defer srv.Close()
			cfg.URLs = []string{srv.URL + "/metrics"}
			if cfg.Token == "" {
				cfg.URLs[0] += "?token=" + secret
			}
			p, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			sample(t, p)
		})
	}
}

func TestRedirectOnTheSameHost(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	mux := http.NewServeMux()
	mux.Handle("/metrics", a)
	mux.Handle("/metrics/", http.RedirectHandler("/metrics", http.StatusMovedPermanently))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	p, err := New(Config{URLs: []string{srv.URL + "/metrics/"}})
	if err != nil {
		t.Fatal(err)
	}
	if o := sample(t, p); len(o.Processes) != 1 {
		t.Errorf("got %+v", o)
	}
}

// Django with SSL_ENABLED sends every http request away unless a proxy says
// that it was https outside.
func TestRedirectToHTTPSOnTheSamePort(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Proto") != "https" {
			http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
			return
		}
		a.ServeHTTP(w, r)
	}
	p, _ := watch(t, http.HandlerFunc(h), Config{})
	if o := sample(t, p); len(o.Processes) != 1 {
		t.Errorf("got %+v", o)
	}
}

func TestOneOfTwoAddressesFails(t *testing.T) {
	a := &app{workers: []*worker{newWorker(1000)}}
	p, _ := watch(t, a, Config{URLs: []string{"http://127.0.0.1:1"}})
	if o := sample(t, p); len(o.Processes) != 1 || !strings.HasPrefix(o.Note, "1 of 2 addresses failed: metrics: scrape http://127.0.0.1:1/metrics: nobody listens") {
		t.Errorf("got %+v", o)
	}
}

// An address that hangs leaves time to the next one.
func TestTheDeadlineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config{URLs: []string{"http://hangs/", "http://answers/"}, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		p.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Host == "hangs" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			w := httptest.NewRecorder()
			io.WriteString(w, newWorker(1000).text())
			return w.Result(), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := p.Sample(ctx)
		if err != nil || len(got.(Overview).Processes) != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNew(t *testing.T) {
	for _, bad := range []Config{
		{URLs: []string{"localhost:8088/metrics"}},
		{URLs: []string{"ftp://x/metrics"}},
		{URLs: []string{"http://" + secret + "\x00/"}},
		{URLs: []string{"http://x"}, Token: secret + "\n"},
	} {
		if _, err := New(bad); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad.URLs, err)
		}
	}
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Sample(context.Background())
	checkError(t, err, false, "Set METRICS_URL.")
}
