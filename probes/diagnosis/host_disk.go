package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/postgres"
)

const (
	// A volume is full when less than this is left: writes of one PDF fail then.
	fullShare = 0.99
	// recentLine is how long a record that names no copy counts as news.
	recentLine = 15 * time.Minute
	// soonFull is from when on a volume that fills up is worth a word.
	soonFull = 12 * time.Hour
)

// diskFull: imports, PDFs and the database's own writes fail alike, and each
// looks like a fault of its own.
func diskFull() Rule {
	return Rule{
		ID: "disk-full", Title: "No space is left on a disk", Scenario: ImportStuck, Section: "3.3",
		Explains: []string{"import-failed", "finalize-failed", "finalize-pymupdf-error", "corrupted-pdf-import", "rollback-events", "disk-fills", "postgres-down", "slow-endpoint"},
		Judge: func(in Input) ([]Finding, string) {
			found := fullVolumes(in)
			said := append(noSpaceSaid(in), noSpaceLines(in)...)
			switch {
			case len(found) > 0:
				found[0].Evidence = append(found[0].Evidence, said...)
			case len(said) > 0:
				found = []Finding{onlySaid(in, said)}
			default:
				return nil, ""
			}
			found[0].onCopies(noSpaceCopies(in), nil)
			return found, ""
		},
	}
}

func fullVolumes(in Input) (found []Finding) {
	o, _ := current[host.Overview](in, host.ID)
	for _, v := range o.Volumes {
		bytes, _ := v.Share()
		inodes, _ := v.InodeShare()
		if alwaysFull(v) || bytes < fullShare && inodes < fullShare {
			continue
		}
		f := roomFinding(o, v)
		f.Confidence, f.Severity = Certain, P1
		if slices.Contains(v.Roles, host.Database) {
			f.Severity = P0
		}
		f.Says = fmt.Sprintf("%s is full (%s): imports, PDFs and uploads fail.", v.Mount, fullness(v))
		f.Harm = "Do not retry imports or finalizations before there is room: each fails again. Never delete below the database's folder."
		found = append(found, f)
	}
	return found
}

// alwaysFull tells of file systems that are made full. Another one that is
// read-only here may be mounted so for the cockpit alone.
func alwaysFull(v host.Volume) bool {
	return v.ReadOnly && slices.Contains([]string{"squashfs", "iso9660", "erofs", "cramfs", "udf", "romfs"}, v.Type)
}

// roomFinding is what all findings about a volume have in common.
func roomFinding(o host.Overview, v host.Volume) Finding {
	f := Finding{Subject: v.Mount, CopyCount: -1, UserCount: -1,
		Evidence: []Evidence{{From: host.ID, Says: fmt.Sprintf("%s, with the %s folder: %s", v.Mount, rolesOf(v), fullness(v)), Kind: "pane", ID: "host"}},
		Mind:     "The application's folders lie on another volume, or on another machine than this one."}
	for _, d := range o.Folders {
		if d.Mount == v.Mount && d.Role != host.Database {
			f.Advice = append(f.Advice, "du -xh --max-depth=2 "+d.Path+" | sort -h | tail -20")
		}
	}
	if slices.Contains(v.Roles, host.Database) {
		f.Advice = append(f.Advice, "Tell the database administrator: the playbook's rule is 90 % of the database's disk.")
	}
	return f
}

func rolesOf(v host.Volume) string {
	var names []string
	for _, r := range v.Roles {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// fullness says how full a volume is, by bytes, and by inodes where those are
// what runs out.
func fullness(v host.Volume) string {
	bytes, _ := v.Share()
	says := fmt.Sprintf("%s used, %s free", share(bytes), bytesOf(float64(v.Free)))
	if inodes, ok := v.InodeShare(); ok && inodes >= bytes {
		says += fmt.Sprintf("; inodes %s used, so that no new file can be made", share(inodes))
	}
	return says
}

// onlySaid: the records speak of a full disk and this machine shows none.
func onlySaid(in Input, said []Evidence) Finding {
	f := Finding{
		Says:       fmt.Sprintf("%s %s that no space was left on a device: imports and PDFs fail.", number(len(said), "record"), map[bool]string{true: "says", false: "say"}[len(said) == 1]),
		Confidence: Likely, Severity: P1, Evidence: said,
		Mind:   "The volume with the media folder has room again, and a retry goes through.",
		Advice: []string{compose + "exec backend df -h /app/media /tmp", compose + "exec backend df -i /app/media /tmp"},
		Harm:   "Do not retry before there is room: each try fails again and leaves half a file.",
	}
	newest := func(l logs.Line) bool { return in.Now.Sub(l.At) < lossWindow }
	if len(noSpaceSaid(in)) == 0 && !slices.ContainsFunc(live(in, saysNoSpace), newest) {
		f.Says = "No space was left on a device when the copies failed that are stuck to this day; it was over an hour ago."
		f.Confidence, f.Severity = Possible, P2
	}
	if o, ok := current[host.Overview](in, host.ID); ok {
		for _, v := range o.Volumes {
			f.Evidence = append(f.Evidence, Evidence{From: host.ID, Says: fmt.Sprintf("this machine sees room now on %s: %s", v.Mount, fullness(v)), Kind: "pane", ID: "host"})
		}
	}
	return f
}

func saysNoSpace(l logs.Line) bool {
	return mentions(l, "No space left on device", "[Errno 28]", "Disk quota exceeded", "[Errno 122]")
}

// mentions tells whether a record has one of the texts in its message or traceback.
func mentions(l logs.Line, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(l.Message, text) || slices.ContainsFunc(l.Trace, func(t string) bool { return strings.Contains(t, text) })
	})
}

// live gives the records of errors that still matter: those about a copy that is
// stuck to this day, and recent ones about none.
func live(in Input, wanted func(logs.Line) bool) (out []logs.Line) {
	o, ok := current[logs.Overview](in, logs.ID)
	if !ok {
		return nil
	}
	stuck := stuckNow(in)
	for _, l := range slices.Backward(o.Errors) {
		if _, is := stuck[l.CopyID]; wanted(l) && (is || l.CopyID == "" && in.Now.Sub(l.At) < recentLine) {
			out = append(out, l)
		}
	}
	return out
}

func noSpaceLines(in Input) (out []Evidence) {
	for _, l := range live(in, saysNoSpace) {
		if len(out) < 5 {
			out = append(out, saidBy(l, in.Now))
		}
	}
	return out
}

// noSpaceSaid is what PostgreSQL itself says (SQLSTATE 53100).
func noSpaceSaid(in Input) (out []Evidence) {
	for _, s := range in.Set.Snapshots() {
		if s.Source == probes.Postgres && postgres.Code(s.Err) == "53100" {
			out = append(out, Evidence{From: s.ID, Says: s.Err.Error()})
		}
	}
	return out
}

func noSpaceCopies(in Input) []grading.CopyRef {
	stuck := stuckNow(in)
	var out unique[grading.CopyRef]
	for _, l := range live(in, saysNoSpace) {
		if c, ok := stuck[l.CopyID]; ok {
			out.add(c.Copy)
		}
	}
	return out.list
}

// diskFills: the playbook has the database administrator told from 90 % on.
func diskFills() Rule {
	return Rule{
		ID: "disk-fills", Title: "A disk is nearly full", Scenario: ImportStuck, Section: "8.2",
		Needs: []probes.ID{host.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[host.Overview](in, host.ID)
			for _, v := range o.Volumes {
				if f, ok := fills(o, v); ok {
					found = append(found, f)
				}
			}
			return found, ""
		},
	}
}

func fills(o host.Overview, v host.Volume) (Finding, bool) {
	bytes, _ := v.Share()
	inodes, _ := v.InodeShare()
	most := max(bytes, inodes)
	in, grows := v.FullIn()
	if alwaysFull(v) || most >= fullShare || most*100 < float64(o.Limits.Warning) || o.Limits.Critical == 0 {
		return Finding{}, false
	}
	f := roomFinding(o, v)
	f.Confidence, f.Says = Certain, fmt.Sprintf("%s is nearly full: %s.", v.Mount, fullness(v))
	switch {
	case grows && in < time.Hour:
		f.Severity = P1
	case most*100 >= float64(o.Limits.Critical):
		f.Severity = P2
	case grows && in < soonFull:
		f.Severity = P3
	default:
		return Finding{}, false
	}
	if grows {
		f.Evidence = append(f.Evidence, Evidence{From: host.ID, Says: fmt.Sprintf("it grows by %s a minute: full in %s if it goes on", bytesOf(v.Growth*60), lasted(in)), Kind: "pane", ID: "host"})
	}
	return f, true
}
