package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/logs"
)

// logFlags are the flags of `logs`.
type logFlags struct {
	since, until, level, logger, regexp, pattern string
	count                                        string
	requests, slow, follow                       bool
	limit, last                                  int
	out                                          *string
}

func newLogs(o *options) *cobra.Command {
	f := &logFlags{}
	c := &cobra.Command{
		Use:   "logs [QUERY…]",
		Short: "Search, count or follow the application's logs",
		Long: "Search the log folder with all rotated parts, newest records at the end.\n\n" +
			"A query is made of " + logs.Language + ";\nall must hold. Times are local; the span of since: and until: may be 10m, 2h, 3d, 14:02 or 2026-02-01T14:02.",
		Example: "  gradecockpit logs level:error since:1h\n  gradecockpit logs 'finalize !INFO' --count minute\n" +
			"  gradecockpit logs --pattern lock-conflict\n  gradecockpit logs -f level:warning",
	}
	f.register(c)
	f.out = output(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(*f.out); err != nil {
			return err
		}
		if f.pattern == "list" {
			return f.listPatterns(o.streams.Out)
		}
		return f.run(c.Context(), o, strings.Join(args, " "))
	}
	return c
}

func (f *logFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.since, "since", "", "records from then on: 10m, 14:02, 2026-02-01T14:02")
	fs.StringVar(&f.until, "until", "", "records before then")
	fs.StringVar(&f.level, "level", "", "this level or a worse one")
	fs.StringVar(&f.logger, "logger", "", "this logger or one below it")
	fs.StringVar(&f.regexp, "regexp", "", "regular expression that must match")
	fs.StringVar(&f.pattern, "pattern", "", "a named search; list lists them")
	fs.StringVar(&f.count, "count", "", "count instead: level, logger, minute, hour or day")
	fs.BoolVar(&f.requests, "requests", false, "list the distinct request ids instead")
	fs.BoolVar(&f.slow, "slow", false, "list what took longest instead")
	fs.BoolVarP(&f.follow, "follow", "f", false, "go on with what is written, over rotations")
	fs.IntVarP(&f.limit, "limit", "n", 100, "at most so many records, up to 1000")
	fs.IntVar(&f.last, "last", 0, "with --requests: of the last so many records only")
}

// query puts arguments and flags together.
func (f *logFlags) query(text string, now time.Time) (logs.Query, error) {
	for key, value := range map[string]string{"since": f.since, "until": f.until, "level": f.level, "logger": f.logger, "pattern": f.pattern} {
		if value != "" {
			text += fmt.Sprintf(` %s:"%s"`, key, value)
		}
	}
	if f.regexp != "" {
		text += " /" + f.regexp + "/"
	}
	q, err := logs.ParseQuery(text, now, time.Local)
	if err != nil {
		return q, bad(err)
	}
	q.Limit = f.limit
	if f.limit < 1 || f.limit > 1000 {
		return q, bad(fmt.Errorf("--limit %d is not between 1 and 1000", f.limit))
	}
	return q, nil
}

func (f *logFlags) run(ctx context.Context, o *options, text string) error {
	q, err := f.query(text, time.Now())
	if err != nil {
		return err
	}
	do, err := f.command()
	if err != nil {
		return err
	}
	cfg, err := o.load()
	if err != nil {
		return err
	}
	cockpit, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(cockpit)
	p, err := cockpit.Logs()
	if err == nil {
		err = do(ctx, p, q, o.streams)
	}
	if err != nil && ctx.Err() == nil {
		return bad(err)
	}
	return err
}

// logCommand is one of the things that `logs` can do.
type logCommand func(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error

func (f *logFlags) command() (logCommand, error) {
	if n := btoi(f.requests) + btoi(f.slow) + btoi(f.follow) + btoi(f.count != ""); n > 1 {
		return nil, bad(errors.New("--count, --requests, --slow and --follow exclude each other"))
	}
	switch {
	case f.requests:
		return f.printRequests, nil
	case f.slow:
		return f.printSlow, nil
	case f.follow:
		return f.tail, nil
	case f.count != "":
		if !slices.Contains([]string{"level", "logger", "minute", "hour", "day"}, f.count) {
			return nil, bad(fmt.Errorf("--count %q: there are level, logger, minute, hour and day", f.count))
		}
		return f.printCounts, nil
	}
	return f.search, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (f *logFlags) json() bool { return *f.out == "json" }

func (f *logFlags) search(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error {
	res, err := p.Search(ctx, q)
	if f.json() {
		return errors.Join(printJSON(s.Out, res), err)
	}
	for _, l := range slices.Backward(res.Lines) {
		printLine(s.Out, l)
	}
	if res.Truncated && err == nil {
		fmt.Fprintf(s.Err, "gradecockpit: the newest %d records; there are older ones (--limit, --until)\n", len(res.Lines))
	}
	printSkipped(s.Err, res.Extent)
	return err
}

func printSkipped(w io.Writer, e logs.Extent) {
	for _, says := range e.Skipped {
		fmt.Fprintln(w, "gradecockpit: left out: "+says)
	}
}

// tail prints the last records, then what is written.
func (f *logFlags) tail(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error {
	enc := json.NewEncoder(s.Out)
	say := func(l logs.Line) {
		if f.json() {
			_ = enc.Encode(l)
			return
		}
		printLine(s.Out, l)
	}
	return p.Follow(ctx, q, min(q.Limit, followed), say)
}

// followed is how many records come before those that are written.
const followed = 10

const logTime = "2006-01-02 15:04:05.000"

// printLine prints a record on a line, and its traceback below.
func printLine(w io.Writer, l logs.Line) {
	at := strings.Repeat(" ", len(logTime))
	if !l.At.IsZero() {
		at = l.At.Local().Format(logTime)
	}
	ids := ""
	if l.RequestID != "" {
		ids = "  req:" + l.RequestID
	}
	if l.Path != "" && !strings.Contains(l.Message, l.Path) {
		ids += "  " + strings.TrimSpace(l.Method+" "+l.Path)
	}
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s %-8s %s  %s%s", at, l.Level, origin(l)+l.Logger, l.Message, ids), " "))
	for _, t := range l.Trace {
		fmt.Fprintln(w, "    "+t)
	}
}

func origin(l logs.Line) string {
	if l.Origin == "" {
		return ""
	}
	return l.Origin + " "
}

func (f *logFlags) printCounts(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error {
	bucket := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[f.count]
	h, err := p.Histogram(ctx, q, bucket)
	if f.json() {
		return errors.Join(printJSON(s.Out, h), err)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	switch f.count {
	case "level", "logger":
		counts := h.ByLevel
		if f.count == "logger" {
			counts = h.ByLogger
		}
		for _, c := range counts {
			name := c.Name
			if name == "" {
				name = "(none)"
			}
			fmt.Fprintf(s.Out, "%8d  %s\n", c.N, name)
		}
	default:
		printBars(w, h)
	}
	printSkipped(s.Err, h.Extent)
	return errors.Join(w.Flush(), err)
}

// printBars prints the spans in which something happened.
func printBars(w io.Writer, h logs.Histogram) {
	levels := logs.Levels()
	fmt.Fprintf(w, "FROM\tRECORDS\t%s\t\n", strings.Join(levels[:], "\t"))
	for _, b := range h.Bars {
		if b.Total() == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t", b.From.Local().Format("2006-01-02 15:04"), b.Total())
		for _, n := range b.Levels {
			fmt.Fprintf(w, "%d\t", n)
		}
		fmt.Fprintln(w)
	}
}

func (f *logFlags) printRequests(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error {
	res, err := p.Requests(ctx, q, f.last)
	if f.json() {
		return errors.Join(printJSON(s.Out, res), err)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAST\tREQUEST\tRECORDS\tWORST\tSTATUS\tPATH")
	for _, r := range res.Requests[:min(len(res.Requests), q.Limit)] {
		status := "-"
		if r.StatusCode != 0 {
			status = fmt.Sprint(r.StatusCode)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", r.Last.Local().Format(logTime), r.ID, r.Records, r.Worst, status, strings.TrimSpace(r.Method+" "+r.Path))
	}
	printSkipped(s.Err, res.Extent)
	return errors.Join(w.Flush(), err)
}

func (f *logFlags) printSlow(ctx context.Context, p *logs.Probe, q logs.Query, s Streams) error {
	res, err := p.Slow(ctx, q)
	if f.json() {
		return errors.Join(printJSON(s.Out, res), err)
	}
	for _, l := range res.Lines {
		fmt.Fprintf(s.Out, "%9s  ", l.Duration.Round(time.Millisecond))
		printLine(s.Out, l)
	}
	printSkipped(s.Err, res.Extent)
	return err
}

func (f *logFlags) listPatterns(out io.Writer) error {
	if f.json() {
		return printJSON(out, logs.Patterns())
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range logs.Patterns() {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Finds)
	}
	return w.Flush()
}
