package tui

import (
	"math/rand/v2"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/tui/keys"
)

// everyKey lists every key of the table and what one could type.
func everyKey() []string {
	var all []string
	for _, b := range keys.Default().All() {
		for _, k := range b.Keys {
			switch {
			case b.ID == keys.Quit && k == "q", k == "ctrl+c", k == "ctrl+z":
			default:
				all = append(all, k)
			}
		}
	}
	return append(all, "backspace", "delete", "x", "A", "é", "0", "漢", "ctrl+w", "ctrl+k", "ctrl+e")
}

// A storm of keys in which the keyboard is never quiet confirms nothing, not
// even with the right key among them.
func TestStormWithoutQuietNeverExecutes(t *testing.T) {
	all := append(everyKey(), "y", "y", "y", "U", "C", "R", "enter")
	dialogs := 0
	for seed := range uint64(8) {
		dialogs += storm(t, seed, func(s *stage, r *rand.Rand) {
			s.press(all[r.IntN(len(all))])
			if r.IntN(4) == 0 {
				time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
				s.pump()
			}
		})
	}
	if dialogs == 0 {
		t.Error("the storms never got to a dialog, so they prove nothing")
	}
}

// A storm of keys without the one that confirms, with all the time in the
// world, executes nothing either: not by enter, not by an opening key.
func TestStormWithoutYesNeverExecutes(t *testing.T) {
	var all []string
	for _, k := range append(everyKey(), "U", "C", "R", "P", "Z", "enter", "enter") {
		if k != "y" {
			all = append(all, k)
		}
	}
	dialogs := 0
	for seed := range uint64(8) {
		dialogs += storm(t, seed, func(s *stage, r *rand.Rand) {
			s.press(all[r.IntN(len(all))])
			if r.IntN(3) == 0 {
				time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
				s.pump()
			}
		})
	}
	if dialogs == 0 {
		t.Error("the storms never got to a dialog, so they prove nothing")
	}
}

// storm gives how many dialogs were reached and left.
func storm(t *testing.T, seed uint64, blow func(*stage, *rand.Rand)) (dialogs int) {
	play(t, 80, 24, nil, func(t *testing.T, s *stage) {
		r := rand.New(rand.NewPCG(seed, 7))
		for range 250 {
			blow(s, r)
		}
		if n := s.bench.executed(); n != 0 {
			t.Fatalf("seed %d: executed %d times", seed, n)
		}
		if n := s.bench.journal.kinds(actions.Intent); n != 0 {
			t.Fatalf("seed %d: %d intents in the journal", seed, n)
		}
		dialogs = s.bench.journal.kinds(actions.Cancel)
	})
	return dialogs
}

// FuzzScreen throws keys, sizes, data and time at the screen: it must keep its
// shape and never panic.
func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x00\x01\x02U\x03y\x04:\x05/\x06?\x07"))
	f.Add([]byte("enter the copy, then U and R and esc"))
	f.Add([]byte{255, 10, 255, 200, 3, 254, 1, 253, 2, 9, 252, 60, 15, 7, 7, 7, 251})
	all := append(everyKey(), "y", "ctrl+c", "q")
	worlds := situations()
	f.Fuzz(func(t *testing.T, data []byte) {
		play(t, 80, 24, nil, func(t *testing.T, s *stage) {
			for i := 0; i < len(data) && i < 200; i++ {
				arg := 0
				if i+1 < len(data) {
					arg = int(data[i+1])
				}
				switch b := data[i]; b {
				case 255:
					s.send(tea.WindowSizeMsg{Width: arg, Height: arg / 3})
				case 254:
					s.send(tea.WindowSizeMsg{Width: 20 + arg, Height: 5 + arg%60})
				case 253:
					s.news(worlds[arg%len(worlds)].Set())
				case 252:
					s.pass(time.Duration(arg) * 10 * time.Millisecond)
				case 251:
					s.send(tea.PasteMsg{Content: string(data[i:])})
				default:
					s.press(all[int(b)%len(all)])
				}
			}
		})
	})
}
