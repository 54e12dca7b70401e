package celery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// refusal is what an error reply of Redis means to a responder.
type refusal struct {
	prefix string // of the reply, upper case
	cause  string // "" shows the reply itself
	next   string
	denied bool
}

// Celery needs several keys in one transaction, which a cluster refuses.
const (
	aCluster  = "this is a Redis Cluster, which is not a broker for Celery"
	noCluster = "Point CELERY_BROKER_URL at a single Redis server or at its Sentinels."
)

// noSentinel is in go-redis's words for a master that nobody knows.
const noSentinel = "all sentinels"

var errCluster = errors.New(aCluster)

func refusals() []refusal {
	return []refusal{
		{"NOAUTH", "a password is required", "Put user and password into CELERY_BROKER_URL.", true},
		{"WRONGPASS", "wrong user or password", "Correct the password in CELERY_BROKER_URL.", true},
		{"ERR INVALID PASSWORD", "wrong user or password", "Correct the password in CELERY_BROKER_URL.", true},
		{"ERR AUTH", "the server wants no password, or another form of it", "Correct user and password in CELERY_BROKER_URL.", true},
		{"ERR CLIENT SENT AUTH", "the server wants no password", "Take the password out of CELERY_BROKER_URL.", true},
		{"NOPERM", "", "Grant this to the Redis user; the README lists the ACL.", true},
		{"DENIED", "protected mode refuses connections from other hosts", "Connect on the server itself or through a tunnel.", true},
		{"ERR DB INDEX", "no such database number", "Correct the number at the end of CELERY_BROKER_URL.", false},
		{"LOADING", "Redis is loading its data from disk", "Wait; it answers when loading ends.", false},
		{"OOM", "Redis is out of memory and refuses writes", "Look at INFO memory and maxmemory before anything else.", false},
		{"READONLY", "this is a read-only replica", "Point CELERY_BROKER_URL at the primary.", false},
		{"MASTERDOWN", "the replica has lost its primary", "Point CELERY_BROKER_URL at the primary.", false},
		{"MISCONF", "Redis refuses writes because it cannot save to disk", "Look at the disk of the Redis host.", false},
		{"MOVED", aCluster, noCluster, false},
		{"CROSSSLOT", aCluster, noCluster, false},
		{"CLUSTERDOWN", aCluster, noCluster, false},
		{"ERR SELECT IS NOT ALLOWED IN CLUSTER", aCluster, noCluster, false},
		{"BUSY", "Redis is busy with a script", "Wait, or look for the script with SLOWLOG.", false},
		{"ERR MAX NUMBER OF CLIENTS", "too many clients", "Look at CLIENT LIST: that is a finding by itself.", false},
	}
}

// describe turns any failure into words for a responder, without secrets.
func (b *Broker) describe(op string, err error) error {
	var known *probes.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &probes.Error{Source: probes.Redis, Op: op, Err: err, Cause: b.scrub(err.Error())}
	if r, ok := refused(err); ok && !strings.Contains(err.Error(), noSentinel) {
		e.Cause, e.Next, e.Denied = orElse(r.cause, e.Cause), r.next, r.denied
		return e
	}
	cause, next := b.unreached(err)
	e.Cause, e.Next = orElse(cause, e.Cause), next
	return e
}

func refused(err error) (refusal, bool) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return refusal{}, false
	}
	said := strings.ToUpper(reply.Error())
	for _, r := range refusals() {
		if strings.HasPrefix(said, r.prefix) {
			return r, true
		}
	}
	return refusal{}, true
}

func (b *Broker) unreached(err error) (cause, next string) {
	addr := b.where
	var timeout net.Error
	var dns *net.DNSError
	var pathErr *os.PathError
	var noTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, errCluster):
		return aCluster, noCluster
	case strings.Contains(err.Error(), noSentinel):
		return "no Sentinel knows the master: " + addr, "Are the Sentinels running, and is master_name right?"
	case errors.As(err, &dns):
		return "no such host: " + clean.Capped(dns.Name, 80), "Correct the host in CELERY_BROKER_URL; inside containers it differs."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused at " + addr, "Is Redis running there, and its port published?"
	case errors.Is(err, syscall.ENOENT) && !errors.As(err, &pathErr):
		return "no socket at " + addr, "Is Redis running, and is the path right?"
	case untrusted(err):
		return "the server's certificate is not trusted: " + b.scrub(err.Error()),
			"Name its CA with ssl_ca_certs=FILE in the URL, or write ssl_cert_reqs=none."
	case errors.As(err, &noTLS):
		return "the server at " + addr + " does not speak TLS", "Write redis:// instead of rediss://."
	case errors.Is(err, context.Canceled):
		return "cancelled", ""
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, redis.ErrPoolTimeout):
		return "no answer in time from " + addr, "The server is frozen, overloaded, or a firewall drops packets."
	case errors.Is(err, redis.ErrClosed):
		return "the connection is closed", ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke", "Redis was restarted or the network failed; this tries again."
	}
	return "", "Is there a Redis at " + addr + "?"
}

func untrusted(err error) bool {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// scrub cleans a server's words and takes our secrets out, should they be
// echoed.
func (b *Broker) scrub(s string) string {
	for _, secret := range b.secrets {
		s = strings.ReplaceAll(s, secret, "***")
	}
	return clean.Capped(s, 300)
}

// isWrongType says that a key is no list or hash.
func isWrongType(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE")
}
