package logs

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/clean"
)

func firstOf(raw []byte) []byte {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	return first
}

// recordOf is a record as it stands, for reading.
func recordOf(line Line, raw []byte) Record {
	r := Record{Line: line, Cut: len(raw) > MaxRecord}
	for l := range strings.SplitSeq(string(raw[:min(len(raw), MaxRecord)]), "\n") {
		r.Text = append(r.Text, clean.Text(strings.TrimSuffix(l, "\r")))
	}
	return r
}

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
