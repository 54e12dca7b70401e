// Package lokitest is a small Loki for tests: it keeps lines in memory and
// answers /loki/api/v1/query_range as the documentation of Loki's HTTP API says
// (start is in, end is not, the limit is over all streams, 5000 at most), for
// stream selectors and line filters, which it evaluates by itself.
package lokitest

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxEntries is Loki's default of max_entries_limit_per_query.
const maxEntries = 5000

// Server is a Loki with what was added to it.
type Server struct {
	*httptest.Server
	Tenant string // the one tenant it knows; "" takes every question

	mu      sync.Mutex
	entries []entry
	asked   []string
}

type entry struct {
	labels map[string]string
	at     time.Time
	line   string
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /loki/api/v1/query_range", s.queryRange)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// Add keeps a line of a service.
func (s *Server) Add(service string, at time.Time, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, entry{map[string]string{"compose_service": service}, at, line})
}

// Asked gives the LogQL of all questions so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) queryRange(w http.ResponseWriter, r *http.Request) {
	if s.Tenant != "" && r.Header.Get("X-Scope-OrgID") != s.Tenant {
		http.Error(w, "no org id", http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	s.mu.Lock()
	s.asked = append(s.asked, q.Get("query"))
	s.mu.Unlock()
	found, err := s.find(q.Get("query"), q.Get("start"), q.Get("end"), q.Get("limit"), q.Get("direction"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.answer(w, r, found)
}

func (s *Server) find(query, start, end, limit, direction string) ([]entry, error) {
	keep, err := parse(query)
	if err != nil {
		return nil, err
	}
	from, err1 := strconv.ParseInt(start, 10, 64)
	to, err2 := strconv.ParseInt(end, 10, 64)
	most, err3 := strconv.Atoi(limit)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return nil, err
	}
	if most > maxEntries {
		return nil, fmt.Errorf("max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > %d)", most, maxEntries)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []entry
	for _, e := range s.entries {
		if at := e.at.UnixNano(); at >= from && at < to && keep(e) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int { return a.at.Compare(b.at) })
	if direction != "forward" {
		slices.Reverse(found)
	}
	return found[:min(len(found), most)], nil
}

// stream is what an answer says of one set of labels.
type stream struct {
	Stream map[string]string `json:"stream"`
	Values [][]any           `json:"values"`
}

// streams groups entries by their labels, which keeps their order inside one
// stream only. To those labels Loki adds what differs from line to line, unless
// the client wants that apart.
func streams(found []entry, apart bool) []*stream {
	all := []*stream{}
	byLabels := map[string]*stream{}
	for _, e := range found {
		labels, value := maps.Clone(e.labels), []any{strconv.FormatInt(e.at.UnixNano(), 10), e.line}
		if apart {
			value = append(value, map[string]any{"structuredMetadata": map[string]string{"detected_level": level(e.line)}})
		} else {
			labels["detected_level"] = level(e.line)
		}
		name := fmt.Sprint(labels)
		if byLabels[name] == nil {
			byLabels[name] = &stream{Stream: labels}
			all = append(all, byLabels[name])
		}
		byLabels[name].Values = append(byLabels[name].Values, value)
	}
	return all
}

// level is what Loki finds in a line.
func level(line string) string {
	for _, name := range []string{"error", "warn", "info"} {
		if strings.Contains(strings.ToLower(line), name) {
			return name
		}
	}
	return "unknown"
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, found []entry) {
	apart := r.Header.Get("X-Loki-Response-Encoding-Flags") == "categorize-labels"
	data := map[string]any{"resultType": "streams", "result": streams(found, apart), "stats": map[string]any{}}
	if apart {
		data["encodingFlags"] = []string{"categorize-labels"}
	}
	body := map[string]any{"status": "success", "data": data}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_ = json.NewEncoder(w).Encode(body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_ = json.NewEncoder(z).Encode(body)
	_ = z.Close()
}
