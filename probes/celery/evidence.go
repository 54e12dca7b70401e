package celery

import (
	"bufio"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/clean"
)

// evidence gathers what Redis itself knows of the workers, in one round trip.
// Each part may be denied; it is then unknown.
func (b *Broker) evidence(ctx context.Context, s *sight) {
	pipe := b.rdb.Pipeline()
	info := pipe.Info(ctx, "server")
	clients := pipe.ClientList(ctx)
	bound := pipe.SRandMemberN(ctx, b.bindings()+"celery.pidbox", maxMembers)
	held := pipe.HLen(ctx, b.Unacked())
	_, _ = pipe.Exec(ctx)
	s.runID, s.redisUp = serverRun(info.Val())
	s.blocked, s.others = -1, -1
	if clients.Err() == nil {
		s.blocked, s.others = b.countClients(clients.Val())
	}
	for _, member := range bound.Val() {
		if name, ok := strings.CutSuffix(b.boundQueue(member), ".celery.pidbox"); ok && name != "" {
			s.bound = append(s.bound, clean.Capped(name, 100))
		}
	}
	s.unacked = held.Val()
}

// serverRun reads the id of this run of the server, and for how long it runs.
func serverRun(info string) (runID string, up time.Duration) {
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch key {
		case "run_id":
			runID = clean.Capped(value, 60)
		case "uptime_in_seconds":
			n, _ := strconv.Atoi(value)
			up = time.Duration(n) * time.Second
		}
	}
	return runID, up
}

// countClients counts in CLIENT LIST those that wait in BRPOP, and all that are
// no cockpits. cmd is the last command, so only the flag b says that it waits.
func (b *Broker) countClients(list string) (blocked, others int) {
	lines := bufio.NewScanner(strings.NewReader(list))
	for lines.Scan() {
		fields := map[string]string{}
		for _, f := range strings.Fields(lines.Text()) {
			key, value, _ := strings.Cut(f, "=")
			fields[key] = value
		}
		if len(fields) == 0 || strings.HasPrefix(fields["name"], orElse(b.cfg.ClientName, "gradecockpit")) {
			continue
		}
		others++
		if fields["cmd"] == "brpop" && strings.Contains(fields["flags"], "b") {
			blocked++
		}
	}
	return blocked, others
}

// unfinished gives those of some tasks whose result still says STARTED.
func (b *Broker) unfinished(ctx context.Context, ids []string) map[string]bool {
	out := map[string]bool{}
	if len(ids) == 0 || b.resultsErr != nil {
		return out
	}
	pipe := b.results.Pipeline()
	var cmds []*redis.StringCmd
	for _, id := range ids {
		cmds = append(cmds, pipe.Get(ctx, resultKey(b.cfg.ResultPrefix, id)))
	}
	_, _ = pipe.Exec(ctx)
	for i, cmd := range cmds {
		if r, err := DecodeResult([]byte(cmd.Val())); err == nil && r.State == "STARTED" {
			out[ids[i]] = true
		}
	}
	return out
}
