package host

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// asOrdinaryUser runs f with the file rights of nobody when the test runs as
// root, whom no mode keeps out. On Linux these rights belong to the thread.
func asOrdinaryUser(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with us
		unix.SetfsgidRetGid(nobody)
		unix.SetfsuidRetUid(nobody)
		f()
	}()
	<-done
}
