package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

// stage runs an App without a terminal: its Cmds run for real, their messages
// are delivered one by one, the way Bubble Tea does it.
type stage struct {
	t     testing.TB
	app   *App
	hub   *fakeHub
	bench *bench
	msgs  chan tea.Msg
	left  bool // the app has quit
	clip  string
	logs  []string

	checked string // the last frame that was found good
}

// config is an App's with everything faked but the Runner.
func (s *stage) config(set probes.Set) Config {
	start := time.Now()
	s.hub = newHub(set)
	return Config{
		Hub: s.hub, Runner: s.bench.runner(), Specs: panes.All(), Keys: keys.Default(), Theme: ui.NewTheme(ui.Dark, false),
		Env:  Environment{Title: "PROD viatique@db1", Colour: "red", Actor: "mdupont (responder)"},
		Now:  func() time.Time { return sample.Now.Add(time.Since(start).Truncate(time.Millisecond)) },
		Zone: time.UTC,
		Dossier: func(_ context.Context, id string) (CopyPage, error) {
			if strings.Contains(id, "nope") {
				return CopyPage{}, fmt.Errorf("there is no copy %s", id)
			}
			d, tasks, waiting, lines := dossier()
			return CopyPage{Dossier: d, Tasks: tasks, Messages: waiting, Lines: lines, Problems: []string{"metrics: connection refused."}}, nil
		},
		Judge: sample.Judge,
		Older: func(_ context.Context, c grading.Cursor, _ int) ([]grading.Event, error) { return nil, nil },
		Log:   func(f string, args ...any) { s.logs = append(s.logs, fmt.Sprintf(f, args...)) },
	}
}

// play runs f on a stage inside a bubble of its own time.
func play(t *testing.T, w, h int, change func(*stage, *Config), f func(*testing.T, *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, bench: newBench(), msgs: make(chan tea.Msg, 10000)}
		cfg := s.config(situations()[0].Set())
		if change != nil {
			change(s, &cfg)
			cfg.Runner = s.bench.runner()
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.app = New(cfg)
		s.app.ctx = ctx
		s.do(s.app.Init())
		s.send(tea.WindowSizeMsg{Width: w, Height: h})
		f(t, s)
	})
}

// do runs a Cmd the way Bubble Tea does: beside the program.
func (s *stage) do(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() { s.msgs <- cmd() }()
}

// send delivers a message, and whatever follows from it without time passing.
func (s *stage) send(msg tea.Msg) {
	s.deliver(msg)
	s.pump()
}

func (s *stage) pump() {
	for {
		synctest.Wait()
		select {
		case m := <-s.msgs:
			s.deliver(m)
		default:
			return
		}
	}
}

func (s *stage) deliver(msg tea.Msg) {
	switch m := msg.(type) {
	case nil:
		return
	case tea.QuitMsg:
		s.left = true
	case tea.BatchMsg:
		for _, c := range m {
			s.do(c)
		}
		return
	}
	if text := fmt.Sprintf("%T", msg); text == "tea.setClipboardMsg" {
		s.clip = fmt.Sprint(msg)
		return
	}
	_, cmd := s.app.Update(msg)
	s.check()
	s.do(cmd)
}

// pass lets time go by.
func (s *stage) pass(d time.Duration) {
	for step := 100 * time.Millisecond; d > 0; d -= step {
		time.Sleep(min(step, d))
		s.pump()
	}
}

// press sends keys by name; a text in quotes is typed.
func (s *stage) press(names ...string) {
	for _, n := range names {
		if text, ok := strings.CutPrefix(n, "'"); ok {
			for _, r := range strings.TrimSuffix(text, "'") {
				s.send(key(string(r)))
			}
			continue
		}
		s.send(key(n))
	}
}

// paste sends a text as the terminal does when one is pasted.
func (s *stage) paste(text string) { s.send(tea.PasteMsg{Content: text}) }

// key makes the message of a key from its name.
func key(name string) tea.KeyPressMsg {
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "backspace": tea.KeyBackspace,
		"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp,
		"home": tea.KeyHome, "end": tea.KeyEnd, "delete": tea.KeyDelete, "f1": tea.KeyF1}
	mod := tea.KeyMod(0)
	for prefix, m := range map[string]tea.KeyMod{"ctrl+": tea.ModCtrl, "shift+": tea.ModShift, "alt+": tea.ModAlt} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			name, mod = rest, mod|m
		}
	}
	if code, ok := special[name]; ok {
		return tea.KeyPressMsg{Code: code, Mod: mod}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " ", Mod: mod}
	}
	r := []rune(name)[0]
	if mod != 0 {
		return tea.KeyPressMsg{Code: r, Mod: mod}
	}
	return tea.KeyPressMsg{Code: r, Text: name}
}

// frame gives the screen as plain text.
func (s *stage) frame() string { return ansi.Strip(s.app.View().Content) }

// check fails unless the frame has its shape: h lines of w cells, and nothing
// in it but text and colours.
func (s *stage) check() {
	s.t.Helper()
	content := s.app.View().Content
	if content == s.checked || s.app.w <= 0 || s.app.h <= 0 {
		return
	}
	s.checked = content
	lines := strings.Split(content, "\n")
	if len(lines) != s.app.h {
		s.t.Fatalf("the frame has %d lines at %dx%d:\n%s", len(lines), s.app.w, s.app.h, s.frame())
	}
	for i, l := range lines {
		plain, ok := uncoloured(l)
		if !ok || ui.Width(plain) != s.app.w {
			s.t.Fatalf("line %d is not %d cells of text at %dx%d: %q\n%s", i+1, s.app.w, s.app.w, s.app.h, l, s.frame())
		}
	}
}

// uncoloured takes the colours out of a line; false when there is anything
// else in it that a terminal would obey or that nobody could see.
func uncoloured(l string) (string, bool) {
	var b strings.Builder
	for l != "" {
		text, rest, found := strings.Cut(l, "\x1b[")
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			return "", false
		}
		b.WriteString(text)
		args, after, closed := strings.Cut(rest, "m")
		if found && (!closed || strings.Trim(args, "0123456789;") != "") {
			return "", false
		}
		l = after
	}
	return b.String(), true
}

// sees fails unless the screen shows each of the texts.
func (s *stage) sees(texts ...string) {
	s.t.Helper()
	frame := s.frame()
	for _, x := range texts {
		if !strings.Contains(squeeze(frame), squeeze(x)) {
			s.t.Fatalf("the screen does not say %q:\n%s", x, frame)
		}
	}
}

func (s *stage) misses(text string) {
	s.t.Helper()
	if frame := s.frame(); strings.Contains(squeeze(frame), squeeze(text)) {
		s.t.Fatalf("the screen says %q:\n%s", text, frame)
	}
}

// squeeze takes out frames and line ends, so that a wrapped sentence is found.
func squeeze(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \n┃│", r) }), " ")
}
