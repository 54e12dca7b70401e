package child

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// inherited are the variables that such programs need to find their server.
// The rest of our environment, which may hold passwords, is not theirs.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
	"DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "KRB5CCNAME", "KUBECONFIG",
	"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME",
}

func environment() []string {
	var env []string
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// guard is a process that kills a process group when we are gone, however we
// went: its input ends with us. The kernel's own signal (see attributes) comes
// to the group's leader only, and `docker compose` is two processes.
type guard struct {
	cmd  *exec.Cmd
	hold io.Closer
}

// guardOf guards a process group. Where there is no sh there is no guard.
func guardOf(group int) *guard {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; kill -s KILL -- "-$1"`, "guard", strconv.Itoa(group))
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil
	}
	if cmd.Start() != nil {
		_ = hold.Close()
		return nil
	}
	return &guard{cmd, hold}
}

// dismiss ends the guard before it would do something.
func (g *guard) dismiss() {
	if g == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.hold.Close()
}
