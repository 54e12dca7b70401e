package logs

import (
	"context"
	"maps"
	"slices"
	"time"

	"gradecockpit/probes/logs/loki"
)

// lokiEvery is the time between two looks of following.
const lokiEvery = time.Second

// Follow hands over the last records, of the newest thousand entries, then what
// reaches Loki. It fails when the first question does; later ones are asked
// again.
func (l *Loki) Follow(ctx context.Context, q Query, last int, do func(Line)) error {
	q = q.withDefaults()
	newest, err := l.newest(ctx, l.now(), 1)
	if err != nil {
		return err
	}
	var old []Line
	give := func(line Line) { old = append(old, line) }
	g := growing{text: map[string]string{}, head: map[string]loki.Entry{}, grown: map[string]bool{}, give: func(text string, head loki.Entry) {
		if line, _ := l.lineOf(text, head); q.Matches(line, []byte(text)) {
			give(line)
		}
	}}
	for _, e := range newest {
		g.take(e)
	}
	g.grown = map[string]bool{}
	g.flushQuiet()
	slices.SortStableFunc(old, func(a, b Line) int { return a.At.Compare(b.At) })
	for _, line := range old[max(0, len(old)-last):] {
		do(line)
	}
	give = do
	return g.goOn(ctx, l.client.Follow(l.now(), newest...), l.now)
}

// goOn reads on until ctx ends.
func (g *growing) goOn(ctx context.Context, f *loki.Follower, now func() time.Time) error {
	tick := time.NewTicker(lokiEvery)
	defer tick.Stop()
	for {
		g.grown = map[string]bool{}
		_ = f.Next(ctx, now(), g.take) // what fails is asked for again
		g.flushQuiet()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// growing are the newest records of all streams, which may still get the lines
// of a traceback.
type growing struct {
	text  map[string]string     // by stream
	head  map[string]loki.Entry // with which each begins
	grown map[string]bool       // in this look
	give  func(text string, head loki.Entry)
}

func (g *growing) take(e loki.Entry) {
	_, _, begins := parseLine([]byte(firstLine(e.Line)))
	text, open := g.text[e.Stream]
	g.grown[e.Stream] = true
	if open && !begins && len(text) < maxLine {
		g.text[e.Stream] = text + "\n" + e.Line
		return
	}
	if open {
		g.give(text, g.head[e.Stream])
	}
	g.text[e.Stream], g.head[e.Stream] = e.Line, e
}

// flushQuiet gives the records of streams from which nothing came in this look.
func (g *growing) flushQuiet() {
	for _, stream := range slices.Sorted(maps.Keys(g.text)) {
		if !g.grown[stream] {
			g.give(g.text[stream], g.head[stream])
			delete(g.text, stream)
			delete(g.head, stream)
		}
	}
}
