package storage

import (
	"math"
	"time"
)

// How far back the comparisons reach: growth needs time to be told from noise,
// activity has to be of now. Two looks that are closer than a command makes them
// say nothing of either.
const (
	growthOver   = time.Hour
	activityOver = 5 * time.Minute
	leastOver    = 10 * time.Second
)

// past is what earlier looks saw, the oldest first. It is bounded by
// growthOver, which at a look each 15 s are 240.
type past struct {
	looks []memory
	least time.Duration // between two looks that are compared
}

// memory is what is kept of a look. Only the looks of activityOver keep counters.
type memory struct {
	at         time.Time
	size       int64
	tables     map[string]int64 // total size by ref
	hits, read int64
	scans      map[string]Scans
	statements map[int64]Statement
	whole      bool // statements are all that there were
	total      float64
	since      time.Time // of the statements
}

// fill compares a look with the earlier ones, and keeps it.
func (p *past) fill(l *look) {
	now := remember(l)
	p.forget(now)
	if len(p.looks) > 0 && now.at.Sub(p.looks[0].at) >= p.least {
		l.growSince(p.looks[0])
	}
	if base, ok := p.recent(now.at); ok {
		l.Window = now.at.Sub(base.at)
		l.Database.RecentCacheHits = increaseRatio(base, now)
		l.scanSince(base)
		l.countSince(base)
	} else {
		l.Database.RecentCacheHits = math.NaN()
	}
	p.looks = append(p.looks, now)
}

func remember(l *look) memory {
	m := memory{at: l.At, size: l.Database.Size, hits: l.hits, read: l.read, total: l.Statements.Total, since: l.Statements.Since,
		tables: map[string]int64{}, scans: map[string]Scans{}, statements: map[int64]Statement{}}
	for _, t := range l.Tables {
		if n := t.Total(); n >= 0 {
			m.tables[t.Ref()] = n
		}
		m.scans[t.Ref()] = t.Scans
	}
	for _, s := range l.Statements.Rows {
		s.Text = ""
		m.statements[s.ID] = s
	}
	m.whole = l.Statements.Why == "" && len(m.statements) == l.Statements.Count
	return m
}

// forget drops what is too old. A clock that went back, as after a failover to
// another server, makes all of it worthless.
func (p *past) forget(now memory) {
	if n := len(p.looks); n > 0 && !now.at.After(p.looks[n-1].at) {
		p.looks = nil
	}
	for len(p.looks) > 1 && now.at.Sub(p.looks[0].at) > growthOver {
		p.looks = p.looks[1:]
	}
	for i := range p.looks {
		if now.at.Sub(p.looks[i].at) > 2*activityOver {
			p.looks[i].scans, p.looks[i].statements = nil, nil
		}
	}
}

// recent is the oldest look of the window, or the last one where the looks are
// further apart.
func (p *past) recent(now time.Time) (memory, bool) {
	for i, m := range p.looks {
		if m.scans != nil && (now.Sub(m.at) <= activityOver || i == len(p.looks)-1) {
			return m, now.Sub(m.at) >= p.least
		}
	}
	return memory{}, false
}

func (l *look) growSince(base memory) {
	over := l.At.Sub(base.at)
	l.Database.Growth = Growth{l.Database.Size - base.size, over}
	for i := range l.Tables {
		t := &l.Tables[i]
		if was, ok := base.tables[t.Ref()]; ok && t.Total() >= 0 {
			t.Growth = Growth{t.Total() - was, over}
		}
	}
}

// scanSince leaves a table out whose counters fell: they were reset.
func (l *look) scanSince(base memory) {
	for i := range l.Tables {
		t := &l.Tables[i]
		was, ok := base.scans[t.Ref()]
		t.Recent = Scans{t.Scans.Seq - was.Seq, t.Scans.SeqRows - was.SeqRows, t.Scans.Index - was.Index}
		t.RecentKnown = ok && t.Recent.Seq >= 0 && t.Recent.SeqRows >= 0 && t.Recent.Index >= 0
		if !t.RecentKnown {
			t.Recent = Scans{}
		}
	}
}

// countSince compares the statements. One that the base does not have began in
// between, if the base had all there were.
func (l *look) countSince(base memory) {
	if !l.Statements.Since.Equal(base.since) || base.statements == nil {
		return
	}
	all := l.Statements.Total - base.total
	for i := range l.Statements.Rows {
		s := &l.Statements.Rows[i]
		was, ok := base.statements[s.ID]
		if !ok && !base.whole || s.Calls < was.Calls || s.Total < was.Total {
			continue
		}
		s.Recent = Counts{Calls: s.Calls - was.Calls, Rows: s.Rows - was.Rows, Total: s.Total - was.Total, Share: math.NaN()}
		if all > 0 {
			s.Recent.Share = min(s.Recent.Total/all, 1)
		}
		s.RecentKnown = true
	}
}

// increaseRatio is the share of hits between two looks; NaN when nothing was
// read or the counters were reset.
func increaseRatio(base, now memory) float64 {
	hits, read := now.hits-base.hits, now.read-base.read
	if hits < 0 || read < 0 {
		return math.NaN()
	}
	return ratio(hits, hits+read)
}
