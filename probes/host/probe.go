package host

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/postgres"
)

// Config says where the folders are; those that are "" are left out.
type Config struct {
	Media, Temporary, Logs string
	// Database is PostgreSQL's data folder; "" asks the server, when it runs on
	// this machine.
	Database string
	Reader   *postgres.Reader // nil: there is no server to ask
	Limits   Limits
}

// Host is what the two probes share.
type Host struct {
	cfg   Config
	watch watch
	names names
	data  dataFolder
}

// New makes the probes' common part; nothing is looked at yet.
func New(cfg Config) *Host {
	return &Host{cfg: cfg, data: dataFolder{path: cfg.Database, reader: cfg.Reader}}
}

// Probe looks at volumes, folders, memory and processes.
type Probe struct {
	host      *Host
	histories map[string][]Point // of each volume, by its mount
	kills     killCount
	groups    map[string]*Group // as they were seen last
	now       func() time.Time
}

// Probe makes the probe of ID.
func (h *Host) Probe() *Probe {
	return &Probe{host: h, histories: map[string][]Point{}, groups: map[string]*Group{}, now: time.Now}
}

// ID is "host".
func (p *Probe) ID() probes.ID { return ID }

// Source is the machine.
func (p *Probe) Source() probes.SourceID { return probes.Host }

// Sample looks once. What cannot be seen is missing in the Overview, with a
// sentence; only a look that ctx ended fails as a whole.
func (p *Probe) Sample(ctx context.Context) (any, error) {
	ctx = ourMounts(ctx)
	folders, unseen := p.host.folders(ctx)
	o := Overview{Machine: machine(ctx), Limits: p.host.cfg.Limits}
	o.Folders, o.Volumes = p.host.inspect(ctx, folders)
	for i := range o.Volumes {
		p.follow(&o.Volumes[i])
	}
	o.Memory, o.Load, o.Kills = memory(ctx), cpuLoad(ctx), p.kills.look(p.now())
	o.Groups = p.processes(ctx)
	o.Unseen = append(unseen, o.blind()...)
	if err := ctx.Err(); err != nil {
		return nil, &probes.Error{Source: probes.Host, Op: "look at this machine", Cause: "not done in time", Next: "The machine is very busy, or a disk does not answer.", Err: err}
	}
	return o, nil
}

// blind says what the cockpit cannot know from where it runs.
func (o Overview) blind() []string {
	var says []string
	if o.Machine.Container {
		says = append(says, "The cockpit runs in a container: it sees the folders that are mounted into it and its own processes, not those of other containers.")
	}
	if len(o.Groups) == 0 {
		says = append(says, "No process of the application (gunicorn, celery, postgres, redis, nginx) is visible here: it runs on another machine or in a container.")
	}
	return says
}

// folders are the folders to look at, and what is not known of the others.
func (h *Host) folders(ctx context.Context) (folders []Folder, unseen []string) {
	for _, f := range []Folder{{Role: Media, Path: h.cfg.Media}, {Role: Logs, Path: h.cfg.Logs}, {Role: Temporary, Path: h.cfg.Temporary}} {
		if f.Role == Temporary && f.Path == "" {
			f.Path = os.TempDir()
		}
		if f.Path == "" {
			unseen = append(unseen, notSet[f.Role])
			continue
		}
		folders = append(folders, f)
	}
	path, why := h.data.find(ctx)
	if path != "" {
		folders = append(folders, Folder{Role: Database, Path: path})
	} else {
		unseen = append(unseen, why)
	}
	for i, f := range folders {
		if abs, err := filepath.Abs(f.Path); err == nil {
			folders[i].Path = abs
		}
	}
	return folders, unseen
}

var notSet = map[Role]string{
	Media: "The media folder is not looked at: set MEDIA_ROOT to where it is mounted here.",
	Logs:  "The log folder is not looked at: set GRADING_LOG_DIR to where it is mounted here.",
}
