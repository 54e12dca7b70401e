package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/pdf"
)

// onePage is a PDF of one page, which opens.
var onePage = func() string {
	b, table := "%PDF-1.4\n", "xref\n0 4\n0000000000 65535 f \n"
	for i, object := range []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[3 0 R]>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"} {
		table += fmt.Sprintf("%010d 00000 n \n", len(b))
		b += fmt.Sprintf("%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	return b + table + fmt.Sprintf("trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(b))
}()

// put writes a file of the test.
func put(t *testing.T, path, data string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostConditions are those of the machine and its files.
func hostConditions() map[string]condition {
	// A threshold below what every disk has in use, and one that none reaches.
	disk := func(s *site, warning string) string {
		s.env["MEDIA_ROOT"], s.env["GRADECOCKPIT_TEMP_DIR"] = s.t.TempDir(), s.t.TempDir()
		s.env["GRADECOCKPIT_DISK_WARNING"], s.env["GRADECOCKPIT_DISK_CRITICAL"] = warning, warning
		return usedPercent(s.t, s.env["MEDIA_ROOT"])
	}
	grown := func(s *site) string {
		s.env["GRADECOCKPIT_TEMP_DIR"] = s.t.TempDir()
		put(s.t, filepath.Join(s.env["GRADECOCKPIT_TEMP_DIR"], "core.4711"), strings.Repeat("x", 5<<20))
		return ""
	}
	upload := func(s *site, data string) string {
		s.env["MEDIA_ROOT"] = s.t.TempDir()
		id := s.database().AddCopy(lab.CopyRow{Anon: "A3F2-0077", Status: "GRADED", FinalPDF: "copies/final/x.pdf"})
		for _, name := range []string{"copies/source/copy_" + id + ".pdf", "copies/final/x.pdf"} {
			put(s.t, filepath.Join(s.env["MEDIA_ROOT"], name), data)
		}
		return id
	}
	return map[string]condition{
		"3.4/3a": {plant: func(s *site) string { return disk(s, "1") }, calm: func(s *site) string { return disk(s, "101") }, finds: []string{"✗ {ID}%"}},
		"3.4/3b": {plant: grown, calm: func(s *site) string { s.env["GRADECOCKPIT_TEMP_DIR"] = s.t.TempDir(); return "" }, finds: []string{"5.0M core.4711"}},
		"3.4/4":  {tables: true, plant: func(s *site) string { return upload(s, onePage) }, calm: func(s *site) string { return upload(s, onePage[:120]) }, finds: []string{"✓ sound."}},
	}
}

// usedPercent is what df calls Use%.
func usedPercent(t *testing.T, path string) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		t.Fatal(err)
	}
	used := st.Blocks - st.Bfree
	return strconv.FormatUint((used*100+used+uint64(st.Bavail)-1)/(used+uint64(st.Bavail)), 10)
}

// A PDF that is not sound has exit code 2, in words and as JSON.
func TestPDFOfACopy(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			db := labtest.Postgres(t, dialect)
			media := t.TempDir()
			env := map[string]string{"DATABASE_URL": db.DSN(), "MEDIA_ROOT": media}
			id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "GRADED", FinalPDF: "../outside.pdf"})
			put(t, filepath.Join(media, "copies", "source", "copy_"+id+".pdf"), onePage[:150])
			put(t, filepath.Join(filepath.Dir(media), "outside.pdf"), onePage)
			got := run(t, env, "pdf", "A3F2-0042", "-o", "json")
			var checks []pdf.Check
			if err := json.Unmarshal([]byte(got.out), &checks); err != nil || got.code != exitBad {
				t.Fatalf("exit code %d, %v: %s%s", got.code, err, got.out, got.err)
			}
			if n := len(checks) - 1; n < 0 || checks[n].Reason != "it lies outside the media folder" {
				t.Fatalf("%+v", checks)
			}
			if dialect == lab.Playbook {
				return // its copies do not name their source
			}
			if len(checks) != 2 || checks[0].Verdict != pdf.Damaged {
				t.Errorf("%+v", checks)
			}
			if got := run(t, env, "pdf", "A3F2-0042"); !says(got.out, "✗ damaged: cut off") || got.err != "" {
				t.Errorf("%s%s", got.out, got.err)
			}
		})
	}
}

func TestPDFByItsPath(t *testing.T) {
	path := put(t, filepath.Join(t.TempDir(), "x.pdf"), onePage)
	if got := run(t, nil, "pdf", path); got.code != exitOK || !says(got.out, "Pages 1 · A4") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	if got := run(t, nil, "pdf", filepath.Join(filepath.Dir(path), "none.pdf")); got.code != exitBad || !says(got.out, "there is no such file") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	if got := run(t, nil, "pdf", "A3F2-0042"); got.code != exitBad || !says(got.err, "no database to look for a copy in") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
}
