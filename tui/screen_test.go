package tui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/storage"
	"gradecockpit/tui/internal/sample"
)

func TestPlacesTileTheScreen(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 6, 7, 8, 11} {
		for w := leastWidth; w <= 220; w += 7 {
			for h := leastHeight; h <= 70; h += 3 {
				checkTiles(t, lay(w, h, n, 0, false, false), w, h)
			}
		}
	}
}

func checkTiles(t *testing.T, l layout, w, h int) {
	t.Helper()
	cells := 0
	for _, p := range l.places {
		if p.x < 0 || p.y < l.header || p.x+p.w > w || p.y+p.h > h-1 || p.h < 3 {
			t.Fatalf("%dx%d: a pane at %+v is off the screen", w, h, p)
		}
		cells += p.w * p.h
	}
	if want := w * (h - 1 - l.header); cells != want {
		t.Fatalf("%dx%d: panes cover %d of %d cells", w, h, cells, want)
	}
}

func TestFilterFollowsTyping(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("/", "'lefe'")
		s.sees("A3F2-0012", "/lefe")
		s.misses("A3F2-0010")
		s.press("esc")
		s.sees("A3F2-0010")
		s.press("/", "'!mdupont'", "enter")
		s.misses("A3F2-0010")
		s.press("esc")
		s.sees("A3F2-0010")
	})
}

func TestCommandLine(t *testing.T) {
	play(t, 120, 36, nil, func(t *testing.T, s *stage) {
		s.press(":", "'timel'", "enter")
		if s.app.focus != 4 {
			t.Errorf("focus is on pane %d", s.app.focus+1)
		}
		s.press(":", "'pause'", "enter")
		s.sees("PAUSED")
		s.press(":", "'resume'", "enter")
		s.sees("● live")
		s.press(":", "'nonsense'", "enter")
		s.sees("No command is called nonsense.")
		s.press(":", "'a3f2-0012'", "enter")
		s.sees("Copy A3F2-0007") // the fake knows one copy only
		s.press("esc", ":", "'copy'", "enter")
		s.sees("Which copy?")
		s.press(":", "'clear'", "enter")
		s.sees("low risk")
		s.press("esc", ":", "'quit'", "enter")
		if !s.left {
			t.Error(":quit did not leave")
		}
	})
}

func TestCopyPageKeepsItsLastGoodData(t *testing.T) {
	broken := false
	play(t, 120, 80, func(s *stage, c *Config) {
		read := c.Dossier
		c.Dossier = func(ctx context.Context, id string) (CopyPage, error) {
			if broken {
				return CopyPage{}, &probes.Error{Source: probes.Postgres, Op: "read copy", Cause: "too many clients already"}
			}
			return read(ctx, id)
		}
	}, func(t *testing.T, s *stage) {
		s.press("down", "enter")
		s.sees("LOCKED, since 2026-02-01 13:28:48 UTC, 1h02m ago (locked_at)", "token 1f0c9a2e…", "gap: IMPORT → LOCK: no VALIDATE",
			"14 (annotations 12 + questions 2)", "cannot open broken document", "traceback, its first 2 lines left out", "metrics: connection refused.",
			"Two FINALIZE events", "This database has no column for the final score.", "the lock of mdupont expired")
		broken = true
		s.pass(3 * time.Second)
		s.news(sample.Live(8, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged()))
		s.sees("This copy cannot be read: too many clients already.", "14 (annotations 12 + questions 2)", "s old")
		broken = false
		s.pass(3 * time.Second)
		s.news(sample.Live(9, sample.Grading(), sample.Broker(), sample.Traffic(), sample.Logged()))
		s.misses("cannot be read")
		s.press("R")
		s.sees("Retry A3F2-0007", "low risk")
	})
}

func TestCopyPageSaysWhatItIsDoing(t *testing.T) {
	gate := make(chan struct{})
	play(t, 80, 24, func(_ *stage, c *Config) {
		gate = make(chan struct{})
		c.Dossier = func(context.Context, string) (CopyPage, error) {
			<-gate
			return CopyPage{}, errors.New("there is no such copy")
		}
	}, func(t *testing.T, s *stage) {
		s.press("enter")
		s.sees("Reading everything about A3F2-0010")
		s.press("U")
		s.sees("This copy has not been read yet.")
		close(gate)
		s.pump()
		s.sees("This copy cannot be read: there is no such copy.")
	})
}

func TestHostileCopyPage(t *testing.T) {
	hostile := sample.Hostile
	lines := []logs.Line{{At: sample.Now, Level: hostile, Message: hostile, Trace: []string{hostile, hostile, hostile, hostile}, RequestID: hostile}}
	tasks := []celery.Running{{ID: hostile, Task: hostile, Worker: hostile, State: hostile}}
	d := grading.Dossier{Copy: grading.CopyRef{ID: hostile, Anon: hostile}, Status: hostile, Exam: hostile, Error: hostile, Notes: []string{hostile}, Missing: []string{hostile},
		Lock: &grading.Lock{Owner: grading.User{Name: hostile}, TokenPrefix: hostile}, Events: []grading.Event{{Action: hostile, Gap: hostile}, {Action: hostile, Detail: hostile}}}
	for _, z := range []size{{40, 8}, {60, 15}, {80, 24}, {120, 80}} {
		play(t, z.w, z.h, func(_ *stage, c *Config) {
			c.Dossier = func(context.Context, string) (CopyPage, error) {
				return CopyPage{Dossier: d, Lines: lines, Tasks: tasks, Problems: []string{hostile}}, nil
			}
		}, func(t *testing.T, s *stage) {
			s.press("enter", "pgdown", "pgdown", "G", "y", "U", "esc", "?")
		})
	}
}

func TestAgesMoveWithoutNews(t *testing.T) {
	play(t, 120, 36, func(_ *stage, c *Config) { c.Hub = newHub(sample.Failing(sample.Broker(), sample.Refused(triedAgain))) }, func(t *testing.T, s *stage) {
		s.sees("postgres ✗ 42s")
		s.pass(3 * time.Second)
		s.sees("postgres ✗ 45s")
	})
}

func TestOffScreenPanesAreToldToTheHub(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		if want := []probes.ID{grading.ID}; !cmp.Equal(want, s.hub.visible) {
			t.Error(cmp.Diff(want, s.hub.visible))
		}
		s.send(tea.WindowSizeMsg{Width: 120, Height: 36})
		for _, p := range s.app.layout.places {
			for _, id := range s.app.tables[p.pane].Spec().Needs() {
				if !slices.Contains(s.hub.visible, id) {
					t.Errorf("%s is on the screen and its probe %s is not among %v", s.app.tables[p.pane].Spec().ID(), id, s.hub.visible)
				}
			}
		}
		if slices.Contains(s.hub.visible, storage.ID) {
			t.Error("the database is off screen and its probe does not slow down")
		}
	})
}

func TestPanicInACmdIsOneLineAndStackGoesToTheLog(t *testing.T) {
	play(t, 80, 24, func(_ *stage, c *Config) {
		c.Dossier = func(context.Context, string) (CopyPage, error) { panic("the sky fell") }
	}, func(t *testing.T, s *stage) {
		s.press("enter")
		s.sees("the sky fell", "the log file has the details")
		if len(s.logs) != 1 || !strings.Contains(s.logs[0], "copypage.go") {
			t.Errorf("the log has %q", s.logs)
		}
		s.press("esc", "2")
		s.sees("[2 Stuck")
	})
}

func TestYankSaysWhat(t *testing.T) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("y")
		s.sees("Copied (if the terminal allows it): id-A3F2-0010")
		if s.clip != "id-A3F2-0010" {
			t.Errorf("the clipboard got %q", s.clip)
		}
	})
}

// Panes that have no place on the dashboard are named there, are reached like
// the others, and esc comes back.
func TestPanesBesideTheDashboard(t *testing.T) {
	play(t, 120, 36, nil, func(t *testing.T, s *stage) {
		s.sees("6 Workers ⚠ 1 frozen", "7 Tasks ⚠ 1 lost")
		for _, way := range [][]string{{"6"}, {":", "'workers'", "enter"}, {"5", "tab"}} {
			for _, back := range []string{"esc", "f"} {
				s.press("2")
				s.press(way...)
				s.sees("[6 Workers", "TAKES")
				s.press(back)
				s.misses("[6 Workers")
				s.sees("2 Stuck copies", "6 Workers ⚠ 1 frozen")
			}
		}
		s.press("3", "7", "6", "esc")
		if s.app.focus != 2 {
			t.Errorf("back on pane %d, want 3", s.app.focus+1)
		}
		s.press("7", "/", "'lost'", "enter", "esc")
		s.sees("[7 Tasks") // the first esc clears the filter
		s.press("esc")
		s.misses("[7 Tasks")
	})
	play(t, 200, 50, nil, func(t *testing.T, s *stage) {
		s.press("6")
		s.sees("1 Locks", "7 Tasks")
	})
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		s.press("6", "esc")
		s.sees("[6 Workers")
	})
}

// A retry from a task's row is about its copy, and says so.
func TestRetryFromATask(t *testing.T) {
	play(t, 120, 36, nil, func(t *testing.T, s *stage) {
		s.press("7", "/", "'past its'", "enter", "R")
		want := actions.Target{Kind: actions.OnCopy, ID: sample.UUIDB, Label: "B771-0003"}
		if diff := cmp.Diff([]actions.Target{want}, s.bench.retry.targets); diff != "" {
			t.Error(diff)
		}
		s.press("esc", "enter")
		s.sees("Copy A3F2-0007") // the fake knows one copy only
	})
}

func TestCopyPageTellsWhatBecameOfTasks(t *testing.T) {
	play(t, 120, 80, withResults, func(t *testing.T, s *stage) {
		s.press("enter")
		s.sees("✗ failed, said success: cannot open broken document", "✗ failed: FileDataError: cannot open broken document",
			"finalize_copy · on w1@app1 · 20m ago · task t4", "traceback, its first 1 lines left out:", "✗ lost: STARTED on w3@app3")
	})
}
