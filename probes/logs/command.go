package logs

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/logs/child"
)

const (
	maxKept    = 32 << 20               // bytes of a command's output that can be searched
	maxOrigins = 200                    // services in one output that are told apart
	quiet      = 300 * time.Millisecond // without output: the command has told its history
	patience   = 5 * time.Second        // for that history
)

// Command is the output of a command as a [Source]: `docker compose logs -f`,
// `journalctl -f`, `ssh host tail -F`. The command runs from the first question
// until Close, and the newest of what it printed since then is kept.
type Command struct {
	words []string
	most  int // bytes kept
	now   func() time.Time

	mu      sync.Mutex
	child   *child.Child
	closed  bool
	told    bool // its history is in
	begun   time.Time
	ring    ring
	tally   *tally
	format  string
	current string // file that `tail` said it prints now
	last    map[string]*taken
	replay  *replay
}

// taken is the newest record of an origin, which gets the lines of a traceback
// that follow.
type taken struct {
	counted *record
	seq     int64 // in the ring
	skip    bool  // it was there before a restart
	whole   bool  // JSON: its traceback is inside
}

// NewCommand makes a source of a program and its arguments; nothing runs yet.
func NewCommand(words []string) *Command {
	return &Command{words: words, most: maxKept, now: time.Now, tally: newTally(), last: map[string]*taken{}}
}

// Where is the command, shortened and without passwords.
func (c *Command) Where() string { return child.Name(c.words) }

// Close ends the command and everything it started.
func (c *Command) Close() {
	c.mu.Lock()
	running := c.child
	c.closed = true
	c.mu.Unlock()
	if running != nil {
		running.Close()
	}
}

// Sample says what the command printed so far. The first one waits for what it
// has to tell at its start.
func (c *Command) Sample(ctx context.Context) (Overview, error) {
	if err := c.ready(ctx); err != nil {
		return Overview{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.tally.overview(c.now())
	o.Dir = c.Where()
	o.Files = []File{{Name: c.name(), Size: c.ring.bytes, Format: c.format}}
	return o, nil
}

// ready starts the command when it does not run yet, waits until it has told
// its history, and fails when there is none to wait for.
func (c *Command) ready(ctx context.Context) error {
	c.mu.Lock()
	if c.child == nil && !c.closed {
		c.begun = c.now()
		c.child = child.Start(c.words, c.begin, c.take)
	}
	running := c.child
	c.mu.Unlock()
	if running == nil {
		return &probes.Error{Source: probes.Logs, Op: "run " + c.Where(), Cause: "the cockpit ends"}
	}
	c.settle(ctx, running)
	if s := running.State(); !s.Running && s.Why != "" {
		e := &probes.Error{Source: probes.Logs, Op: "run " + c.Where(), Cause: s.Why, Next: "It is started again within half a minute."}
		if strings.Contains(s.Why, "ended by itself") {
			e.Next = "Let the command follow the log (-f); it is started again within half a minute."
		}
		return e
	}
	return nil
}

// settle waits until the command has been quiet for a moment, once.
func (c *Command) settle(ctx context.Context, running *child.Child) {
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	end := time.Now().Add(patience)
	if by, ok := ctx.Deadline(); ok && by.Add(-quiet).Before(end) {
		end = by.Add(-quiet)
	}
	for !told && ctx.Err() == nil && time.Now().Before(end) {
		s := running.State()
		told = s.Why != "" || !s.Last.IsZero() && time.Since(s.Last) > quiet
		select {
		case <-ctx.Done():
		case <-time.After(quiet / 10):
		}
	}
	c.mu.Lock()
	c.told = true
	c.mu.Unlock()
}

// name is what its records have as their file.
func (c *Command) name() string { return clean.Capped(filepath.Base(c.words[0]), 40) }

// begin is called before each run. A later one prints again what is known.
func (c *Command) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ring.next > 0 {
		c.replay = newReplay(&c.ring)
	}
	clear(c.last)
	c.current = ""
}

// take handles one line of the output.
func (c *Command) take(raw []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	origin, stamp, text := prefix(raw)
	if origin == "" {
		if name, ok := tailHeader(text); ok {
			c.current = name
			return
		}
		origin = c.current
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	line, format, ok := parseLine(text)
	if !ok {
		c.takeOther(origin, stamp, text)
		return
	}
	if line.At.IsZero() {
		line.At = stamp
	}
	t := &taken{whole: format == formatJSON, skip: c.replay.knows(origin, line.At, text)}
	if !t.skip {
		line.File, line.Origin = c.name(), origin
		t.seq = c.ring.add(kept{origin: origin, at: line.At, raw: bytes.Clone(text)}, c.most)
		line.Place, line.Length = c.place(t.seq), len(text)
		t.counted = c.tally.add(line, c.now())
		c.format = format
	}
	if len(c.last) >= maxOrigins {
		clear(c.last)
	}
	c.last[origin] = t
}

// takeOther handles a line that begins no record: it belongs to the record
// before it, or stands for itself.
func (c *Command) takeOther(origin string, stamp time.Time, text []byte) {
	switch t := c.last[origin]; {
	case t != nil && t.skip:
	case t != nil && !t.whole:
		t.counted.addTrace(text)
		c.ring.extend(t.seq, text, c.most)
	case !c.replay.knows(origin, stamp, text):
		c.tally.unparsed++
		c.ring.add(kept{origin: origin, at: stamp, raw: bytes.Clone(text)}, c.most)
	}
}

func (c *Command) place(seq int64) string {
	return fmt.Sprintf("output:%d:%d", c.begun.UnixNano(), seq)
}

// Search finds the newest records in what is kept of the output.
func (c *Command) Search(ctx context.Context, q Query, say func(Result)) (Result, error) {
	return searchEach(q, say, func(q Query, do func(Line) bool, _ func(Extent)) (Extent, error) { return c.Each(ctx, q, do) })
}

// Each gives every record that is kept and found.
func (c *Command) Each(ctx context.Context, q Query, do func(Line) bool) (Extent, error) {
	failed := c.ready(ctx)
	c.mu.Lock()
	order, x := c.ring.order(), Extent{Total: c.ring.bytes, Skipped: []string{c.reach()}}
	c.mu.Unlock()
	if failed != nil && len(order) == 0 {
		return Extent{}, failed
	}
	if failed != nil {
		x.Skipped = append(x.Skipped, probes.Brief(failed)+".")
	}
	for _, seq := range order {
		if ctx.Err() != nil {
			x.Truncated = true
			return x, stopped(ctx.Err())
		}
		k, ok := c.get(seq)
		if !ok {
			break // what is older was dropped since we looked
		}
		line := c.lineOf(k, seq)
		x.Bytes += int64(len(k.raw))
		if !line.At.IsZero() {
			x.Oldest = line.At
		}
		if q.Matches(line, k.raw) && !do(line) {
			x.Truncated = true
			break
		}
	}
	return x, nil
}

func (c *Command) get(seq int64) (kept, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ring.get(seq)
}

// reach says how far back the output goes.
func (c *Command) reach() string {
	if c.ring.dropped > 0 {
		return fmt.Sprintf("Of %s only the newest %d MB are kept.", c.Where(), c.most>>20)
	}
	return fmt.Sprintf("Of %s there is what it printed since %s.", c.Where(), c.begun.UTC().Format("15:04:05 UTC"))
}

// lineOf reads a kept record.
func (c *Command) lineOf(k kept, seq int64) Line {
	_, _, head := parseLine(firstOf(k.raw))
	line := wholeLine(k.raw, head)
	if line.At.IsZero() {
		line.At = k.at
	}
	line.File, line.Origin = c.name(), k.origin
	line.Place, line.Length = c.place(seq), len(k.raw)
	return line
}

// Follow hands over the last records, then what the command prints. A record
// counts as whole when nothing was added to it for a moment.
func (c *Command) Follow(ctx context.Context, q Query, last int, do func(Line)) error {
	if err := c.ready(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	q = q.withDefaults()
	c.mu.Lock()
	next, order := c.ring.next, c.ring.order()
	c.mu.Unlock()
	for _, line := range slices.Backward(c.newest(q, last, order)) {
		do(line)
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for k, ok := c.whole(&next); ok; k, ok = c.whole(&next) {
			if line := c.lineOf(k, next-1); q.Matches(line, k.raw) {
				do(line)
			}
		}
	}
}

// newest gives at most so many of the records in order that q finds.
func (c *Command) newest(q Query, most int, order []int64) (found []Line) {
	for _, seq := range order {
		k, ok := c.get(seq)
		if !ok || len(found) >= most {
			break
		}
		if line := c.lineOf(k, seq); q.Matches(line, k.raw) {
			found = append(found, line)
		}
	}
	return found
}

// whole gives the record with a number, or the oldest that is still there, when
// it is whole; the number is then the next one.
func (c *Command) whole(next *int64) (kept, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*next = max(*next, c.ring.next-int64(len(c.ring.records)))
	k, ok := c.ring.get(*next)
	if !ok || time.Since(k.changed) < followEvery {
		return kept{}, false
	}
	*next++
	return k, true
}

// ReadLine gives a whole record.
func (c *Command) ReadLine(_ context.Context, place string) (Record, error) {
	number, mine := strings.CutPrefix(place, fmt.Sprintf("output:%d:", c.begun.UnixNano()))
	seq, err := strconv.ParseInt(number, 10, 64)
	k, ok := c.get(seq)
	if !mine || err != nil || !ok {
		return Record{}, &probes.Error{Source: probes.Logs, Op: "read the record", Cause: "it is no longer kept of the output of " + c.Where(), Err: fs.ErrNotExist}
	}
	return recordOf(c.lineOf(k, seq), k.raw), nil
}
