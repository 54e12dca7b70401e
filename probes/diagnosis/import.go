package diagnosis

import (
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

func importRules() []Rule {
	return []Rule{ocrTimeout(), corruptedImport(), importFailed()}
}

// recentFailure is how long an import that left no copy behind is told of. The
// deployed application imports in the request and rolls everything back.
const recentFailure = 15 * time.Minute

const importHarm = "Do not import the same file again while its first copy is there: the pupil would have two. A copy in STAGING with pages is no failed import, it waits to be identified."

// imported is what is known of imports that failed for one cause: the copies
// that are still without pages, and how many failed without leaving one.
type imported struct {
	trouble logs.Trouble
	copies  []grading.Stuck
	bare    int
}

// importsFailed gives the imports that failed so and have not been mended since.
func importsFailed(in Input, causes ...logs.Cause) (out imported, ok bool) {
	out.trouble, ok = troubleWith(in, logs.OpImport, causes...)
	if !ok {
		return out, false
	}
	hit := map[string]bool{}
	named := 0
	for _, c := range out.trouble.Copies {
		hit[c.CopyID] = true
		named += c.N
	}
	for _, s := range stuckBy(in, grading.CauseImport) {
		if hit[s.Copy.ID] {
			out.copies = append(out.copies, s)
		}
	}
	if out.trouble.Last.CopyID == "" && in.Now.Sub(out.trouble.Last.At) < recentFailure {
		out.bare = max(out.trouble.N-named, 0) // those of a copy are counted for longer than an hour
	}
	return out, len(out.copies) > 0 || out.bare > 0
}

// finding is what all rules about failed imports say alike.
func (i imported) finding(in Input) Finding {
	f := Finding{Confidence: Certain, Since: i.trouble.First, Harm: importHarm}
	if len(i.copies) == 0 {
		f.Confidence = Likely // nobody knows whether it was imported again since
	}
	for _, c := range i.trouble.Copies {
		for _, s := range i.copies {
			if c.CopyID == s.Copy.ID && len(f.Evidence) < mostEvidence {
				f.Evidence = append(f.Evidence, saidBy(c.Last, in.Now), seenStuck(in, s))
			}
		}
	}
	if len(f.Evidence) == 0 {
		f.Evidence = []Evidence{saidBy(i.trouble.Last, in.Now)}
	}
	n := len(i.copies) + i.bare
	f.onCopies(copiesIn(i.copies), nil)
	f.CopyCount, f.Severity = n, severityOf(n)
	return f
}

func (i imported) count() string {
	if len(i.copies) == 0 {
		return number(i.bare, "import")
	}
	return number(len(i.copies)+i.bare, "copy")
}

// corruptedImport: PyMuPDF cannot open what was uploaded.
func corruptedImport() Rule {
	return Rule{
		ID: "corrupted-pdf-import", Title: "An uploaded PDF is corrupted", Scenario: ImportStuck, Section: "3.3",
		Needs: []probes.ID{logs.ID}, Explains: []string{"swallowed-failures"},
		Judge: func(in Input) ([]Finding, string) {
			i, ok := importsFailed(in, logs.CauseBroken)
			if !ok {
				return nil, ""
			}
			f := i.finding(in)
			f.Says = fmt.Sprintf("PyMuPDF could not open the PDF of %s.", i.count())
			f.Mind = "The file opens in another reader: then it is damaged only on its way or in the media folder."
			f.Advice = []string{
				compose + `exec backend python -c "import fitz; print(fitz.open('/app/media/copies/source/copy_<id>.pdf').page_count)"`,
				"Ask for a new scan or have the file repaired (mutool clean in.pdf out.pdf), and upload that.",
			}
			f.Harm = "Do not retry with the same file: it fails the same way every time. " + importHarm
			return []Finding{f}, ""
		},
	}
}

// ocrTimeout: the import ran into the limit of a task. Celery's own is 300 s,
// not the playbook's ten minutes.
func ocrTimeout() Rule {
	return Rule{
		ID: "ocr-timeout", Title: "Reading the pages took longer than a task may", Scenario: ImportStuck, Section: "3.3",
		Needs: []probes.ID{logs.ID}, Explains: []string{"swallowed-failures"},
		Judge: func(in Input) ([]Finding, string) {
			i, ok := importsFailed(in, logs.CauseTime)
			if !ok {
				return nil, ""
			}
			f := i.finding(in)
			f.Says = fmt.Sprintf("The import of %s was ended by the time limit of its task.", i.count())
			f.Mind = "A machine that was busy with something else at that time: then it goes through now."
			f.Advice = []string{
				"Split the scan into parts of some 50 pages and import each, or raise CELERY_TASK_TIME_LIMIT and CELERY_TASK_SOFT_TIME_LIMIT (300 s and 270 s) in the application's settings; then " + restartCelery,
			}
			return []Finding{f}, ""
		},
	}
}

// unexplainedImports are the copies without pages of which nothing tells why:
// neither the log, nor a task that waits or runs for them.
func unexplainedImports(in Input) []grading.Stuck {
	tasks := tasked(in)
	return slices.DeleteFunc(unblamedImports(in), func(s grading.Stuck) bool { return tasks[s.Copy.ID] != "" })
}

// leftImports are those that no task will finish any more: it was lost, or there
// is none.
func leftImports(in Input) []grading.Stuck {
	tasks := tasked(in)
	return slices.DeleteFunc(unblamedImports(in), func(s grading.Stuck) bool {
		state := tasks[s.Copy.ID]
		return state != "" && state != celery.TaskLost
	})
}

// unblamedImports are those of which the log does not tell why.
func unblamedImports(in Input) (out []grading.Stuck) {
	known := blamed(in, logs.OpImport)
	for _, s := range stuckBy(in, grading.CauseImport) {
		if !known[s.Copy.ID] || onlyFile(in, s.Copy.ID) {
			out = append(out, s)
		}
	}
	return out
}

// onlyFile tells whether the log blames a file that could not be opened, which
// no other rule takes up.
func onlyFile(in Input, copyID string) bool {
	t, _ := troubleWith(in, logs.OpImport, logs.CauseFile)
	for _, c := range t.Copies {
		if c.CopyID == copyID {
			return true
		}
	}
	return false
}

// importFailed is an import that got stuck and nobody knows why, or by an error
// that has no rule of its own.
func importFailed() Rule {
	return Rule{
		ID: "import-failed", Title: "An import got stuck", Scenario: ImportStuck, Section: "3.1",
		Needs: []probes.ID{grading.ID},
		Judge: func(in Input) ([]Finding, string) {
			hit := unexplainedImports(in)
			if len(hit) == 0 {
				return nil, ""
			}
			f := Finding{
				Says:       fmt.Sprintf("%s in STAGING without a page, and %s.", number(len(hit), "copy"), unsaid(in)),
				Confidence: Possible, Severity: severityOf(len(hit)), Since: firstSince(hit), Evidence: stuckEvidence(in, hit),
				Mind: "An import that still runs, in a worker or a request that is not seen here: then pages appear.",
				Harm: importHarm,
				Advice: []string{
					compose + "logs --since 2h backend celery | grep -iE 'import|rasteri|fitz'",
					"Where nothing is found: have the file uploaded again under another name, and delete the empty copy in the administration.",
				},
			}
			f.onCopies(copiesIn(hit), holders(hit))
			if t, ok := troubleWith(in, logs.OpImport, logs.CauseFile, logs.CauseUnclear); ok {
				f.Title, f.Confidence = "An import failed", Likely
				f.Says = fmt.Sprintf("%s in STAGING without a page; the log tells of an error.", number(len(hit), "copy"))
				f.Evidence = append([]Evidence{saidBy(t.Last, in.Now)}, f.Evidence...)
			}
			return []Finding{f}, withoutLog(in)
		},
	}
}

// unsaid names what was asked why an import got stuck, and what could not be.
func unsaid(in Input) string {
	told, untold := []string{}, []string{}
	for _, s := range []struct {
		what  string
		needs []probes.ID
	}{{"log", []probes.ID{logs.ID}}, {"queue", []probes.ID{celery.ID, celery.TasksID}}} {
		if unread(in.Set, s.needs) == "" {
			told = append(told, s.what)
		} else {
			untold = append(untold, s.what)
		}
	}
	switch {
	case len(untold) == 0:
		return "neither the log nor a task says why"
	case len(told) == 0:
		return "neither the log nor the queues could be read to tell why"
	}
	return fmt.Sprintf("the %s does not say why; the %s could not be read", told[0], untold[0])
}
