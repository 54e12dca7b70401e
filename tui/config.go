// Package tui is the screen of the cockpit: App, the only tea.Model, routes
// keys and messages, keeps the focus and the stack of overlays, and splices
// lines that the panes and dialogs laid out into one frame.
//
// Update never waits: whatever reads a probe, a plan or a file is a tea.Cmd
// with a deadline and a recover. Samples may be lost on the way to the screen,
// because only the newest counts; what an action reports never is.
package tui

import (
	"context"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// Hub is what the app needs of [probes.Hub]; tests and replays bring others.
type Hub interface {
	Next(ctx context.Context, settle time.Duration) (probes.Set, error)
	Latest() probes.Set
	Refresh()
	SetPaused(bool)
	Paused() bool
	Faster()
	Slower()
	Interval() time.Duration
	SetVisible([]probes.ID)
	SlowHidden(times int)
}

// Environment says where the cockpit is looking, for the first line.
type Environment struct {
	Title    string // "PROD viatique@db1"
	Colour   string // "red", "#aa0000"; "" plain
	ReadOnly string // why nothing may be written, "--read-only"; "" when it may
	Actor    string // "mdupont (responder)"
	Host     string
}

// CopyPage is everything that is known of one copy.
type CopyPage struct {
	grading.Dossier
	Tasks    []celery.Running // in a worker's hands
	Messages []celery.Message // waiting in a queue
	Results  []celery.TaskRow // in any state; those that Tasks and Messages have are not shown twice
	Lines    []logs.Line      // newest last
	Problems []string         // sources that gave nothing, as sentences
}

// Config is what an App is made of.
type Config struct {
	Hub    Hub
	Runner *actions.Runner
	Specs  []pane.Spec
	Pages  []page.Spec
	Keys   keys.Table
	Theme  *ui.Theme
	Env    Environment
	// Only is one pane alone, for a tmux split; "" all. The probes of the others run
	// seldom then, and what is wrong is judged from all of them.
	Only pane.ID

	// Dossier reads one copy, by row id or anonymous id.
	Dossier func(ctx context.Context, id string) (CopyPage, error)
	// Older reads the n events before a place in the timeline.
	Older func(ctx context.Context, c grading.Cursor, n int) ([]grading.Event, error)

	// Read gives what pages show, by their kind.
	Read map[pane.Kind]page.Reader
	// Seek answers the filter of a [pane.Seeker]: it hands over through say what
	// it found so far, as often as it likes, and gives the whole in the end.
	Seek map[pane.ID]func(ctx context.Context, query string, say func(any)) (any, error)

	// Judge says what is wrong in a set; nil: nobody does. It is called beside the
	// screen.
	Judge func(diagnosis.Input) diagnosis.Report
	// Books reads the playbooks that lead through it, and says why some of the
	// operator's are not among them; nil: there are none. It is called once, beside
	// the screen: to read and check them takes longer than the first frame may.
	// Sources is what their steps read through. Place gives what their texts are
	// filled in with, for a copy by row id or anonymous id, "" none; what it gives is
	// good without the copy when it fails.
	Books   func() (books []*playbook.Playbook, leftOut []string)
	Sources playbook.Sources
	Place   func(ctx context.Context, set probes.Set, id string) (playbook.Place, error)
	// Start opens a walkthrough as soon as the playbooks are read: "NAME" or
	// "NAME COPY"; "" none.
	Start string
	// SaveHandOver keeps the text for the next responder, and says where.
	SaveHandOver func(name, text string) (path string, err error)

	Now    func() time.Time
	Zone   *time.Location
	Mouse  bool          // wheel and clicks; takes away the terminal's own selection
	Mono   bool          // NO_COLOR: no colours, bold and reverse stay
	Settle time.Duration // how long news are gathered into one set

	Drill     Drill               // an exercise; nil outside practice
	Unsettled []actions.Unsettled // left by an earlier session, shown at the start
	// Log writes to the log file; never to the screen.
	Log func(format string, args ...any)
}
