package host

import (
	"os/user"
	"strconv"
	"sync"

	"gradecockpit/probes/clean"
)

// names remembers what does not change: the names of users, and where the
// links in a folder's path led when it could last be looked at.
type names struct {
	mu    sync.Mutex
	users map[uint32]string
	reals map[string]string
}

// of gives the name of a user; a number that has none stays a number, as in a
// container whose users this machine does not know.
func (n *names) of(uid uint32) string {
	n.mu.Lock()
	name := n.users[uid]
	n.mu.Unlock()
	if name != "" {
		return name
	}
	id := strconv.FormatUint(uint64(uid), 10)
	name = "user " + id
	if u, err := user.LookupId(id); err == nil { // may ask a directory: never under the lock
		name = clean.Capped(u.Username, 32)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.users == nil {
		n.users = map[uint32]string{}
	}
	n.users[uid] = name
	return name
}

func (n *names) real(path string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reals[path]
}

func (n *names) keep(path, real string) {
	if real == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reals == nil {
		n.reals = map[string]string{}
	}
	n.reals[path] = real
}
