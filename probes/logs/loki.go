package logs

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/logs/loki"
)

const (
	lokiName   = "loki"
	firstPages = 5                  // pages of a thousand entries that following begins with
	lokiReach  = 7 * 24 * time.Hour // how far a search looks back that does not say; Loki keeps weeks
	firstSpan  = time.Hour          // of a search backwards, which then doubles
	longSpan   = 24 * time.Hour
	around     = 3 * time.Second // in which the lines of one traceback are sent
	maxWhole   = 50              // records that one search completes by asking again
)

// Loki is a Grafana Loki server as a [Source].
type Loki struct {
	client *loki.Client
	now    func() time.Time

	// What follows belongs to Sample.
	follower *loki.Follower
	tally    *tally
	format   string
	last     map[string]*taken // by stream
	started  bool

	// split: lines of tracebacks are entries of their own, as the collectors of
	// containers send them. It is true until an hour of entries shows none.
	split atomic.Bool
}

// NewLoki makes a source of a server; it is not asked yet.
func NewLoki(cfg loki.Config) (*Loki, error) {
	client, err := loki.New(cfg)
	if err != nil {
		return nil, err
	}
	l := &Loki{client: client, now: time.Now, tally: newTally(), last: map[string]*taken{}}
	l.split.Store(true)
	return l, nil
}

// Where is the address of the server.
func (l *Loki) Where() string { return "Loki " + l.client.Where() }

// Close lets go of the connection.
func (l *Loki) Close() { l.client.Close() }

// Sample reads what is new. The first one reads the newest of the last hour.
func (l *Loki) Sample(ctx context.Context) (Overview, error) {
	now := l.now()
	read := l.readOn
	if !l.started {
		read = l.readFirst
	}
	if err := read(ctx, now); err != nil {
		return Overview{}, err
	}
	o := l.tally.overview(now)
	o.Dir, o.Files = l.Where(), []File{{Name: lokiName, Format: l.format}}
	return o, nil
}

func (l *Loki) readOn(ctx context.Context, now time.Time) error {
	return l.follower.Next(ctx, now, l.take)
}

// readFirst begins with the newest entries of the last hour.
func (l *Loki) readFirst(ctx context.Context, now time.Time) error {
	newest, err := l.newest(ctx, now, firstPages)
	if err != nil {
		return err
	}
	split := false
	for _, e := range newest {
		_, _, whole := parseLine([]byte(firstLine(e.Line)))
		split = split || !whole
		l.take(e)
	}
	l.split.Store(split || len(newest) == 0)
	l.follower, l.started = l.client.Follow(now, newest...), true
	return nil
}

// newest reads some pages of the last hour, oldest first.
func (l *Loki) newest(ctx context.Context, now time.Time, pages int) (newest []loki.Entry, err error) {
	err = l.client.Walk(ctx, loki.Ask{From: now.Add(-time.Hour), To: now.Add(time.Hour)}, func(e []loki.Entry) bool {
		newest = append(newest, e...)
		pages--
		return pages > 0
	})
	slices.Reverse(newest)
	return newest, err
}

// take counts one entry: a record, or a line of the traceback before it.
func (l *Loki) take(e loki.Entry) {
	line, ok := l.lineOf(e.Line, e)
	switch last := l.last[e.Stream]; {
	case ok:
		_, format, _ := parseLine([]byte(firstLine(e.Line)))
		l.format = format
		l.remember(e.Stream, &taken{counted: l.tally.add(line, l.now()), whole: format == formatJSON})
	case last != nil && !last.whole:
		last.counted.addTrace([]byte(e.Line))
		l.split.Store(true)
	default:
		l.tally.unparsed++
	}
}

func (l *Loki) remember(stream string, t *taken) {
	if len(l.last) >= maxOrigins {
		clear(l.last)
	}
	l.last[stream] = t
}

// lineOf makes a record of a text and the entry that it begins with; ok is
// false when no known format begins so.
func (l *Loki) lineOf(text string, e loki.Entry) (line Line, ok bool) {
	_, _, ok = parseLine([]byte(firstLine(text)))
	line = wholeLine([]byte(text), ok)
	if line.At.IsZero() {
		line.At = e.At
	}
	line.File, line.Origin = lokiName, clean.Capped(e.Origin, maxField)
	line.Place, line.Length = lokiPlace(e), len(text)
	return line, ok
}

// lokiPlace names an entry by its time and by what it says and where.
func lokiPlace(e loki.Entry) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(e.Stream + "\n" + e.Line))
	return fmt.Sprintf("%s:%d:%x", lokiName, e.At.UnixNano(), h.Sum64())
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// ReadLine reads the record at a place.
func (l *Loki) ReadLine(ctx context.Context, place string) (Record, error) {
	rest, mine := strings.CutPrefix(place, lokiName+":")
	number, _, _ := strings.Cut(rest, ":")
	ns, err := strconv.ParseInt(number, 10, 64)
	gone := &probes.Error{Source: probes.Logs, Op: "read the record", Cause: l.Where() + " does not have it any more", Err: fs.ErrNotExist}
	if !mine || err != nil {
		return Record{}, gone
	}
	at := time.Unix(0, ns).UTC()
	var entry *loki.Entry
	err = l.client.Walk(ctx, loki.Ask{From: at, To: at.Add(1)}, func(entries []loki.Entry) bool {
		i := slices.IndexFunc(entries, func(e loki.Entry) bool { return lokiPlace(e) == place })
		if i >= 0 {
			entry = &entries[i]
		}
		return entry == nil
	})
	if err != nil {
		return Record{}, err
	}
	if entry == nil {
		return Record{}, gone
	}
	text, head, err := l.record(ctx, *entry)
	if err != nil {
		return Record{}, err
	}
	line, _ := l.lineOf(text, head)
	return recordOf(line, []byte(text)), nil
}
