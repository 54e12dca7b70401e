// Command gradecockpit is a terminal cockpit for incidents of an online grading
// system: it watches, diagnoses, acts safely and proves it.
package main

import (
	"os"

	"gradecockpit/cmd/gradecockpit/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.Standard())) }
