package diagnosis

import (
	"fmt"

	"gradecockpit/probes"
	"gradecockpit/probes/host"
)

// badFolders: owner and mode of the folders that the application writes to.
func badFolders() Rule {
	return Rule{
		ID: "folder-not-writable", Title: "A folder has the wrong owner or mode", Scenario: ImportStuck, Section: "3.2",
		Needs: []probes.ID{host.ID}, Explains: []string{"import-failed"},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[host.Overview](in, host.ID)
			for _, d := range o.Folders {
				if f, ok := badFolder(d); ok {
					found = append(found, f)
				}
			}
			return found, ""
		},
	}
}

// badFolder judges one. What is not severe is no cause of a failure, and the
// machine's page shows it.
func badFolder(d host.Folder) (Finding, bool) {
	f := Finding{Subject: string(d.Role), Confidence: Certain, Severity: P1, CopyCount: -1, UserCount: -1,
		Mind: "The application runs as another user or in a container whose folder this is not."}
	where := d.Path
	if d.Mode != "" {
		where = fmt.Sprintf("%s (%s, %s)", d.Path, d.Owner, d.Mode)
	}
	for _, p := range d.Problems {
		if !p.Severe {
			continue
		}
		f.Evidence = append(f.Evidence, Evidence{From: host.ID, Says: where + ": " + p.Says, Kind: "pane", ID: "host"})
		if p.Next != "" {
			f.Advice = append(f.Advice, p.Next+" "+d.Path)
		}
		f.Says = fmt.Sprintf("The %s folder %s: %s.", d.Role, d.Path, p.Says)
	}
	if d.Role == host.Logs || d.Role == host.Temporary {
		f.Severity = P2
	}
	if d.Mode == "" { // nothing was seen of it: it may be in a container, and not be mounted here
		f.Severity, f.Confidence, f.Mind = P2, Possible, "The application sees the folder: then it is only not mounted where the cockpit runs."
	}
	f.Harm = "Do not chmod 777: anyone on the machine could then change pupils' files."
	return f, len(f.Evidence) > 0
}
