package lab_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// eachRedis runs a test on every kind of Redis there is.
func eachRedis(t *testing.T, opts lab.RedisOptions, test func(*testing.T, *lab.RedisServer)) {
	for name, start := range map[string]func(testing.TB, ...lab.RedisOptions) *lab.RedisServer{
		"redis-server": labtest.Redis,
		"miniredis":    labtest.MiniRedis,
	} {
		t.Run(name, func(t *testing.T) { test(t, start(t, opts)) })
	}
}

func client(t *testing.T, s *lab.RedisServer) *redis.Client {
	t.Helper()
	o := s.Options()
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ContextTimeoutEnabled = true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestRedisKeepsItsAddress(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		eachRedis(t, lab.RedisOptions{TCP: tcp}, func(t *testing.T, s *lab.RedisServer) {
			ctx, before, c := labtest.Context(t), s.URL(), client(t, s)
			if err := s.Down(); err != nil {
				t.Fatal(err)
			}
			if err := c.Ping(ctx).Err(); err == nil {
				t.Error("it answers while it is down")
			}
			if err := s.Up(ctx); err != nil {
				t.Fatal(err)
			}
			if err := s.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			if after := s.URL(); after != before {
				t.Errorf("was at %s, is at %s", before, after)
			}
			if err := client(t, s).Ping(ctx).Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRedisPause(t *testing.T) {
	eachRedis(t, lab.RedisOptions{}, func(t *testing.T, s *lab.RedisServer) {
		c := client(t, s)
		s.Pause()
		s.Pause() // nothing more
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := c.Ping(ctx).Err(); !os.IsTimeout(err) {
			t.Errorf("a paused server: %v, want a timeout", err)
		}
		s.Resume()
		if err := c.Ping(labtest.Context(t)).Err(); err != nil {
			t.Error(err)
		}
		s.Pause() // Stop wakes it
	})
}

func TestRedisPassword(t *testing.T) {
	eachRedis(t, lab.RedisOptions{TCP: true, Password: "s3cret"}, func(t *testing.T, s *lab.RedisServer) {
		if err := client(t, s).Ping(labtest.Context(t)).Err(); err != nil {
			t.Error(err)
		}
		o := s.Options()
		o.Password = "wrong"
		c := redis.NewClient(o)
		defer c.Close()
		if err := c.Ping(labtest.Context(t)).Err(); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("wrong password: %v, want WRONGPASS", err)
		}
	})
}

func TestRedisACL(t *testing.T) {
	s := labtest.Redis(t, lab.RedisOptions{ACL: []string{"user reader on >pw ~celery* +llen +hello"}})
	o := s.Options()
	o.Username, o.Password = "reader", "pw"
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.LLen(labtest.Context(t), "celery").Err(); err != nil {
		t.Error(err)
	}
	if err := c.Del(labtest.Context(t), "celery").Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
		t.Errorf("DEL: %v, want NOPERM", err)
	}
}

func TestRedisURLIsKombus(t *testing.T) {
	socket, err := url.Parse(labtest.Redis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	if socket.Scheme != "redis+socket" || filepath.Base(socket.Path) != "redis.sock" || socket.RawQuery != "virtual_host=0" {
		t.Errorf("socket: %s", socket)
	}
	tcp := labtest.MiniRedis(t).URL()
	if !strings.HasPrefix(tcp, "redis://127.0.0.1:") || !strings.HasSuffix(tcp, "/0") {
		t.Errorf("TCP: %s", tcp)
	}
}

func TestRedisStopLeavesNothing(t *testing.T) {
	s := labtest.Redis(t)
	u, _ := url.Parse(s.URL())
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Dir(u.Path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", filepath.Dir(u.Path))
	}
}
