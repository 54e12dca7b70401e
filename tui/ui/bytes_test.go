package ui_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"gradecockpit/probes/lab/labtest"
	"gradecockpit/tui/ui"
)

// TestBytesAreWrittenAsDfWritesThem against coreutils' own.
func TestBytesAreWrittenAsDfWritesThem(t *testing.T) {
	labtest.Need(t, "numfmt")
	sizes := []uint64{0, 1, 999, 1000, 1023, 1024, 1025, 1535, 4096, 10137, 10138, 10239, 10240, 10241, 99 << 10, 1023 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1,
		93 << 20, 1<<30 - 1, 1288490189, 5 << 30, 999 << 30, 1<<40 - 1, 3 << 40, 1 << 50, 1<<60 - 1, 1 << 60}
	args := []string{"--to=iec", "--round=up", "--"}
	for _, n := range sizes {
		args = append(args, fmt.Sprint(n))
	}
	out, err := exec.Command("numfmt", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range strings.Fields(string(out)) {
		if got := ui.Bytes(sizes[i]); got != want {
			t.Errorf("%d: %s, want %s", sizes[i], got, want)
		}
	}
}
