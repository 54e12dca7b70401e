package host

import (
	"errors"
	"fmt"
	"io/fs"

	"gradecockpit/probes/clean"
)

// judge says what is wrong with a folder itself; what is in it is for Files.
func (h *Host) judge(f *Folder, seen facts) {
	defer func() { f.Path, f.Real = clean.Capped(f.Path, maxPath), clean.Capped(seen.real, maxPath) }()
	if !f.Hangs.IsZero() {
		return
	}
	if seen.err != nil && seen.info == nil {
		f.Problems = append(f.Problems, unreachable(f.Role, seen.err))
		return
	}
	f.Owner, f.Mode = seen.owner, seen.info.Mode().String()
	if !seen.info.IsDir() {
		f.Problems = append(f.Problems, Problem{Says: "a file, not a folder", Next: "Move it away and make the folder for the application's user.", Severe: true})
		return
	}
	if seen.err != nil {
		f.Problems = append(f.Problems, Problem{Says: "how full it is cannot be read: " + clean.Capped(seen.err.Error(), maxPath)})
	}
	f.Problems = append(f.Problems, badMode(f.Role, seen.info.Mode(), seen)...)
}

// unreachable is a folder of which nothing can be seen.
func unreachable(role Role, err error) Problem {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Says: "missing", Next: "Is it mounted here? If it should be: make it for the application's user.", Severe: role != Database}
	case errors.Is(err, fs.ErrPermission):
		return Problem{Says: "the cockpit may not look at it: permission denied"}
	}
	return Problem{Says: "cannot be looked at: " + clean.Capped(err.Error(), maxPath), Severe: true}
}

// badMode judges the permissions. A folder for temporary files is everybody's,
// with the sticky bit; PostgreSQL does not start unless its folder is 0700 or
// 0750. Root may write whatever the mode says.
func badMode(role Role, mode fs.FileMode, seen facts) (out []Problem) {
	perm := mode.Perm()
	octal := fmt.Sprintf("mode %04o", perm)
	if perm&0o200 == 0 && seen.uid != 0 {
		out = append(out, Problem{Says: fmt.Sprintf("not writable for its owner %s (%s)", seen.owner, octal), Next: "chmod u+w", Severe: true})
	}
	switch open := perm&0o002 != 0; {
	case role == Temporary && open && mode&fs.ModeSticky == 0:
		out = append(out, Problem{Says: "anyone may delete others' files: no sticky bit (" + octal + ")", Next: "chmod +t"})
	case role == Database && perm&0o027 != 0:
		out = append(out, Problem{Says: "PostgreSQL does not start with " + octal, Next: "chmod 0700", Severe: true})
	case role != Temporary && open:
		out = append(out, Problem{Says: "anyone may write in it (" + octal + ")", Next: "chmod o-w"})
	}
	return out
}
