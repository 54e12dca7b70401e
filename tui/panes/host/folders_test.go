package host

import (
	"strings"
	"testing"

	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/tui/pane"
)

// Before the folders are looked into, the pane says that they are going to be
// and not that there is nothing in them.
func TestFoldersThatNobodyHasLookedInto(t *testing.T) {
	seen := probes.Snapshot{ID: host.ID, Source: probes.Host, Seq: 1, Payload: host.Overview{Folders: []host.Folder{{Role: host.Media, Path: "/m"}}}}
	said := func(set probes.Set) bool {
		for _, r := range New().Content(pane.Input{Set: set}).Rows {
			if len(r.Cells) > 0 && strings.Contains(r.Cells[0].Text, "is added up") {
				return true
			}
		}
		return false
	}
	if !said(probes.NewSet(seen)) {
		t.Error("it says nothing of them")
	}
	if said(probes.NewSet(seen, probes.Snapshot{ID: host.FilesID, Source: probes.Host, Seq: 1, Payload: host.Contents{}})) {
		t.Error("they were looked into")
	}
}
