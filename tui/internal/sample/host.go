package sample

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/probes/pdf"
)

// hostParts are the two looks at the machine.
func hostParts() []Part {
	return []Part{
		{host.ID, probes.Host, 9 * time.Millisecond, Machine(), host.Overview{Machine: host.Machine{Name: "app1"}}, hostileMachine(), ""},
		{host.FilesID, probes.Host, 40 * time.Millisecond, Inside(), host.Contents{}, hostileInside(), ""},
	}
}

// Machine is one with a disk that fills up, one that hangs and one that became
// read-only, little memory, and a part of the application that is gone.
func Machine() host.Overview {
	const gb = 1 << 30
	return host.Overview{
		Machine: host.Machine{Name: "app1", Booted: Now.Add(-51 * time.Hour)},
		Limits:  host.Limits{Warning: 80, Critical: 90},
		Volumes: []host.Volume{
			{Mount: "/mnt/archive", Device: "nas1:/archive", Type: "nfs4", Roles: []host.Role{host.Database}, Hangs: Now.Add(-4 * time.Minute)},
			{Mount: "/srv/media", Device: "/dev/sdb1", Type: "ext4", Roles: []host.Role{host.Media}, Size: 100 * gb, Used: 93 * gb, Free: 7 * gb,
				Inodes: 1000, InodesUsed: 850, Growth: gb / 1200, GrowthOver: 5 * time.Minute},
			{Mount: "/", Device: "/dev/sda1", Type: "xfs", Roles: []host.Role{host.Logs, host.Temporary}, Size: 40 * gb, Used: 12 * gb, Free: 28 * gb, Inodes: 1000, InodesUsed: 40, GrowthOver: 5 * time.Minute},
			{Mount: "/var/lib/scratch", Device: "/dev/sdc1", Type: "btrfs", ReadOnly: true, Roles: []host.Role{host.Temporary}, Size: gb, Used: gb / 10, Free: gb - gb/10},
		},
		Folders: []host.Folder{
			{Role: host.Media, Path: "/srv/media", Real: "/srv/media", Mount: "/srv/media", Owner: "app", Mode: "drwxrwxrwx", Problems: []host.Problem{{Says: "anyone may write in it (mode 0777)", Next: "chmod o-w"}}},
			{Role: host.Logs, Path: "/srv/grading/logs", Real: "/srv/grading/logs", Mount: "/", Owner: "app", Mode: "drwxr-xr-x"},
			{Role: host.Temporary, Path: "/tmp", Real: "/tmp", Mount: "/", Owner: "root", Mode: "dtrwxrwxrwx"},
		},
		Memory: host.Memory{Known: true, Total: 16 * gb, Available: 2 * gb, SwapTotal: 2 * gb, Swap: gb / 2, Pressure: &host.Pressure{Some: 0.12, Full: 0.04}, IO: &host.Pressure{Some: 0.004}},
		Load:   host.Load{Known: true, One: 3.2, Five: 2.6, Fifteen: 1.1, CPUs: 2},
		Kills:  host.Kills{Known: true, Boot: 3, Seen: 1, Last: Now.Add(-2 * time.Minute)},
		Groups: []host.Group{
			{Name: "gunicorn", Count: 9, RSS: 812 << 20, Since: Now.Add(-51 * time.Hour)},
			{Name: "celery", Count: 3, RSS: 2 * gb, Since: Now.Add(-2 * time.Minute), Restarts: 1, Cgroups: []host.Cgroup{{Name: "docker-3f2a.scope", Limit: 2 * gb, Used: 1900 << 20, Kills: 1}}},
			{Name: "nginx", Gone: Now.Add(-30 * time.Second), Since: Now.Add(-51 * time.Hour)},
		},
		Unseen: []string{"PostgreSQL's disk is not seen: the server runs on another machine or in a container. Look there, or set GRADECOCKPIT_DATA_DIR to where its folder is mounted here."},
	}
}

// Inside has a log that grew, and files of another user.
func Inside() host.Contents {
	return host.Contents{Folders: []host.Content{
		{Role: host.Media, Path: "/srv/media", At: Now.Add(-2 * time.Minute), Bytes: 92 << 30, Files: 50000, Partial: true, Largest: []host.Entry{{Name: "copies", Bytes: 90 << 30, Owner: "app", Folder: true, Partial: true}}},
		{Role: host.Logs, Path: "/srv/grading/logs", At: Now.Add(-10 * time.Second), Bytes: 3 << 30, Files: 12, Largest: []host.Entry{{Name: "celery.log", Bytes: 2900 << 20, Owner: "root"}, {Name: "django.log.1", Bytes: 10 << 20, Owner: "app"}},
			Problems: []host.Problem{{Says: "celery.log belongs to root, the folder to app", Next: "The application's user may be unable to write it: chown it to it."}}},
		{Role: host.Temporary, Path: "/tmp", Err: "the cockpit may not read it: permission denied"},
	}}
}

func hostileMachine() host.Overview {
	return host.Overview{
		Machine: host.Machine{Name: Hostile},
		Volumes: []host.Volume{{Mount: Hostile, Device: Hostile, Type: Hostile, Roles: []host.Role{host.Role(Hostile)}, Size: 1 << 63, Used: 1 << 62, Free: 1, Growth: 1e300, GrowthOver: time.Hour}},
		Folders: []host.Folder{{Role: host.Media, Path: Hostile, Problems: []host.Problem{{Says: Hostile, Next: Hostile, Severe: true}}}},
		Memory:  host.Memory{Known: true, Total: 1, Available: 1 << 63},
		Groups:  []host.Group{{Name: Hostile, Count: -1, Cgroups: []host.Cgroup{{Name: Hostile, Kills: 1 << 63}}}},
		Unseen:  []string{Hostile},
	}
}

func hostileInside() host.Contents {
	return host.Contents{Folders: []host.Content{{Role: host.Media, Path: Hostile, Largest: []host.Entry{{Name: Hostile, Owner: Hostile}}, Problems: []host.Problem{{Says: Hostile}}}}}
}

// CutOff is the check of a PDF whose end is missing.
func CutOff() pdf.Check {
	return pdf.Check{
		Path: "/srv/media/copies/source/copy_" + UUIDA + ".pdf", Bytes: 1_310_720, Modified: Now.Add(-14 * time.Minute), Owner: "app", Mode: "0644",
		Verdict: pdf.Damaged, Reason: "cut off: the mark of its end (%%EOF) is missing; its table of contents (xref) is broken: it opens only in programs that repair it",
		Next: "Upload the original again.", Version: "1.4", Pages: 12, Sizes: []pdf.Size{{Width: 595, Height: 842, Pages: 11, Name: "A4"}, {Width: 842, Height: 595, Pages: 1, Name: "A4 landscape"}},
		Pictures: 12, Looked: 12, Notes: []string{"repaired: xreftable"},
	}
}

// Unfit is a check of which every word is hostile.
func Unfit() pdf.Check {
	return pdf.Check{Path: Hostile, Bytes: -1, Pages: -1, Verdict: pdf.Verdict(Hostile), Reason: Hostile, Next: Hostile, Notes: []string{Hostile}}
}
