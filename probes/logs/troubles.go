package logs

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/internal/lazy"
)

// Trouble is how often an operation failed for one cause in the last hour. One
// failed request leaves up to three records; it counts once.
type Trouble struct {
	Op    Op
	Cause Cause
	N     int
	First time.Time // of those that count; zero unknown
	Last  Line      // the newest that tells of it
	// Copies are those that it was about, the newest first, bounded. Requests
	// that name no copy are only in N.
	Copies []CopyTrouble
}

// CopyTrouble is the trouble of one copy.
type CopyTrouble struct {
	CopyID string
	N      int
	First  time.Time
	Last   Line
}

// Op is what was tried.
type Op string

// The operations. Lock is taking a copy, Unlock giving it back, Edit whatever
// else a teacher does under a lock: heartbeats, annotations, drafts.
const (
	OpImport   Op = "import"
	OpFinalize Op = "finalize"
	OpLock     Op = "lock"
	OpUnlock   Op = "unlock"
	OpEdit     Op = "edit"
	OpWorker   Op = "worker" // a process of the worker ended
)

// Cause is why it failed, by what the record says.
type Cause string

// The causes. Conflict is an answer of 409, Forbidden one of 403 whose reason
// the record does not name; Unclear is an error that nothing here knows.
const (
	CauseToken     Cause = "token"      // no lock token, or another than the lock's
	CauseSpace     Cause = "space"      // ENOSPC, or a quota
	CauseKilled    Cause = "killed"     // a process was killed by SIGKILL
	CauseMemory    Cause = "memory"     // MemoryError, ENOMEM
	CauseTime      Cause = "time-limit" // Celery's hard or soft time limit
	CauseClosed    Cause = "closed"     // the database ended the connection meanwhile
	CauseNoPages   Cause = "no-pages"
	CauseTwice     Cause = "two-events" // more than one FINALIZE event by one actor
	CauseVanished  Cause = "vanished"   // an annotation that was there is gone
	CauseBroken    Cause = "broken"     // PyMuPDF could not read or write a document
	CauseFile      Cause = "file"       // a file that is missing or may not be opened
	CauseExpired   Cause = "expired"    // the lock had expired
	CauseState     Cause = "state"      // the status or the missing lock did not allow it
	CauseConflict  Cause = "conflict"
	CauseForbidden Cause = "forbidden"
	CauseUnclear   Cause = "unclear"
)

// causes name the words that a record must have, in its message or in the last
// line of its traceback. The first that fits counts.
var causes = []struct {
	cause Cause
	words func() *regexp.Regexp
}{
	{CauseToken, lazy.Regexp(`(?i)(?:missing|invalid) lock token|lock token mismatch`)},
	{CauseSpace, lazy.Regexp(`(?i)No space left on device|Errno 28\b|Errno 122\b|quota exceeded`)},
	{CauseKilled, lazy.Regexp(`WorkerLostError|signal 9\b|SIGKILL`)},
	{CauseMemory, lazy.Regexp(`MemoryError|malloc \(\d+ bytes\) failed|Cannot allocate memory|Errno 12\b`)},
	{CauseTime, lazy.Regexp(`TimeLimitExceeded|(?i:(?:hard|soft) time limit \(\d+)`)},
	{CauseClosed, lazy.Regexp(`(?i)connection already closed|idle-in-transaction timeout|server closed the connection unexpectedly`)},
	{CauseNoPages, lazy.Regexp(`No pages found to flatten`)},
	{CauseTwice, lazy.Regexp(`returned more than one GradingEvent|MultipleObjectsReturned`)},
	{CauseVanished, lazy.Regexp(`Annotation matching query does not exist|Annotation\.DoesNotExist`)},
	{CauseBroken, lazy.Regexp(`(?i)broken document|FileDataError|\bfitz\.|pymupdf|mupdf|no objects found|cannot open empty|not a pdf`)},
	{CauseFile, lazy.Regexp(`FileNotFoundError|No such file or directory|Permission denied`)},
	{CauseExpired, lazy.Regexp(`Lock expired`)},
	{CauseState, lazy.Regexp(`copies can be finalized|Lock required|already finalized|Lock not found`)},
}

// CauseOf finds the cause that a text names, which may be an error, a result or
// what a failed FINALIZE event says.
func CauseOf(said string) Cause {
	for _, c := range causes {
		if c.words().MatchString(said) {
			return c.cause
		}
	}
	return CauseUnclear
}

// troubleOf reads which operation a record says has failed, and why. ok is
// false for a record that tells of none.
func troubleOf(l *Line) (op Op, cause Cause, ok bool) {
	if severity(l.Level) < severity("WARNING") {
		return "", "", false
	}
	if op = opOf(l); op == "" {
		return "", "", false
	}
	said := l.Message
	if n := len(l.Trace); n > 0 {
		said += "\n" + l.Trace[n-1]
	}
	if cause := CauseOf(said); cause != CauseUnclear {
		return op, cause, true
	}
	switch {
	case strings.HasPrefix(l.Message, "Conflict: "):
		return op, CauseConflict, true
	case strings.HasPrefix(l.Message, "Forbidden: "):
		return op, CauseForbidden, true
	case severity(l.Level) >= severity("ERROR") && op != OpWorker:
		return op, CauseUnclear, true
	}
	return "", "", false
}

// opOf names the operation by the path of the request, else by the words that
// the services, the tasks and the worker use.
func opOf(l *Line) Op {
	path := l.Path
	if i := strings.Index(l.Message, ": /api/"); i >= 0 && l.Logger == "django.request" {
		path = l.Message[i+2:]
	}
	switch {
	case strings.HasSuffix(path, "/finalize/"):
		return OpFinalize
	case strings.HasSuffix(path, "/copies/import/"), strings.HasPrefix(path, "/api/exams/") && strings.HasSuffix(path, "/upload/"):
		return OpImport
	case strings.HasSuffix(path, "/lock/release/"):
		return OpUnlock
	case strings.HasSuffix(path, "/lock/"):
		return OpLock
	case strings.HasSuffix(path, "/lock/heartbeat/"), strings.HasSuffix(path, "/annotations/"), strings.HasSuffix(path, "/draft/"):
		return OpEdit
	case path != "":
		return ""
	}
	return opByWords(l.Message)
}

func opByWords(message string) Op {
	switch {
	case strings.Contains(message, "PDF generation failed"), strings.Contains(message, "Async finalization failed"),
		strings.Contains(message, "async_finalize_copy"):
		return OpFinalize
	case strings.Contains(message, "Async import failed"), strings.Contains(message, "Async batch import failed"),
		strings.Contains(message, "async_import_pdf"), strings.Contains(message, "async_batch_import"):
		return OpImport
	case strings.Contains(message, "WorkerLostError"), strings.Contains(message, "signal 9"):
		return OpWorker
	}
	return ""
}

const (
	// oneFailure is within what time records of one copy, operation and cause
	// belong to one request. A conflict leaves a single record.
	oneFailure = 2 * time.Second
	// maxTroubled bounds the copies kept for one operation and cause.
	maxTroubled = 200
	// maxUnsure is how many records wait for the rest of their traceback.
	maxUnsure = 16
)

type troubleKey struct {
	op    Op
	cause Cause
}

// troubles counts the failures of the last hour. The zero value is ready.
type troubles struct {
	kinds map[troubleKey]*troubled
	// unsure are records that do not say yet what they are about: the lines of a
	// traceback come after.
	unsure []*record
}

// troubled is one kind: when it happened by minute, and on which copies.
type troubled struct {
	minutes map[int64]int
	last    Line
	copies  map[string]*CopyTrouble
}

// add takes in a record that was just read. Its traceback may still be to come:
// it is judged when others have followed, or at the end of the look.
func (t *troubles) add(r *record, now time.Time) {
	if severity(r.Level) < severity("WARNING") || now.Sub(r.At) > time.Hour || r.At.Sub(now) > 24*time.Hour {
		return
	}
	if t.unsure = append(t.unsure, r); len(t.unsure) > maxUnsure {
		t.judge(t.unsure[0])
		t.unsure = t.unsure[1:]
	}
}

// settle counts what has been read. A record that does not name its cause yet is
// looked at once more the next time.
func (t *troubles) settle(now time.Time) {
	var later []*record
	for _, r := range t.unsure {
		if t.judge(r) == CauseUnclear && !r.judged {
			later = append(later, r)
		}
		r.judged = true
	}
	t.unsure = later
	t.forget(now)
}

func (t *troubles) judge(r *record) Cause {
	op, cause, ok := troubleOf(&r.Line)
	if ok && !(r.judged && cause == CauseUnclear) {
		t.count(troubleKey{op, cause}, r.Line)
	}
	return cause
}

func (t *troubles) count(key troubleKey, l Line) {
	if t.kinds == nil {
		t.kinds = map[troubleKey]*troubled{}
	}
	k := t.kinds[key]
	if k == nil {
		k = &troubled{minutes: map[int64]int{}, copies: map[string]*CopyTrouble{}}
		t.kinds[key] = k
	}
	c := k.copies[l.CopyID]
	switch {
	case c == nil:
		c = &CopyTrouble{CopyID: l.CopyID, First: l.At}
		k.copies[l.CopyID] = c
	case key.cause != CauseConflict && (l.CopyID != "" || key.op == OpWorker) && l.At.Sub(c.Last.At).Abs() < oneFailure:
		return
	}
	c.N++
	k.minutes[l.At.Unix()/60]++
	if !l.At.Before(c.Last.At) {
		c.Last = l
	}
	if l.At.Before(c.First) {
		c.First = l.At
	}
	if !l.At.Before(k.last.At) {
		k.last = l
	}
	k.bound()
}

// bound lets the copies go whose trouble is longest ago.
func (k *troubled) bound() {
	if len(k.copies) <= maxTroubled+maxTroubled/10 {
		return
	}
	for _, c := range newestTroubles(k.copies)[maxTroubled:] {
		delete(k.copies, c.CopyID)
	}
}

// forget lets go of what is over an hour old.
func (t *troubles) forget(now time.Time) {
	for key, k := range t.kinds {
		for minute := range k.minutes {
			if minute < now.Add(-time.Hour).Unix()/60 {
				delete(k.minutes, minute)
			}
		}
		for id, c := range k.copies {
			if now.Sub(c.Last.At) > time.Hour {
				delete(k.copies, id)
			}
		}
		if len(k.minutes) == 0 {
			delete(t.kinds, key)
		}
	}
}

func newestTroubles(copies map[string]*CopyTrouble) []*CopyTrouble {
	return slices.SortedFunc(maps.Values(copies), func(a, b *CopyTrouble) int {
		return cmp.Or(b.Last.At.Compare(a.Last.At), cmp.Compare(a.CopyID, b.CopyID))
	})
}

// list gives what was counted, the most frequent first.
func (t *troubles) list() []Trouble {
	var out []Trouble
	for key, k := range t.kinds {
		one := Trouble{Op: key.op, Cause: key.cause, Last: k.last}
		for minute, n := range k.minutes {
			one.N += n
			if at := time.Unix(60*minute, 0).UTC(); one.First.IsZero() || at.Before(one.First) {
				one.First = at
			}
		}
		for _, c := range newestTroubles(k.copies) {
			if c.CopyID != "" {
				one.Copies = append(one.Copies, *c)
			}
		}
		out = append(out, one)
	}
	sortTroubles(out)
	return out
}

func sortTroubles(all []Trouble) {
	slices.SortFunc(all, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Cause, b.Cause))
	})
}

// addTroubles puts together what two sources say.
func addTroubles(a, b []Trouble) []Trouble {
	out := slices.Clone(a)
	for _, t := range b {
		i := slices.IndexFunc(out, func(o Trouble) bool { return o.Op == t.Op && o.Cause == t.Cause })
		if i < 0 {
			out = append(out, t)
			continue
		}
		o := &out[i]
		o.N += t.N
		if o.First.IsZero() || !t.First.IsZero() && t.First.Before(o.First) {
			o.First = t.First
		}
		if t.Last.At.After(o.Last.At) {
			o.Last = t.Last
		}
		o.Copies = addCopies(o.Copies, t.Copies)
	}
	sortTroubles(out)
	return out
}

func addCopies(a, b []CopyTrouble) []CopyTrouble {
	byID := map[string]*CopyTrouble{}
	for _, c := range slices.Concat(a, b) {
		o := byID[c.CopyID]
		if o == nil {
			byID[c.CopyID] = &c
			continue
		}
		o.N += c.N
		if c.First.Before(o.First) {
			o.First = c.First
		}
		if c.Last.At.After(o.Last.At) {
			o.Last = c.Last
		}
	}
	var out []CopyTrouble
	for _, c := range newestTroubles(byID) {
		out = append(out, *c)
	}
	return out[:min(len(out), maxTroubled)]
}
