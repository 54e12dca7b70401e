package child

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// keepEnv makes the test program a cockpit that keeps the command in it running.
const keepEnv = "CHILD_TEST_KEEPS"

func TestMain(m *testing.M) {
	if script := os.Getenv(keepEnv); script != "" {
		Start([]string{"sh", "-c", script}, nil, func(line []byte) { fmt.Println(string(line)) })
		select {}
	}
	goleak.VerifyTestMain(m)
}

// seen collects what a command prints.
type seen struct {
	mu    sync.Mutex
	lines []string
	runs  int
}

func (s *seen) take(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(line))
}

func (s *seen) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.lines...)
}

// eventually waits for a condition, a minute at most.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never happened: " + what)
		}
	}
}

// shell keeps a script running that has printed n lines.
func shell(t *testing.T, script string, n int) (*Child, *seen) {
	t.Helper()
	var s seen
	c := start([]string{"sh", "-c", script}, s.begin, s.take, 10*time.Millisecond)
	t.Cleanup(c.Close)
	eventually(t, fmt.Sprint(n, " lines"), func() bool { return len(s.all()) >= n })
	return c, &s
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func TestLinesOfAnySize(t *testing.T) {
	_, s := shell(t, `printf 'one\r\n\ntwo\000\377\033[31m\nhalf '; sleep 0.05; printf 'a line\n'
head -c 1000000 /dev/zero | tr '\0' x; printf '\nlast'; sleep 0.05; printf ' without end'; exec sleep 1000 >&- 2>&-`, 5)
	eventually(t, "the long line", func() bool { return len(s.all()) >= 5 })
	got := s.all()
	want := []string{"one", "", "two\x00\xff\x1b[31m", "half a line"}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("line %d is %.40q, want %q", i, got[i], w)
		}
	}
	if len(got[4]) != maxLine || strings.Trim(got[4], "x") != "" {
		t.Errorf("of a line of 1 MB %d bytes were kept, want %d", len(got[4]), maxLine)
	}
}

func TestLastLineWithoutEnd(t *testing.T) {
	_, s := shell(t, `printf 'first\nlast without end'`, 2)
	if got := s.all()[1]; got != "last without end" {
		t.Errorf("got %q", got)
	}
}

// TestEndlessLineIsBounded: a gigabyte without a line end is held back by
// nothing and kept nowhere.
func TestEndlessLineIsBounded(t *testing.T) {
	l := &lines{take: func([]byte) {}}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for range 1024 {
		if n, err := l.Write(piece); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if cap(l.part) > 4*maxLine {
		t.Errorf("%d bytes are held of one line, want about %d", cap(l.part), maxLine)
	}
}

func TestDeadCommandIsStartedAgainAndSaysWhy(t *testing.T) {
	c, s := shell(t, `echo up; echo 'no configuration file provided: not found' >&2; echo >&2; exit 14`, 4)
	eventually(t, "the reason", func() bool { return c.State().Why != "" })
	if got, want := c.State().Why, "sh ended (exit status 14): no configuration file provided: not found"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs < 4 {
		t.Errorf("begin was called %d times for 4 lines of 4 runs", s.runs)
	}
	if got := c.State(); got.Starts < 4 || got.Last.IsZero() || got.Since.IsZero() {
		t.Errorf("the state does not count: %+v", got)
	}
}

func TestReasonIsCleanAndShort(t *testing.T) {
	c, _ := shell(t, `echo up; printf '\033]0;owned\007 %01000d' 7 >&2`, 2)
	eventually(t, "the reason", func() bool { return c.State().Why != "" })
	if got := c.State().Why; strings.ContainsAny(got, "\x1b\x07") || len(got) > 400 || !strings.HasPrefix(got, `sh ended by itself: \x1b]0;owned`) {
		t.Errorf("got %q", got)
	}
}

func TestNoSuchProgram(t *testing.T) {
	c := start([]string{"no-such-program-anywhere"}, nil, func([]byte) {}, 10*time.Millisecond)
	t.Cleanup(c.Close)
	eventually(t, "the reason", func() bool { return c.State().Why != "" })
	if got := c.State(); got.Why != "no-such-program-anywhere is not on PATH" || !got.Since.IsZero() {
		t.Errorf("got %+v", got)
	}
	not := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(not, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := start([]string{not}, nil, func([]byte) {}, 10*time.Millisecond)
	t.Cleanup(d.Close)
	eventually(t, "the reason", func() bool { return d.State().Why != "" })
	if got := d.State().Why; got != "plain cannot be started: permission denied" {
		t.Errorf("got %q", got)
	}
}

// TestCloseLeavesNothing: neither a command that ignores SIGTERM nor its
// children live on.
func TestCloseLeavesNothing(t *testing.T) {
	c, s := shell(t, `trap '' TERM; sleep 1000 & echo $!; echo $$; while :; do sleep 0.02; done`, 2)
	c.Close()
	for _, line := range s.all()[:2] {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of "+line, func() bool { return gone(pid) })
	}
}

// TestLeftoversOfADeadCommandEnd: children that hold its output open would
// otherwise keep it from being started again.
func TestLeftoversOfADeadCommandEnd(t *testing.T) {
	_, s := shell(t, `sleep 1000 & echo $!`, 2)
	first, err := strconv.Atoi(s.all()[0])
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of what was left", func() bool { return gone(first) })
}

// TestKilledWithUs: SIGKILL gives us no time to end the command and its child,
// which never print again.
func TestKilledWithUs(t *testing.T) {
	us := exec.Command(os.Args[0])
	us.Env = append(os.Environ(), keepEnv+`=sleep 1000 & echo $! $$; wait`)
	out, err := us.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := us.Start(); err != nil {
		t.Fatal(err)
	}
	var child, grandchild int
	if _, err := fmt.Fscan(out, &grandchild, &child); err != nil {
		t.Fatal(err)
	}
	if gone(child) || gone(grandchild) {
		t.Fatal("the command does not run")
	}
	if err := us.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = us.Wait()
	eventually(t, "the end of the command", func() bool { return gone(child) })
	eventually(t, "the end of its child", func() bool { return gone(grandchild) })
}

func TestCommandGetsNoSecretOfOurs(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://cockpit:geheim@db/x")
	t.Setenv("DOCKER_HOST", "unix:///run/elsewhere.sock")
	_, s := shell(t, `env; echo done; exec sleep 1000`, 2)
	eventually(t, "the end of env", func() bool { return strings.Contains(strings.Join(s.all(), "\n"), "done") })
	got := strings.Join(s.all(), "\n")
	if strings.Contains(got, "geheim") || !strings.Contains(got, "DOCKER_HOST=unix:///run/elsewhere.sock") {
		t.Errorf("the command's environment is:\n%s", got)
	}
}

func TestNameHidesSecrets(t *testing.T) {
	for want, words := range map[string][]string{
		"curl -N http://…@host/log":                             {"curl", "-N", "http://me:geheim@host/log"},
		"curl -N http://host/log?token=…":                       {"curl", "-N", "http://host/log?token=geheim&x=1"},
		"curl -u … -H Authorization:… http://host/":             {"curl", "-u", "me:geheim", "-H", "Authorization: Bearer geheim", "http://host/"},
		"logcli --password … --bearer-token=… query":            {"logcli", "--password", "geheim", "--bearer-token=geheim", "query"},
		"ssh host PGPASSWORD=…":                                 {"ssh", "host", "PGPASSWORD=geheim tail -F /var/log/django.log"},
		"journalctl -o cat -f -u grading":                       {"journalctl", "-o", "cat", "-f", "-u", "grading"},
		"docker compose logs -f --no-color backend":             {"docker", "compose", "logs", "-f", "--no-color", "backend"},
		"ssh -i /keys/id host tail -F /srv/passages/django.log": {"ssh", "-i", "/keys/id", "host", "tail", "-F", "/srv/passages/django.log"},
	} {
		if got := Name(words); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
