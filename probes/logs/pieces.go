package logs

import (
	"bytes"
	"context"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// wholeLine reads a record that is one piece: its line, then its traceback.
func wholeLine(raw []byte) (Line, bool) {
	first, rest, _ := bytes.Cut(raw, []byte("\n"))
	line, format, ok := parseLine(first)
	if !ok || format == formatJSON {
		return line, ok
	}
	r := record{line}
	for len(rest) > 0 {
		first, rest, _ = bytes.Cut(rest, []byte("\n"))
		r.addTrace(first)
	}
	return r.Line, true
}

// textOf is a record as it stands, for reading.
func textOf(raw []byte) []string { return clean.Lines(string(raw), maxShown, MaxRecord) }

// maxShown is how many lines of a record a page can show.
const maxShown = 10_000

// stopped is the error of a search that ctx ended.
func stopped(ctx context.Context) error {
	return &probes.Error{Source: probes.Logs, Op: "search", Cause: "stopped before the end", Err: ctx.Err()}
}

// sayEvery is how often a search that goes on says what it has.
const sayEvery = 200 * time.Millisecond

// eachFunc gives what a query finds, newest first, and from time to time how
// far it looked.
type eachFunc func(q Query, do func(Line) bool, looked func(Extent)) (Extent, error)

// searchEach is the Search of a source that has only Each.
func searchEach(q Query, say func(Result), each eachFunc) (Result, error) {
	q = q.withDefaults()
	res := Result{Query: q}
	said := time.Now()
	tell := func(x Extent) {
		if say != nil && time.Since(said) > sayEvery {
			said = time.Now()
			say(Result{Query: q, Lines: slices.Clip(res.Lines), Extent: x})
		}
	}
	x, err := each(q, func(line Line) bool {
		res.Lines = append(res.Lines, line)
		return len(res.Lines) < q.Limit
	}, tell)
	res.Extent, res.Done = x, true
	return res, err
}
