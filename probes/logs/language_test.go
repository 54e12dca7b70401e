package logs

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameQuery = cmp.Options{cmpopts.IgnoreUnexported(Query{}), cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b *regexp.Regexp) bool {
		return (a == nil) == (b == nil) && (a == nil || a.String() == b.String())
	})}

func TestParseQuery(t *testing.T) {
	paris := time.FixedZone("CET", 3600)
	at := func(h, m int) time.Time { return time.Date(2026, 11, 22, h, m, 0, 0, paris) }
	tests := []struct {
		in   string
		want Query
	}{
		{"", Query{}},
		{"  finalize  copy ", Query{Text: []string{"finalize", "copy"}}},
		{`"lock conflict" !INFO !"not this"`, Query{Text: []string{"lock conflict"}, Not: []string{"INFO", "not this"}}},
		{"level:warn logger:grading", Query{Level: "WARNING", Logger: "grading"}},
		{"level=error Level:ERROR", Query{Level: "ERROR"}},
		{"since:10m until:13:00", Query{Since: at(12, 50), Until: at(13, 0)}},
		{"since:2d", Query{Since: at(13, 0).AddDate(0, 0, -2)}},
		{"since:14:02", Query{Since: at(14, 2).AddDate(0, 0, -1)}}, // it is 13:00: that was yesterday
		{"since:2026-11-20 until:2026-11-21T08:30", Query{Since: time.Date(2026, 11, 20, 0, 0, 0, 0, paris), Until: time.Date(2026, 11, 21, 8, 30, 0, 0, paris)}},
		{`since:"2026-11-20 08:00"`, Query{Since: time.Date(2026, 11, 20, 8, 0, 0, 0, paris)}},
		{"status_code=504 user_id=42", Query{Fields: []Field{{"status_code", "504"}, {"user_id", "42"}}}},
		{`user="Jean Dupont"`, Query{Fields: []Field{{"user", "Jean Dupont"}}}},
		{"copy:" + strings.ToUpper(aCopy) + " req:abc-1", Query{CopyID: aCopy, RequestID: "abc-1"}},
		{`/took \d+\.\ds/ metrics`, Query{Text: []string{"metrics"}, Regexp: regexp.MustCompile(`took \d+\.\ds`)}},
		{`/a\/b c/`, Query{Regexp: regexp.MustCompile(`a/b c`)}},
		{"/api/copies/", Query{Regexp: regexp.MustCompile("api/copies")}},
		{"/api/copies", Query{Text: []string{"/api/copies"}}},
		{"http://x 12:30 a:b", Query{Text: []string{"http://x", "12:30", "a:b"}}},
		{"!", Query{Text: []string{"!"}}},
		{"pattern:refused since:5m", Query{Logger: "django.request", Level: "WARNING", Since: at(12, 55)}},
	}
	for _, tt := range tests {
		got, err := ParseQuery(tt.in, at(13, 0), paris)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
		if diff := cmp.Diff(tt.want, got, sameQuery); diff != "" {
			t.Errorf("%q: %s", tt.in, diff)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"level:loud":         `level "loud" is none of debug, info, warning, error, critical`,
		"since:soon":         "since:soon is no time: 10m, 14:02 and 2026-02-01T14:02 are",
		"since:-5m":          "since:-5m is no time",
		"since:5m until:10m": "since is not before until",
		`"no end`:            `the text "no end has no closing quote`,
		"/(/":                "/(/ is no regular expression: missing closing ): `(`",
		"/a/ /b/":            "there can be one /regular expression/ only",
		"copy:A3F2-0042":     "copy:A3F2-0042 is not the row id of a copy; logs know no anonymous ids",
		"!level:error":       "! excludes words only, not level:error",
		"level:":             "level: needs a value",
		"pattern:x":          `there is no pattern "x"; there are errors, import,`,
	} {
		if _, err := ParseQuery(in, noon, time.UTC); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{`"a" !b /c/ level:error since:10m x=y`, `/\//`, `!"`, `=:`, "copy:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuery(s, noon, time.UTC)
		if err == nil {
			q.Matches(Line{Level: "INFO", At: noon}, []byte(s))
		}
	})
}

// TestLiteralsAreInEveryRecord: what a scan looks for first must stand in every
// record that matches, or the scan would miss some.
func TestLiteralsAreInEveryRecord(t *testing.T) {
	raw := `{"timestamp": "2026-11-22 19:50:26,972", "level": "ERROR", "logger": "grading.services", "message": "\u00c9chec du fichier \"a b\" pour copy ` + aCopy + `", "request_id": "r-1", "status_code": 504, "user": "Zo\u00e9 Dupont"}`
	line, _, _ := parseLine([]byte(raw))
	for _, text := range []string{
		"échec", `"fichier \"a"`, "ÉCHEC", "level:warning", "level:error user=\"Zoé Dupont\"", "status_code=504", "copy:" + aCopy, "req:r-1", "é",
		"/chec (du|de) fichier/", "/(services|views)/", "/(?i)FICHIER/", "/(a|b)*copy/", "/x?ERROR/", "logger:grading", "level=error level:info", "pattern:finalize !nothing || x",
	} {
		q, err := ParseQuery(text, noon, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		matches := q.Matches(line, []byte(raw))
		texts := q.literals()
		if len(texts) > 0 && matches && newFinder(texts...).index([]byte(raw)) < 0 {
			t.Errorf("%q matches, and none of %q is there", text, texts)
		}
		if !matches && !strings.Contains(text, "||") {
			t.Errorf("%q does not match", text)
		}
	}
}

func TestMatches(t *testing.T) {
	raw := jsonText("WARNING", 7)
	line, _, _ := parseLine([]byte(raw))
	for text, want := range map[string]bool{
		"pdf GENERATION": true, "pdf nothing": false, "!pdf": false, "!nothing": true, "level:warning": true, "level:error": false,
		"logger:grading": true, "logger:grading.services": true, "logger:grad": false, "logger:grading.services.x": false,
		"req:req-7": true, "req:req": false, "request_id=req-7": true, "request_id=REQ-7": false, "line=610": true, "line=61": false, "module=services": true, "nokey=1": false,
		"copy:" + copyID(7): true, "copy:" + copyID(8): false, "/attempt [1-3]/": true, "/ATTEMPT/": false, "/(?i)ATTEMPT/": true,
		"since:2026-11-22T12:00": true, "until:2026-11-22T12:00": false, "since:2026-11-22T12:01": false,
	} {
		q, err := ParseQuery(text, noon.Add(time.Hour), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if q.Matches(line, []byte(raw)) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
