package pdf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// Takes is how long a check may take.
const Takes = 15 * time.Second

// atOnce is how many checks may be under way, counting those that hang on a
// dead mount, where not even a kill ends them.
const atOnce = 2

// Checker checks files in a process for each.
type Checker struct {
	self  []string // a command that calls Child with the two arguments after it
	takes time.Duration
	turns chan struct{}
}

// NewChecker makes a checker. self is the command of this program that calls
// [Child] with root and name.
func NewChecker(self ...string) *Checker {
	return &Checker{self: self, takes: Takes, turns: make(chan struct{}, atOnce)}
}

// Check checks one file. The error is an *probes.Error: it says why nobody
// knows; what is wrong with the file is in the Check.
func (c *Checker) Check(ctx context.Context, file File) (Check, error) {
	ctx, cancel := context.WithTimeout(ctx, c.takes)
	defer cancel()
	select {
	case c.turns <- struct{}{}:
	case <-ctx.Done():
		return Check{}, failed("earlier checks still hang", "Does the disk with the file answer?", ctx.Err())
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, c.self[0], append(c.self[1:len(c.self):len(c.self)], file.Root, file.Name)...)
	cmd.WaitDelay = killed // for what it may have started itself
	cmd.Env = []string{}   // its environment holds no secret of ours
	cmd.Stdout, cmd.Stderr = &out, &errs
	if _, err := cmd.StdinPipe(); err != nil { // it ends with us
		<-c.turns
		return Check{}, failed("cannot start", "", err)
	}
	if err := cmd.Start(); err != nil {
		<-c.turns
		return Check{}, failed("cannot start: "+clean.Capped(err.Error(), maxText), "", err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		<-c.turns
	}()
	select {
	case err := <-ended:
		return c.result(ctx, file, out.Bytes(), errs.String(), err)
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return c.result(ctx, file, out.Bytes(), errs.String(), err)
	case <-time.After(2 * killed):
		return Check{}, failed("the disk with the file does not answer", "The check is left hanging; see the volumes of the host.", ctx.Err())
	}
}

// killed is how long a killed process may take to be gone.
const killed = time.Second

func (c *Checker) result(ctx context.Context, file File, out []byte, errs string, err error) (Check, error) {
	var check Check
	if jsonErr := json.Unmarshal(out, &check); err == nil && jsonErr == nil {
		return check, nil
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(context.Cause(ctx), context.Canceled):
		return Check{}, failed("was broken off", "", ctx.Err())
	case ctx.Err() != nil:
		return Check{Path: file.Path(), Bytes: -1, Pages: -1, Verdict: NotLooked,
			Reason: "it could not be opened in " + strconv.Itoa(int(c.takes.Seconds())) + " s"}, nil
	case errors.As(err, &exit): // the library took the process down
		return Check{Path: file.Path(), Bytes: -1, Pages: -1, Verdict: NotLooked,
			Reason: "opening it ended the check: " + clean.Capped(firstLine(errs), maxText)}, nil
	}
	return Check{}, failed("gave no answer", "", err)
}

func firstLine(s string) string {
	line, _, _ := bytes.Cut([]byte(s), []byte("\n"))
	return string(line)
}

func failed(cause, next string, err error) error {
	return &probes.Error{Source: probes.Host, Op: "check the PDF", Cause: cause, Next: next, Err: err}
}
