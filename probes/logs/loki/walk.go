package loki

import (
	"context"
	"time"
)

const (
	page    = 1000
	maxPage = 5000 // Loki's own limit unless it is configured otherwise
)

// Walk gives all entries of a question, page by page and each once, until each
// returns false. Ask.Limit is not looked at.
func (c *Client) Walk(ctx context.Context, ask Ask, each func([]Entry) bool) error {
	ask.Limit = page
	given := map[Entry]bool{} // at the border of the page before, which the next one repeats
	for {
		got, err := c.Entries(ctx, ask)
		if err != nil {
			return err
		}
		fresh := without(got, given)
		if len(fresh) > 0 && !each(fresh) || len(got) < ask.Limit {
			return nil
		}
		border := got[len(got)-1].At
		crowded := got[0].At.Equal(border)
		if !crowded {
			clear(given)
		}
		for _, e := range got {
			if e.At.Equal(border) {
				given[e] = true
			}
		}
		switch {
		case crowded && ask.Limit == maxPage:
			ask.next(border, time.Nanosecond) // more at one instant than Loki gives
		case crowded:
			ask.Limit = maxPage
		default:
			ask.Limit = page
			ask.next(border, 0)
		}
	}
}

// next moves the question on to what comes at a border and after it, or step
// beyond it.
func (a *Ask) next(border time.Time, step time.Duration) {
	if a.Forward {
		a.From = border.Add(step)
	} else {
		a.To = border.Add(time.Nanosecond - step) // To itself is not in the answer
	}
}

func without(entries []Entry, given map[Entry]bool) []Entry {
	var fresh []Entry
	for _, e := range entries {
		if !given[e] {
			fresh = append(fresh, e)
		}
	}
	return fresh
}

// Follower reads what is new, again and again.
type Follower struct {
	client *Client
	from   time.Time
	seen   map[Entry]bool // of the last overlap
}

// overlap is how late an entry may reach Loki, behind newer ones, and still be
// seen: collectors send in batches of a second or so.
const overlap = 5 * time.Second

// Follow makes a Follower of what is written from a time on, or after the newest
// of the entries that are known, and late before it.
func (c *Client) Follow(from time.Time, known ...Entry) *Follower {
	f := &Follower{client: c, from: from, seen: map[Entry]bool{}}
	for i, e := range known {
		f.seen[e] = true
		if i == 0 || e.At.After(f.from) {
			f.from = e.At
		}
	}
	f.forget()
	return f
}

// Next gives to each what is new up to now, oldest first. When it fails or ctx
// ends, the next call goes on where this one stopped.
func (f *Follower) Next(ctx context.Context, now time.Time, each func(Entry)) error {
	// Their clock may be ahead of ours.
	ask := Ask{From: f.from.Add(-overlap), To: now.Add(time.Hour), Forward: true}
	return f.client.Walk(ctx, ask, func(entries []Entry) bool {
		for _, e := range without(entries, f.seen) {
			each(e)
			f.seen[e] = true
			if e.At.After(f.from) {
				f.from = e.At
			}
		}
		f.forget()
		return true
	})
}

// forget drops what no later question brings again.
func (f *Follower) forget() {
	for e := range f.seen {
		if e.At.Before(f.from.Add(-overlap)) {
			delete(f.seen, e)
		}
	}
}
