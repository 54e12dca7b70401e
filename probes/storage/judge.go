package storage

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// judge says what follows from what was read.
func (l *look) judge() {
	slices.SortStableFunc(l.Tables, func(a, b Table) int { return cmp.Compare(b.Total(), a.Total()) })
	for i := range l.Tables {
		t := &l.Tables[i]
		t.duplicates()
		slices.SortStableFunc(t.List, func(a, b Index) int { return cmp.Compare(b.Scans, a.Scans) })
	}
	l.Missing = l.missing()
	l.share()
	l.blind()
}

// duplicates names, for each index that another one makes superfluous, that
// other one. The one that a constraint needs stays, else the one in most use.
func (t *Table) duplicates() {
	keep := map[string]int{}
	for i, x := range t.List {
		if was, ok := keep[x.keys]; !ok || worth(x, t.List[was]) {
			keep[x.keys] = i
		}
	}
	for i := range t.List {
		if best := keep[t.List[i].keys]; best != i {
			t.List[i].DuplicateOf = t.List[best].Name
		}
	}
}

// worth tells whether a is rather to be kept than b.
func worth(a, b Index) bool {
	rank := func(i Index) int {
		switch {
		case !i.Valid:
			return 0
		case i.Primary:
			return 4
		case i.Constraint:
			return 3
		case i.Unique:
			return 2
		}
		return 1
	}
	if rank(a) != rank(b) {
		return rank(a) > rank(b)
	}
	return a.Scans > b.Scans
}

// share gives each statement its part of the time of all.
func (l *look) share() {
	for i := range l.Statements.Rows {
		if s := &l.Statements.Rows[i]; l.Statements.Total > 0 {
			s.Share = min(s.Total/l.Statements.Total, 1)
		}
	}
	slices.SortStableFunc(l.Statements.Rows, func(a, b Statement) int { return cmp.Compare(b.weight(), a.weight()) })
}

// weight puts what costs time now before what did once.
func (s Statement) weight() float64 {
	if s.RecentKnown {
		return s.Recent.Total
	}
	return 0
}

// blind names what the role cannot see.
func (l *look) blind() {
	l.Replication.Blind = !l.allStats && len(l.Replication.Standbys) > 0
	if l.Replication.Blind {
		l.Replication.Standbys = nil
	}
	var not []string
	if n := l.Statements.Hidden; n > 0 {
		not = append(not, strconv.Itoa(n)+" statements of other roles")
	}
	if l.Replication.Blind {
		not = append(not, "how far the standbys are")
	}
	if !l.allSet {
		not = append(not, "where the data lies")
	}
	if len(not) > 0 {
		role := quoted(l.Database.Role)
		l.Hidden = append(l.Hidden, "Role "+role+" does not see "+strings.Join(not, ", ")+". GRANT pg_monitor TO "+role+";")
	}
}

// quoted is an identifier as SQL wants it.
func quoted(name string) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	})
	if plain && (name[0] < '0' || name[0] > '9') {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Judgement is what an index is worth.
type Judgement int

// An index is fine, costs writes for nothing, or is of no use to anybody.
const (
	Fine Judgement = iota
	Wasteful
	Broken
)

// State says in a few words what an index is good for.
func (i Index) State() (string, Judgement) {
	switch {
	case !i.Valid:
		return "invalid: its CREATE INDEX CONCURRENTLY failed, or still runs", Broken
	case i.DuplicateOf != "":
		return "the same as " + i.DuplicateOf, Wasteful
	case i.Unused():
		return "never used", Wasteful
	case i.Primary:
		return "primary key", Fine
	case i.Unique:
		return "unique", Fine
	}
	return "in use", Fine
}
