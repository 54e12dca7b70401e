package celery

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gradecockpit/probes"
)

func TestParseAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://":                             "tcp localhost:6379 0  ",
		"redis://redis:6380/3":                 "tcp redis:6380 3  ",
		"redis://:pw@h":                        "tcp h:6379 0  pw",
		"redis://ann:p%40w@h:1/2":              "tcp h:1 2 ann p@w",
		"rediss://h/1?ssl_cert_reqs=required":  "tcp h:6379 1  ",
		"rediss://h?ssl_cert_reqs=CERT_NONE":   "tcp h:6379 0  ",
		"unix:///run/redis.sock?db=4":          "unix /run/redis.sock 4  ",
		"redis+socket:///run/r.sock":           "unix /run/r.sock 0  ",
		"redis+socket://:pw@/r?virtual_host=2": "unix /r 2  pw",
		"unix:///r?password=pw&virtual_host=1": "unix /r 1  pw",
		"redis://[::1]:7/":                     "tcp [::1]:7 0  ",
	} {
		o, err := parseAddress(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		got := fmt.Sprintf("%s %s %d %s %s", o.Network, o.Addr, o.DB, o.Username, o.Password)
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
		if strings.HasPrefix(raw, "rediss") != (o.TLSConfig != nil) {
			t.Errorf("%s: TLS is %v", raw, o.TLSConfig != nil)
		}
	}
}

func TestBadAddressIsOneSentenceWithoutSecret(t *testing.T) {
	const secret = "s3cr3t"
	for _, raw := range []string{
		"redis://u:" + secret + "%zz@h", "redis://:" + secret + "@h/notanumber", "amqp://u:" + secret + "@h//",
		"redis://u:" + secret + "@h:port/0", "sentinel://:" + secret + "@a;b", "unix://:" + secret + "@",
		"rediss://:" + secret + "@h?ssl_cert_reqs=maybe", "redis://:" + secret + "\x7f@h", secret,
		"rediss://:" + secret + "@h?ssl_ca_certs=/nonexistent",
	} {
		_, err := Open(Config{BrokerURL: raw})
		var e *probes.Error
		if !errors.As(err, &e) || e.Source != probes.Redis || e.Next == "" {
			t.Errorf("%s: error is %v", raw, err)
			continue
		}
		if all := fmt.Sprintf("%v %+v %#v", err, e, e.Err); strings.Contains(all, secret) {
			t.Errorf("the secret is in %s", all)
		}
	}
}
