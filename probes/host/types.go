// Package host looks at the machine that the cockpit runs on: the volumes and
// folders that matter to the grading system, memory, load, OOM kills and the
// processes of the application.
//
// It sees this machine only, and what a container lets it see: a folder that is
// not mounted here, or a process of another namespace, is not here. The payload
// says so, because a full disk elsewhere must not be taken for none.
//
// Nothing is written and no link is followed out of a folder. A call to a
// network mount whose server is gone never comes back; such a call is left
// alone, one for each mount, and what it was about hangs ([watch]).
package host

import (
	"time"

	"gradecockpit/probes"
)

// ID and FilesID name the probes; FilesID is the slower look at what is inside
// the folders.
const (
	ID      probes.ID = "host"
	FilesID probes.ID = "host-files"
)

// Role is what a folder is for.
type Role string

// The folders that matter.
const (
	Media     Role = "media"
	Temporary Role = "temporary"
	Logs      Role = "logs"
	Database  Role = "database"
)

// Overview is the payload of ID.
type Overview struct {
	Machine Machine
	Volumes []Volume // the fullest first
	Folders []Folder
	Memory  Memory
	Load    Load
	Kills   Kills
	Groups  []Group
	Limits  Limits
	// Unseen says in a sentence each what this machine cannot tell.
	Unseen []string
}

// Machine is where all this was seen.
type Machine struct {
	Name      string
	Container bool      // the cockpit runs in a container
	Booted    time.Time // zero: not known
}

// Limits are percentages of a volume in use from which on it is said loudly.
type Limits struct{ Warning, Critical int }

// Volume is a mounted file system that holds one of the folders or more.
type Volume struct {
	Mount    string // where it is mounted
	Device   string
	Type     string // "ext4", "nfs4"
	ReadOnly bool
	Roles    []Role // of the folders on it

	Size, Used, Free   uint64 // bytes; Free is what an ordinary user can still take
	Inodes, InodesUsed uint64 // Inodes 0: the file system does not count them
	Hangs              time.Time
	History            []Point
	Growth             float64       // bytes a second; see GrowthOver
	GrowthOver         time.Duration // what Growth was measured over; 0: not yet
}

// Point is how much of a volume was in use at a time.
type Point struct {
	At   time.Time
	Used uint64
}

// Share is the part in use, 0…1, as df counts it: of what ordinary users can
// have. ok is false when it is not known.
func (v Volume) Share() (share float64, ok bool) {
	if v.Used+v.Free == 0 {
		return 0, false
	}
	return float64(v.Used) / float64(v.Used+v.Free), true
}

// InodeShare is the part of the inodes in use, 0…1. ok is false when the file
// system does not count them.
func (v Volume) InodeShare() (share float64, ok bool) {
	if v.Inodes == 0 {
		return 0, false
	}
	return float64(v.InodesUsed) / float64(v.Inodes), true
}

// FullIn guesses when the volume is full if it goes on as in GrowthOver. ok is
// false when it does not grow, or nobody knows.
func (v Volume) FullIn() (d time.Duration, ok bool) {
	if v.GrowthOver == 0 || v.Growth <= 0 {
		return 0, false
	}
	seconds := float64(v.Free) / v.Growth
	if seconds > (10 * 365 * 24 * time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// Folder is one of the folders that matter.
type Folder struct {
	Role     Role
	Path     string // as it was configured
	Real     string // where its links lead; "" not known
	Mount    string // of its volume; "" not known
	Owner    string
	Mode     string    // "drwxr-xr-x"
	Hangs    time.Time // since when a look at it has not come back
	Problems []Problem
}

// Problem is what is wrong with a folder or in it.
type Problem struct {
	Says   string // "missing"
	Next   string // what to do; may be empty
	Severe bool   // the application cannot work like this
}

// Memory is of the whole machine, in bytes.
type Memory struct {
	Known            bool
	Total, Available uint64
	SwapTotal, Swap  uint64    // Swap is what is in use
	Pressure         *Pressure // nil: this kernel does not tell
	IO               *Pressure // waiting for disks, likewise
}

// Pressure is the share of time, 0…1, in which tasks waited for a resource over
// the last minute: some of them, or all (full).
type Pressure struct{ Some, Full float64 }

// Load is the run queue over 1, 5 and 15 minutes against the CPUs.
type Load struct {
	Known              bool
	One, Five, Fifteen float64
	CPUs               int
}

// Kills are processes that the kernel killed for want of memory.
type Kills struct {
	Known bool
	Boot  uint64    // since the machine started
	Seen  uint64    // of those, since the cockpit looks
	Last  time.Time // when the last of Seen was noticed; zero: none
}

// Group is the processes of one part of the application.
type Group struct {
	Name     string // "gunicorn"
	Count    int
	RSS      uint64    // bytes, memory that several share counted in each
	Since    time.Time // start of the oldest
	Restarts int       // how often the oldest was replaced while the cockpit looked
	// Restarted is when the last of those were noticed, the newest last.
	Restarted []time.Time
	Gone      time.Time // there is none any more, since
	Cgroups   []Cgroup  // where they run under limits of their own
}

// Cgroup is a limit on memory, in bytes, and what came of it.
type Cgroup struct {
	Name  string
	Limit uint64 // 0: none
	Used  uint64
	Kills uint64 // by the kernel, for want of memory, in this group
}

// Contents is the payload of FilesID.
type Contents struct {
	Folders []Content
}

// Content is what is inside a folder, as far as it was looked at.
type Content struct {
	Role     Role
	Path     string
	At       time.Time // when it was looked at: one that takes long, not each time
	Bytes    uint64    // on the disk, as du counts
	Files    int
	Partial  bool    // there is more than was looked at: Bytes is a lower bound
	Largest  []Entry // what is directly in the folder, the largest first
	Problems []Problem
	Hangs    time.Time
	Err      string // why nothing could be read
}

// Entry is something directly in a folder, with all that is below it.
type Entry struct {
	Name    string
	Bytes   uint64
	Owner   string
	Folder  bool
	Partial bool
}
