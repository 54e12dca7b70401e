package celery

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// parseAddress reads a broker or result URL as Celery spells them: redis://,
// rediss://, unix:// and redis+socket://. Its errors never quote the URL,
// which may hold a password.
func parseAddress(raw string) (*redis.Options, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, errors.New("not a URL; special characters of a password must be percent-encoded")
	}
	o := &redis.Options{Network: "tcp", Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	q := u.Query()
	if p := q.Get("password"); p != "" {
		o.Password = p
	}
	db := strings.Trim(u.Path, "/")
	switch u.Scheme {
	case "redis", "rediss":
		o.Addr = net.JoinHostPort(orElse(u.Hostname(), "localhost"), orElse(u.Port(), "6379"))
	case "unix", "redis+socket", "redis+unix":
		o.Network, o.Addr, db = "unix", u.Path, ""
		if u.Path == "" {
			return nil, errors.New("the URL names no socket path")
		}
	default:
		return nil, fmt.Errorf("scheme %.20q is not one of redis, rediss, unix, redis+socket", u.Scheme)
	}
	if u.Scheme == "rediss" {
		if o.TLSConfig, err = tlsConfig(u.Hostname(), q); err != nil {
			return nil, err
		}
	}
	o.DB, err = database(orElse(db, orElse(q.Get("virtual_host"), q.Get("db"))))
	return o, err
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func database(s string) (int, error) {
	s = strings.Trim(s, "/")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<16 {
		return 0, errors.New("the database in the URL is not a number")
	}
	return n, nil
}

// tlsConfig takes the ssl_ parameters that redis-py understands. Only
// ssl_cert_reqs=none turns verification off, as it does in Celery.
func tlsConfig(host string, q url.Values) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	switch strings.TrimPrefix(strings.ToLower(q.Get("ssl_cert_reqs")), "cert_") {
	case "", "required", "optional":
	case "none":
		c.InsecureSkipVerify = true
	default:
		return nil, errors.New("ssl_cert_reqs is not one of required, optional, none")
	}
	switch strings.ToLower(q.Get("ssl_check_hostname")) {
	case "false", "0", "no": // as redis-py has it: only the chain is verified
		c.InsecureSkipVerify = true
		if strings.TrimPrefix(strings.ToLower(q.Get("ssl_cert_reqs")), "cert_") != "none" {
			c.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(s, c.RootCAs) }
		}
	}
	if file := q.Get("ssl_ca_certs"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("ssl_ca_certs: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ssl_ca_certs: no certificate in the file")
		}
	}
	if cert, key := q.Get("ssl_certfile"), q.Get("ssl_keyfile"); cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, orElse(key, cert))
		if err != nil {
			return nil, fmt.Errorf("ssl_certfile: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// verifyChain trusts a certificate for whatever host it was made.
func verifyChain(s tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
