package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == wire.ExaminePDF { // the process that a PDF is checked in
		os.Exit(Main(os.Args[1:], Standard()))
	}
	labtest.Main(m)
}

// result of one command line.
type ran struct {
	code     int
	out, err string
}

// run gives a command line no terminal and only the environment of the test.
func run(t *testing.T, env map[string]string, args ...string) ran {
	t.Helper()
	home := t.TempDir()
	var out, errs bytes.Buffer
	code := Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) (string, bool) {
		if v, ok := env[name]; ok {
			return v, ok
		}
		return home, name == "HOME"
	}})
	return ran{code, out.String(), errs.String()}
}

// glance hands over one look, as the commands that print take it.
func glance(t *testing.T, env map[string]string, do func(context.Context, look) error) {
	t.Helper()
	o := &options{streams: Streams{Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}}
	o.register(pflag.NewFlagSet("", pflag.ContinueOnError))
	cfg, err := o.load()
	if err == nil {
		err = o.glance(labtest.Context(t), cfg, do)
	}
	if err != nil {
		t.Error(err)
	}
}
