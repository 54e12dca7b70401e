package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"gradecockpit/cmd/gradecockpit/internal/places"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/panes"
)

// site is where a row's condition is planted: real servers, real log files, a
// real /metrics over HTTP, each made when it is first wanted.
type site struct {
	t       *testing.T
	dialect lab.Dialect
	env     map[string]string
	db      *labtest.DB
	logs    string
	rdb     *redis.Client
	redis   *lab.RedisServer
}

// database gives the site tables.
func (s *site) database() *labtest.DB {
	if s.db == nil {
		s.db = labtest.Postgres(s.t, s.dialect)
		s.env["DATABASE_URL"] = s.db.DSN()
	}
	return s.db
}

// log appends a record to a file of the log folder, as the application does.
func (s *site) log(file, level, logger, message string, extra map[string]any) {
	s.t.Helper()
	if s.logs == "" {
		s.logs = s.t.TempDir()
		s.env["GRADING_LOG_DIR"] = s.logs
		for _, name := range []string{"django.log", "audit.log"} {
			s.log(name, "INFO", "grading", "nothing to see here", nil)
		}
	}
	keys := []string{"timestamp", "level", "logger", "message"}
	record := map[string]any{"timestamp": time.Now().UTC().Format("2006-01-02 15:04:05,000"), "level": level, "logger": logger, "message": message}
	for _, k := range []string{"exc_info", "request_id", "path", "method", "user_id", "status_code", "duration_ms"} {
		if v, ok := extra[k]; ok {
			keys, record[k] = append(keys, k), v
		}
	}
	var parts []string
	for _, k := range keys {
		v, err := json.Marshal(record[k])
		if err != nil {
			s.t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%q: %s", k, v))
	}
	f, err := os.OpenFile(filepath.Join(s.logs, file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := fmt.Fprintf(f, "{%s}\n", strings.Join(parts, ", ")); err != nil {
		s.t.Fatal(err)
	}
}

// broker gives the site a Redis.
func (s *site) broker() *redis.Client {
	s.t.Helper()
	if s.rdb == nil {
		s.redis = labtest.Redis(s.t)
		s.rdb = redis.NewClient(s.redis.Options())
		s.t.Cleanup(func() { _ = s.rdb.Close() })
		s.env["CELERY_BROKER_URL"] = s.redis.URL()
	}
	return s.rdb
}

// send queues a task for a real worker.
func (s *site) send(task, subject string) (id string) {
	s.t.Helper()
	id = uuid.NewString()
	body, _ := json.Marshal([]any{[]any{}, kwargs(task, subject), map[string]any{"callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil}})
	message, err := json.Marshal(map[string]any{
		"body": body, "content-encoding": "utf-8", "content-type": "application/json",
		"headers": map[string]any{"task": task, "id": id, "lang": "py", "root_id": id, "retries": 0, "eta": nil, "expires": nil, "timelimit": []any{nil, nil}},
		"properties": map[string]any{"correlation_id": id, "delivery_mode": 2, "delivery_info": map[string]any{"exchange": "", "routing_key": "celery"},
			"priority": 0, "body_encoding": "base64", "delivery_tag": uuid.NewString()},
	})
	if err == nil {
		err = s.broker().LPush(labtest.Context(s.t), "celery", message).Err()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func kwargs(task, subject string) map[string]any {
	if strings.HasSuffix(task, "import_pdf") {
		return map[string]any{"exam_id": subject, "pdf_path": "/media/scan_77.pdf", "user_id": 1, "anonymous_id": "A3F2-0077"}
	}
	return map[string]any{"copy_id": subject, "user_id": 1}
}

// measures serves a /metrics over HTTP; text gives each scrape's.
func (s *site) measures(text func(scrape int64) string) {
	var scrapes atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, text(scrapes.Add(1)))
	}))
	s.t.Cleanup(server.Close)
	s.env["METRICS_URL"] = server.URL + "/metrics"
}

// condition is what a row's test plants, and what its command must then say.
type condition struct {
	tables bool // it touches tables: planted in both dialects
	// plant makes it and gives what stands for the word in capitals.
	plant func(s *site) string
	// calm makes the like without it: there, nothing must be found. nil where the
	// place always has an answer.
	calm func(s *site) string
	// finds are words of the answer; {ID} in them is what plant gave.
	finds []string
}

// TestPlaces: every place finds what it is for, by the command in the table,
// and does not find it where it is not.
func TestPlaces(t *testing.T) {
	all := conditions()
	for _, p := range places.All() {
		c, ok := all[p.Step]
		if !ok {
			t.Errorf("%s has no test", p.Step)
			continue
		}
		dialects := []lab.Dialect{lab.Deployed}
		if c.tables {
			dialects = append(dialects, lab.Playbook)
		}
		for _, d := range dialects {
			t.Run(p.Step+" "+string(d), func(t *testing.T) {
				t.Parallel()
				c.check(t, p, d)
			})
		}
	}
	if len(all) != len(places.All()) {
		t.Errorf("%d conditions for %d places", len(all), len(places.All()))
	}
}

func (c condition) check(t *testing.T, p places.Place, d lab.Dialect) {
	t.Helper()
	if c.calm != nil && d == lab.Deployed {
		got, _ := answer(t, p, d, c.calm)
		for _, f := range c.finds {
			if says(got.out, f) {
				t.Errorf("%s says %q of what is calm:\n%s", p.Command, f, got.out)
			}
		}
	}
	got, id := answer(t, p, d, c.plant)
	for _, f := range c.finds {
		if f = strings.ReplaceAll(f, "{ID}", id); !says(got.out, f) {
			t.Errorf("%s does not say %q:\n%s%s", p.Command, f, got.out, got.err)
		}
	}
	if got.code != exitOK {
		t.Errorf("%s: exit code %d: %s", p.Command, got.code, got.err)
	}
}

// says looks for words that may stand any number of blanks apart.
func says(out, words string) bool {
	return strings.Contains(strings.Join(strings.Fields(out), " "), words)
}

// answer makes a site and runs the place's command on it.
func answer(t *testing.T, p places.Place, d lab.Dialect, plant func(*site) string) (got ran, id string) {
	t.Helper()
	s := &site{t: t, dialect: d, env: map[string]string{}}
	id = plant(s)
	var args []string
	for _, word := range strings.Fields(p.Command)[1:] {
		switch word {
		case "ID", "REQUEST", "ENDPOINT":
			word = id
		}
		args = append(args, word)
	}
	return run(t, s.env, args...), id
}

// TestPlacesKeys: the keys in the table lead to the pane or page that the
// command prints, under the number and the words that they have now.
func TestPlacesKeys(t *testing.T) {
	prints := map[string]string{"logs": "logs", "tasks": "tasks", "queues": "queue", "workers": "workers", "metrics": "latency", "tables": "database", "statements": "database"}
	inKey := regexp.MustCompile("`(\\d)|`:(\\w+)|pattern:(\\S+?)[` ]")
	for _, p := range places.All() {
		words := strings.Fields(p.Command)
		of := prints[words[1]]
		if words[1] == "show" {
			of = words[2]
		}
		keys := inKey.FindAllStringSubmatch(p.Key, -1)
		if len(keys) == 0 && !strings.Contains(p.Key, "row of the copy") {
			t.Errorf("%s has no key: %s", p.Step, p.Key)
		}
		for _, k := range keys {
			switch n := strings.IndexAny("1234567890", k[1]); {
			case k[1] != "" && of != "" && of != "events" && (n >= len(panes.All()) || string(panes.All()[n].ID()) != of):
				t.Errorf("%s: %s is not the key of %s", p.Step, k[1], of)
			case k[2] != "" && !slices.Contains(append(pageWords(), paneNames()...), k[2]):
				t.Errorf("%s: there is no :%s", p.Step, k[2])
			case k[3] != "":
				if _, ok := logs.FindPattern(k[3]); !ok {
					t.Errorf("%s: there is no pattern %s", p.Step, k[3])
				}
			}
		}
	}
}
