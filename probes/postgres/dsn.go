package postgres

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// schemes are the URL schemes that Django's helpers (dj-database-url,
// django-environ) give to PostgreSQL, beside libpq's own two.
var schemes = []string{
	"postgres", "postgresql", "psql", "pgsql", "postgis",
	"postgresql_psycopg2", "postgresql+psycopg2", "postgresql+psycopg", "timescale", "timescalegis",
}

// options are the parameters of a URL that libpq knows. Django's own
// (conn_max_age, ssl_require, …) are left out: a server refuses a start with a
// parameter that it does not know.
var options = []string{
	"application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname", "host", "max_protocol_version",
	"min_protocol_version", "options", "passfile", "password", "port", "require_auth", "search_path", "service",
	"servicefile", "sslcert", "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni",
	"target_session_attrs", "timezone", "user",
}

// keywords turns a URL into libpq's key=value form and leaves any other string
// alone. It is more tolerant than net/url, as Django's parsers are: passwords
// there often hold characters that a URL would want escaped.
func keywords(dsn string) (string, error) {
	dsn = strings.TrimSpace(dsn)
	scheme, rest, isURL := strings.Cut(dsn, "://")
	if !isURL || strings.ContainsAny(scheme, " =") {
		return dsn, nil
	}
	if !slices.Contains(schemes, strings.ToLower(scheme)) {
		return "", errors.New("the scheme is not one of PostgreSQL's; use postgresql://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	var kv pairs
	kv.add("dbname", unescape(path))
	kv.authority(authority)
	if err := kv.query(query); err != nil {
		return "", err
	}
	return kv.String(), nil
}

// pairs are the keywords found; a later one of the same name wins.
type pairs [][2]string

func (p *pairs) add(key, value string) {
	if value != "" {
		*p = append(*p, [2]string{key, value})
	}
}

// authority reads user:password@host:port[,host:port…].
func (p *pairs) authority(s string) {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		user, password, _ := strings.Cut(s[:at], ":")
		p.add("user", unescape(user))
		p.add("password", unescape(password))
		s = s[at+1:]
	}
	var hosts, ports []string
	for one := range strings.SplitSeq(s, ",") {
		host, port := splitPort(one)
		hosts, ports = append(hosts, unescape(host)), append(ports, port)
	}
	p.add("host", strings.Join(hosts, ","))
	if slices.ContainsFunc(ports, func(s string) bool { return s != "" }) {
		p.add("port", strings.Join(ports, ","))
	}
}

// splitPort knows [::1]:5432 beside host:5432.
func splitPort(s string) (host, port string) {
	if end := strings.IndexByte(s, ']'); strings.HasPrefix(s, "[") && end > 0 {
		return s[1:end], strings.TrimPrefix(s[end+1:], ":")
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

func (p *pairs) query(s string) error {
	values, err := url.ParseQuery(s)
	if err != nil {
		return errors.New("what follows the ? is not a list of key=value pairs")
	}
	for key, vs := range values {
		switch value := vs[len(vs)-1]; {
		case key == "currentSchema": // dj-database-url
			p.add("search_path", value)
		case key == "ssl_require" && strings.EqualFold(value, "true"):
			p.add("sslmode", "require")
		case slices.Contains(options, key):
			p.add(key, value)
		}
	}
	return nil
}

// String gives the pairs as libpq quotes them.
func (p pairs) String() string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var b strings.Builder
	for _, kv := range p {
		b.WriteString(kv[0] + "='" + quote.Replace(kv[1]) + "' ")
	}
	return strings.TrimSpace(b.String())
}

// unescape keeps a text that is not percent-encoded as it is.
func unescape(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}
