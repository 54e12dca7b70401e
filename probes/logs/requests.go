package logs

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// maxRequests bounds the request ids that are told apart.
const maxRequests = 10_000

// Request is one request id with what its records say.
type Request struct {
	ID          string
	Records     int
	First, Last time.Time
	Worst       string // the worst level
	Method      string
	Path        string
	StatusCode  int           // 0 not said
	Duration    time.Duration // 0 not said
	UserID      int64         // 0 anonymous, or not said
	CopyID      string
}

// Requests are the distinct request ids of records.
type Requests struct {
	Query    Query     `json:"-"`
	Requests []Request // the one with the newest record first
	Records  int       // records looked at, those without a request id included
	Without  int       // those without one
	Extent
}

// Requests lists the distinct request ids of the newest records that q finds:
// of `last` of them, or with 0 of all, at most 10,000 ids.
func (p *Probe) Requests(ctx context.Context, q Query, last int) (Requests, error) {
	res := Requests{Query: q}
	byID := map[string]*Request{}
	full := false
	add := func(l *Line) {
		res.Records++
		switch r := byID[l.RequestID]; {
		case l.RequestID == "":
			res.Without++
		case r != nil:
			r.add(l)
		case len(byID) == maxRequests:
			full = true
		default:
			r = &Request{ID: l.RequestID, First: l.At, Last: l.At}
			r.add(l)
			byID[l.RequestID] = r
		}
	}
	var err error
	if last > 0 {
		res.Extent, err = p.Each(ctx, q, func(l Line) bool { add(&l); return res.Records < last })
	} else {
		res.Extent, err = p.scan(ctx, q, false, func(hits []hit) {
			for i := range hits {
				add(&hits[i].Line)
			}
		})
	}
	for _, r := range byID {
		res.Requests = append(res.Requests, *r)
	}
	slices.SortFunc(res.Requests, func(a, b Request) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.ID, b.ID)) })
	res.Truncated = res.Truncated && last == 0 || full
	return res, err
}

// add takes in one record of the request.
func (r *Request) add(l *Line) {
	r.Records++
	if !l.At.IsZero() && (r.First.IsZero() || l.At.Before(r.First)) {
		r.First = l.At
	}
	if l.At.After(r.Last) {
		r.Last = l.At
	}
	if severity(l.Level) > severity(r.Worst) {
		r.Worst = l.Level
	}
	r.Method, r.Path, r.CopyID = cmp.Or(r.Method, l.Method), cmp.Or(r.Path, l.Path), cmp.Or(r.CopyID, l.CopyID)
	r.StatusCode, r.UserID, r.Duration = cmp.Or(r.StatusCode, l.StatusCode), cmp.Or(r.UserID, l.UserID), max(r.Duration, l.Duration)
}

// Slow are the records that say how long something took, slowest first.
type Slow struct {
	Query   Query  `json:"-"`
	Lines   []Line // their Duration is set
	Records int    // how many said how long
	Extent
}

// Slow finds the slowest of the records that q finds, at most q.Limit. The
// deployed system logs how long a request took from 5 s on, and Celery how long
// each task took.
func (p *Probe) Slow(ctx context.Context, q Query) (Slow, error) {
	limit := q.withDefaults().Limit
	res := Slow{Query: q}
	slowestFirst := func(a, b Line) int { return cmp.Or(cmp.Compare(b.Duration, a.Duration), b.At.Compare(a.At)) }
	if len(q.Any) == 0 {
		q.Any = durationTexts
	}
	extent, err := p.scan(ctx, q, false, func(hits []hit) {
		for i := range hits {
			if hits[i].Duration > 0 {
				res.Records++
				res.Lines = append(res.Lines, hits[i].Line)
			}
		}
		if len(res.Lines) > 4*limit {
			slices.SortFunc(res.Lines, slowestFirst)
			res.Lines = res.Lines[:limit]
		}
	})
	slices.SortFunc(res.Lines, slowestFirst)
	res.Lines, res.Extent = res.Lines[:min(len(res.Lines), limit)], extent
	return res, err
}
