package wire

import (
	"context"
	"net/url"
	"strings"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// failedWithin is how far back actions that did not help count.
const failedWithin = time.Hour

// Place is what the texts of a walkthrough are filled in with here. name is the
// row id or anonymous id of the chosen copy; "" none. Where it is not found the
// place is good without it.
func (c *Cockpit) Place(ctx context.Context, set probes.Set, name string) (p playbook.Place, err error) {
	p = playbook.Place{Dialect: grading.Deployed, Names: c.names(set), Failed: c.failed(time.Now())}
	if o, _, ok := probes.Of[grading.Overview](set, grading.ID); ok && o.Schema != nil {
		p.Dialect = o.Schema.Dialect
	}
	if name != "" {
		ctx, cancel := context.WithTimeout(ctx, readFor)
		defer cancel()
		p.Copy, err = c.FindCopy(ctx, name)
	}
	return p, err
}

// names are what commands are completed with: no secret is among them.
func (c *Cockpit) names(set probes.Set) map[string]string {
	t := c.Config.Text
	database, host, _ := strings.Cut(c.place(), "@")
	names := map[string]string{
		"database": database, "database_host": host, "log_dir": t(config.LogDir), "media_dir": t(config.MediaDir),
		"metrics_url": bare(t(config.MetricsURL)), "broker_db": brokerDatabase(t(config.BrokerURL)), "queue": busiest(set),
	}
	for k, v := range names {
		if names[k] = clean.Text(v); v == "" {
			delete(names, k)
		}
	}
	return names
}

// bare is the first of several URLs, without user, password and query.
func bare(urls string) string {
	first, _, _ := strings.Cut(urls, ",")
	u, err := url.Parse(strings.TrimSpace(first))
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// brokerDatabase is the number of the Redis database that a broker's URL names.
func brokerDatabase(broker string) string {
	u, err := url.Parse(broker)
	if err != nil || broker == "" {
		return ""
	}
	db := strings.Trim(u.Path, "/")
	if v := u.Query(); strings.Contains(u.Scheme, "unix") || strings.Contains(u.Scheme, "socket") {
		db = v.Get("virtual_host") + v.Get("db")
	}
	if db == "" {
		return "0"
	}
	return db
}

// busiest is the queue with the most messages; Celery's own where none is known.
func busiest(set probes.Set) string {
	if o, _, ok := probes.Of[celery.Overview](set, celery.ID); ok && len(o.Queues) > 0 && o.Queues[0].Depth > 0 {
		return o.Queues[0].Name
	}
	return "celery"
}

// failed counts the actions of the last hour that did not help in this
// environment; -1 where the journal cannot be read.
func (c *Cockpit) failed(now time.Time) (n int) {
	records, err := journal.Lazy(JournalPath(c.Config)).Records()
	if err != nil {
		return -1
	}
	for _, r := range records {
		bad := r.Verdict == actions.NotFixed || r.Verdict == actions.Failed
		if r.Kind == actions.Outcome && bad && r.Env == c.env() && now.Sub(r.At) < failedWithin {
			n++
		}
	}
	return n
}
