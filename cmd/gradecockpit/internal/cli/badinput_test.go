package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

const secret = "hunter2-s3cret"

// TestBadInput: every mistake is one clear sentence on standard error and exit
// code 2, and 3 from check; no secret is ever printed.
func TestBadInput(t *testing.T) {
	server := labtest.Server(t, lab.PostgresOptions{TCP: true, Password: secret})
	db := labtest.On(t, server, lab.Deployed)
	redis := labtest.Redis(t, lab.RedisOptions{TCP: true, Password: secret})
	html := serve(t, http.StatusOK, "text/html", "<!doctype html><title>Grading</title>")
	forbidden := serve(t, http.StatusForbidden, "text/plain", "Forbidden")
	unreadable := filepath.Join(t.TempDir(), "logs")
	if err := os.MkdirAll(filepath.Join(unreadable, "django.log"), 0o700); err != nil { // a folder in the file's place: unreadable for root too
		t.Fatal(err)
	}
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	cases := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"wrong DSN", map[string]string{"DATABASE_URL": "postgresql://u:" + secret + "@db:port/x"}, []string{"show", "locks"}, "port"},
		{"not even a DSN", map[string]string{"DATABASE_URL": "nonsense " + secret}, []string{"show", "locks"}, "neither a URL"},
		{"wrong password", map[string]string{"DATABASE_URL": server.TCPDSN(db.Name, lab.AdminUser, "wrong-"+secret)}, []string{"show", "locks"}, "wrong password"},
		{"no such database", map[string]string{"DATABASE_URL": server.DSN("nowhere", lab.AdminUser)}, []string{"show", "stuck"}, `"nowhere" does not exist`},
		{"not a grading database", map[string]string{"DATABASE_URL": server.DSN("postgres", lab.AdminUser)}, []string{"show", "timeline"}, "not a grading database"},
		{"server away", map[string]string{"DATABASE_URL": "postgresql://u:" + secret + "@" + closed(t) + "/x"}, []string{"show", "locks"}, "refused"},
		{"no such copy", map[string]string{"DATABASE_URL": db.DSN()}, []string{"copy", "A3F2-9999"}, "A3F2-9999"},
		{"wrong scheme", map[string]string{"CELERY_BROKER_URL": "amqp://u:" + secret + "@x"}, []string{"show", "queue"}, "redis://"},
		{"wrong Redis password", map[string]string{"CELERY_BROKER_URL": strings.Replace(redis.URL(), secret, "wrong-"+secret, 1)}, []string{"show", "queue"}, "password"},
		{"Redis away", map[string]string{"CELERY_BROKER_URL": "redis://:" + secret + "@" + closed(t) + "/0"}, []string{"show", "queue"}, "refused"},
		{"HTML instead of metrics", map[string]string{"METRICS_URL": html}, []string{"show", "latency"}, "web page"},
		{"403 without the token", map[string]string{"METRICS_URL": forbidden}, []string{"show", "latency"}, "METRICS_TOKEN"},
		{"wrong token", map[string]string{"METRICS_URL": forbidden, "METRICS_TOKEN": secret}, []string{"show", "latency"}, "METRICS_TOKEN"},
		{"unreadable logs", map[string]string{"GRADING_LOG_DIR": unreadable}, nil, "django.log"},
		{"no log folder", map[string]string{"GRADING_LOG_DIR": unreadable + "/nowhere"}, nil, "nowhere"},
		{"nothing configured", nil, nil, "Set DATABASE_URL"},
		{"config typo", nil, []string{"--config", file("databse_url: x\n"), "show", "locks"}, `unknown key "databse_url"; did you mean "database_url"?`},
		{"config value", nil, []string{"--config", file("locks: maybe\n"), "show", "locks"}, `"maybe" is not one of`},
		{"no such environment", nil, []string{"-e", "prod", "show", "locks"}, `no environment "prod"`},
		{"no such pane", nil, []string{"show", "lock"}, "there are locks, stuck"},
		{"no such flag", nil, []string{"--frobnicate"}, "--frobnicate"},
		{"no such command", nil, []string{"frobnicate"}, "frobnicate"},
		{"no such output", nil, []string{"show", "locks", "-o", "xml"}, "table and json"},
		{"no such fault", nil, []string{"demo", "--fault", "gremlins"}, "gremlins"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.env, c.args...)
			if got.code != exitBad {
				t.Errorf("exit code %d, want 2", got.code)
			}
			oneSentence(t, got, c.want)
		})
		if c.args == nil || c.args[0] == "show" {
			t.Run("check: "+c.name, func(t *testing.T) {
				if len(c.args) == 2 && c.args[1] == "lock" || len(c.args) > 2 {
					return // about the arguments of show
				}
				got := run(t, c.env, "check")
				if got.code != exitUnknown || !strings.HasPrefix(got.out, "GRADING UNKNOWN - ") || strings.Count(got.out, "\n") != 1 {
					t.Errorf("exit code %d, said %q", got.code, got.out)
				}
				if strings.Contains(got.out+got.err, secret) {
					t.Error("a secret is printed")
				}
			})
		}
	}
}

func oneSentence(t *testing.T, got ran, want string) {
	t.Helper()
	if !strings.Contains(got.err, want) || strings.Count(got.err, "\n") != 1 || !strings.HasPrefix(got.err, "gradecockpit: ") {
		t.Errorf("said %q, want one line with …%s…", got.err, want)
	}
	if strings.Contains(got.out+got.err, secret) {
		t.Errorf("a secret is printed: %s%s", got.out, got.err)
	}
}

// serve answers everything in one way.
func serve(t *testing.T, status int, kind, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/metrics"
}

// closed is an address on which nobody listens.
func closed(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
