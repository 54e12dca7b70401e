package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// RedisKind says what answers.
type RedisKind string

// A real server has INFO, SLOWLOG, CLIENT LIST, …; miniredis has not.
const (
	RealRedis RedisKind = "redis-server"
	MiniRedis RedisKind = "miniredis"
)

// RedisOptions shape a throwaway Redis; the zero value is a good one.
type RedisOptions struct {
	Mini     bool     // miniredis even where there is a redis-server
	TCP      bool     // a random port of 127.0.0.1 instead of a socket
	Password string   // of the default user
	ACL      []string // "user NAME …" lines; real server only
	Config   []string // further lines of redis.conf; real server only
}

// RedisServer is a running Redis; its end is Stop's, or ours.
type RedisServer struct {
	kind RedisKind
	opts RedisOptions
	home *home // nil with miniredis
	port int   // 0 on a socket
	proc *process
	mini *mini
	once sync.Once
	err  error
}

// StartRedis serves an empty Redis until Stop, by the machine's redis-server or,
// where there is none, by miniredis in our process. ctx bounds the start only.
func StartRedis(ctx context.Context, opts RedisOptions) (*RedisServer, error) {
	program, err := Program("redis-server")
	if err != nil || opts.Mini {
		return startMini(opts)
	}
	h, err := newHome(nil)
	if err != nil {
		return nil, err
	}
	s := &RedisServer{kind: RealRedis, opts: opts, home: h}
	if err := s.start(ctx, program); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *RedisServer) start(ctx context.Context, program string) error {
	if !s.opts.TCP {
		return s.serve(ctx, program)
	}
	return withFreePort(func(port int) error {
		s.port = port
		return s.serve(ctx, program)
	}, func() bool { return strings.Contains(s.Log(), "Address already in use") })
}

func (s *RedisServer) serve(ctx context.Context, program string) error {
	if err := s.home.write("redis.conf", s.config()); err != nil {
		return fmt.Errorf("configure redis-server: %w", err)
	}
	cmd, err := s.home.command("redis", program, filepath.Join(s.home.path, "redis.conf"))
	if err != nil {
		return err
	}
	if s.proc, err = s.home.spawn("redis", cmd); err != nil {
		return err
	}
	err = s.proc.await(ctx, dialable(s.address()))
	if err != nil {
		return fmt.Errorf("start redis-server: %w\n%s", err, s.Log())
	}
	return nil
}

func (s *RedisServer) config() string {
	lines := []string{
		"port " + strconv.Itoa(s.port), "bind 127.0.0.1", "dir " + s.home.path, `save ""`, "appendonly no",
		"daemonize no", "latency-monitor-threshold 100", `proc-title-template "{title} ` + s.home.path + `"`,
	}
	if s.port == 0 {
		lines = append(lines, "unixsocket "+s.socket(), "unixsocketperm 700")
	}
	if s.opts.Password != "" {
		lines = append(lines, "requirepass "+s.opts.Password)
	}
	lines = append(lines, s.opts.ACL...)
	return strings.Join(append(lines, s.opts.Config...), "\n") + "\n"
}

func (s *RedisServer) socket() string { return filepath.Join(s.home.path, "redis.sock") }

func (s *RedisServer) address() (network, addr string) {
	switch {
	case s.mini != nil:
		return "tcp", s.mini.srv.Addr()
	case s.port == 0:
		return "unix", s.socket()
	default:
		return "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	}
}

// URL is the address as CELERY_BROKER_URL spells it: redis+socket:///path?virtual_host=0
// or redis://127.0.0.1:port/0.
func (s *RedisServer) URL() string {
	network, addr := s.address()
	u := url.URL{Scheme: "redis", Host: addr, Path: "/0"}
	if network == "unix" {
		u = url.URL{Scheme: "redis+socket", Path: addr, RawQuery: "virtual_host=0"}
	}
	if s.opts.Password != "" {
		u.User = url.UserPassword("", s.opts.Password)
	}
	return u.String()
}

// Options are go-redis's for the same address.
func (s *RedisServer) Options() *redis.Options {
	network, addr := s.address()
	return &redis.Options{Network: network, Addr: addr, Password: s.opts.Password}
}

// Kind says what answers.
func (s *RedisServer) Kind() RedisKind { return s.kind }

// Log is the end of the server's log; "" with miniredis.
func (s *RedisServer) Log() string {
	if s.home == nil {
		return ""
	}
	return s.home.tail("redis")
}

// Pause freezes the server: connections stay open and are answered no more.
func (s *RedisServer) Pause() {
	if s.mini != nil {
		s.mini.pause()
		return
	}
	s.proc.pause()
}

// Resume lets a paused server go on.
func (s *RedisServer) Resume() {
	if s.mini != nil {
		s.mini.resume()
		return
	}
	s.proc.resume()
}

// Restart ends the server and serves at the same address again. The data of a
// real server is lost, as nothing is saved; miniredis keeps it.
func (s *RedisServer) Restart(ctx context.Context) error {
	if err := s.Down(); err != nil {
		return err
	}
	return s.Up(ctx)
}

// Down ends the server until Up: connections are refused meanwhile.
func (s *RedisServer) Down() error {
	if s.mini != nil {
		s.mini.down()
		return nil
	}
	s.proc.stop(syscall.SIGTERM)
	// Killed or not, what it left would let a client wait instead of failing.
	if err := os.Remove(s.socket()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the socket of redis-server: %w", err)
	}
	return nil
}

// Up serves again, at the same address, after Down.
func (s *RedisServer) Up(ctx context.Context) error {
	if s.mini != nil {
		return s.mini.up()
	}
	return s.serve(ctx, s.proc.cmd.Path)
}

// Stop ends the server and removes its directory. Further calls return the same.
func (s *RedisServer) Stop() error {
	s.once.Do(func() {
		switch {
		case s.mini != nil:
			s.mini.stop()
		default:
			if s.proc != nil {
				s.proc.stop(syscall.SIGTERM)
			}
			s.err = s.home.remove()
		}
	})
	return s.err
}
