package tui

import (
	"context"
	"sync"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/probes"
	"gradecockpit/tui/pane"
)

// seeking is a filter that a source answers: it looks in the background and
// hands over what it has as it goes. The next key that changes the filter ends
// it and starts another.
type seeking struct {
	id     pane.ID
	query  string
	ctx    context.Context // ends with the search
	cancel context.CancelFunc
	part   part

	data any
	err  error
	done bool
}

// part holds the newest of what was found; what it replaces is contained in it.
type part struct {
	mu   sync.Mutex
	data any
	bell chan struct{} // holds one
}

func (p *part) put(data any) {
	p.mu.Lock()
	p.data = data
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func (p *part) take() any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.data
}

type seekMsg struct {
	seek *seeking
	done bool
	data any
	err  error
}

func (s *seeking) problem() string {
	if s.err == nil {
		return ""
	}
	return probes.Brief(s.err)
}

// filter filters a table as the user types, or has its source look.
func (a *App) filter(t *pane.Table, text string) tea.Cmd {
	t.SetFilter(text)
	id := t.Spec().ID()
	look := a.cfg.Seek[id]
	if _, ok := t.Spec().(pane.Seeker); !ok || look == nil {
		return nil
	}
	old := a.seeks[id]
	if old != nil && old.query == text {
		return nil
	}
	if old != nil {
		old.cancel()
		delete(a.seeks, id)
	}
	if text == "" {
		a.feed(t)
		return nil
	}
	s := &seeking{id: id, query: text, part: part{bell: make(chan struct{}, 1)}}
	if old != nil {
		s.data = old.data // stays until there is something better
	}
	s.ctx, s.cancel = context.WithCancel(a.ctx)
	a.seeks[id] = s
	a.feed(t)
	search := a.guard("search "+string(id), 0, func(context.Context) tea.Msg {
		defer s.cancel()
		data, err := look(s.ctx, text, s.part.put)
		return seekMsg{s, true, data, err}
	}, func(err error) tea.Msg { return seekMsg{seek: s, done: true, err: err} })
	return tea.Batch(search, a.listenTo(s))
}

// listenTo waits for the next part of what is found.
func (a *App) listenTo(s *seeking) tea.Cmd {
	return a.guard("follow a search", 0, func(context.Context) tea.Msg {
		select {
		case <-s.part.bell:
			return seekMsg{seek: s, data: s.part.take()}
		case <-s.ctx.Done():
			return nil
		}
	}, tell)
}

// found takes over what a search handed over, unless another has begun.
func (a *App) found(m seekMsg) tea.Cmd {
	s := m.seek
	if a.seeks[s.id] != s || s.done {
		return nil
	}
	s.done, s.err = m.done, m.err
	if m.data != nil {
		s.data = m.data
	}
	for _, t := range a.tables {
		if t.Spec().ID() == s.id {
			a.feed(t)
		}
	}
	if s.done {
		return nil
	}
	return a.listenTo(s)
}

// stopSeeking ends the search behind a table's filter; false when there is none.
func (a *App) stopSeeking(t *pane.Table) bool {
	if a.seeks[t.Spec().ID()] == nil {
		return false
	}
	a.filter(t, "")
	return true
}
