package wire

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/panes"
)

// mostBooks bounds how many own playbooks are read.
const mostBooks = 50

// library is what is known of playbooks. Nothing is read before it is asked for.
type library struct {
	own   func() ownBooks
	books func() []*playbook.Playbook
}

// ownBooks are the playbooks of the folder, and what is wrong with the others.
type ownBooks struct {
	books    []*playbook.Playbook
	rules    []diagnosis.Rule
	problems []playbook.Problem
}

func (c *Cockpit) library() library {
	own := sync.OnceValue(c.readOwn)
	return library{own, sync.OnceValue(func() []*playbook.Playbook { return merged(playbook.Books(), own().books) })}
}

// merged puts own playbooks behind the built-in ones; one of the same name
// takes the built-in one's place.
func merged(builtIn, own []*playbook.Playbook) []*playbook.Playbook {
	for _, b := range own {
		if i := slices.IndexFunc(builtIn, func(p *playbook.Playbook) bool { return p.Name == b.Name }); i >= 0 {
			builtIn[i] = b
			continue
		}
		builtIn = append(builtIn, b)
	}
	return builtIn
}

// Books are the built-in playbooks and those of the operator's folder.
func (c *Cockpit) Books() []*playbook.Playbook { return c.shelf.books() }

// BookProblems are the mistakes of own playbooks, which are left out.
func (c *Cockpit) BookProblems() []playbook.Problem { return c.shelf.own().problems }

// Judge says what is wrong, by the rules of the program and those of own
// playbooks.
func (c *Cockpit) Judge(set probes.Set, now time.Time) diagnosis.Report {
	return diagnosis.Judge(diagnosis.Input{Set: set, Now: now}, c.shelf.own().rules...)
}

// Catalogue names what a playbook may refer to.
func (c *Cockpit) Catalogue() playbook.Catalogue {
	cat := playbook.Catalogue{Pages: []string{copyWord}}
	for _, p := range panes.All() {
		cat.Panes = append(cat.Panes, string(p.ID()))
	}
	for _, p := range pages.All() {
		if p.Word != "" {
			cat.Pages = append(cat.Pages, p.Word)
		}
	}
	for _, a := range c.Runner.Actions() {
		cat.Actions = append(cat.Actions, a.ID())
	}
	for _, r := range diagnosis.Rules() {
		cat.Rules = append(cat.Rules, r.ID)
	}
	return cat
}

// BookFolder is where own playbooks are: by the setting, else beside the
// configuration file.
func (c *Cockpit) BookFolder() string {
	if dir := c.Config.Text(config.Playbooks); dir != "" {
		return dir
	}
	return filepath.Join(filepath.Dir(c.Config.Path), "playbooks")
}

// readOwn reads the folder. A missing one is an empty one, unless it was named.
func (c *Cockpit) readOwn() (own ownBooks) {
	dir := c.BookFolder()
	wrong := func(path, says string) {
		own.problems = append(own.problems, playbook.Problem{Origin: clean.Text(path), Says: clean.Text(says)})
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && c.Config.Text(config.Playbooks) == "" {
		return own
	}
	if err == nil {
		err = ownAlone(dir)
	}
	if err != nil {
		wrong(dir, reason(err))
		return own
	}
	files := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(e.Name())) })
	if len(files) > mostBooks {
		wrong(dir, fmt.Sprintf("%d playbooks; the first %d are read", len(files), mostBooks))
		files = files[:mostBooks]
	}
	cat := c.Catalogue()
	for _, e := range files {
		path := filepath.Join(dir, e.Name())
		b, problems := readBook(path, cat)
		own.problems = append(own.problems, problems...)
		if b == nil {
			continue
		}
		if says := own.add(b); says != "" {
			wrong(path, says)
		}
	}
	return own
}

// add takes a playbook, or says why it cannot stand beside the others.
func (o *ownBooks) add(b *playbook.Playbook) string {
	if slices.ContainsFunc(o.books, func(p *playbook.Playbook) bool { return p.Name == b.Name }) {
		return fmt.Sprintf("there is another playbook %q in the folder", b.Name)
	}
	rules := b.OwnRules()
	for _, r := range rules {
		if slices.ContainsFunc(o.rules, func(s diagnosis.Rule) bool { return s.ID == r.ID }) {
			return fmt.Sprintf("another playbook has a cause %q", r.ID)
		}
	}
	o.books, o.rules = append(o.books, b), append(o.rules, rules...)
	return ""
}

// CheckBook reads a playbook and gives every mistake in it.
func (c *Cockpit) CheckBook(path string) (*playbook.Playbook, []playbook.Problem) {
	return readBook(path, c.Catalogue())
}

func readBook(path string, cat playbook.Catalogue) (*playbook.Playbook, []playbook.Problem) {
	data, err := readAlone(path)
	if err != nil {
		return nil, []playbook.Problem{{Origin: clean.Text(path), Says: clean.Text(reason(err))}}
	}
	return playbook.Parse(data, path, cat)
}

// readAlone reads a file that only we can write: a playbook runs commands.
func readAlone(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not keep us waiting
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if err := alone(info, path); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, playbook.MaxFile+1))
}

// ownAlone refuses a folder in which others could put a playbook.
func ownAlone(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	return alone(info, dir)
}

// alone refuses what somebody besides us and root can write.
func alone(info fs.FileInfo, path string) error {
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("others can write it (mode %04o), and a playbook runs commands: chmod go-w %s", perm, path)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, and a playbook runs commands: make it your own", st.Uid)
	}
	return nil
}

// reason is an error of the file system without the path, which stands before it.
func reason(err error) string {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}
