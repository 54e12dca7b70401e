package celery

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/clean"
)

// location is where a server is, or who knows where it is.
type location struct {
	opts      *redis.Options
	sentinels []string // addresses; nil without Sentinel
	master    string
}

// String is for messages: without user and password.
func (l location) String() string {
	if l.sentinels == nil {
		return clean.Capped(l.opts.Addr, 80)
	}
	return clean.Capped(l.master+" by Sentinel at "+strings.Join(l.sentinels, ", "), 200)
}

func isSentinel(raw string) bool { return strings.HasPrefix(strings.TrimSpace(raw), "sentinel://") }

// locate reads a broker or result URL.
func locate(raw, master string) (location, error) {
	if isSentinel(raw) {
		return locateSentinel(raw, master)
	}
	opts, err := parseAddress(raw)
	return location{opts: opts}, err
}

// locateSentinel reads sentinel://[user:password@]host:port[/db];sentinel://….
// User, password and database are the master's and stand in the first part, as
// Celery reads it. Its errors never quote the URL.
func locateSentinel(raw, master string) (location, error) {
	if master == "" {
		return location{}, errors.New("sentinel:// needs the transport option master_name")
	}
	l := location{master: master}
	for i, part := range strings.Split(strings.TrimSpace(raw), ";") {
		u, err := url.Parse(part)
		if err != nil || u.Scheme != "sentinel" {
			return location{}, fmt.Errorf("part %d of the list of Sentinels is not sentinel://host:port", i+1)
		}
		l.sentinels = append(l.sentinels, net.JoinHostPort(orElse(u.Hostname(), "localhost"), orElse(u.Port(), "26379")))
		if i > 0 {
			continue
		}
		l.opts = &redis.Options{Username: u.User.Username()}
		l.opts.Password, _ = u.User.Password()
		if l.opts.DB, err = database(u.Path); err != nil {
			return location{}, err
		}
	}
	return l, nil
}

// client makes a client that follows the master, or of the one server.
func (b *Broker) client(at location, conns int) *redis.Client {
	own := *at.opts
	o := b.harden(&own, conns)
	if at.sentinels == nil {
		return redis.NewClient(o)
	}
	if b.cfg.SentinelPass != "" {
		b.secrets = append(b.secrets, b.cfg.SentinelPass)
	}
	return redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: at.master, SentinelAddrs: at.sentinels, SentinelPassword: b.cfg.SentinelPass,
		Username: o.Username, Password: o.Password, DB: o.DB,
		Dialer: o.Dialer, OnConnect: o.OnConnect, Protocol: o.Protocol,
		PoolSize: o.PoolSize, PipelinePoolSize: o.PipelinePoolSize, PoolTimeout: o.PoolTimeout,
		MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries, DialTimeout: o.DialTimeout,
		ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		ContextTimeoutEnabled: o.ContextTimeoutEnabled, DisableIdentity: o.DisableIdentity,
	})
}
