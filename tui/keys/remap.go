package keys

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Remap gives the table with other keys for some commands, by command name. It
// names every mistake: an unknown command, an empty key, two commands on one
// key, a key that breaks the two rules of this package.
func (t Table) Remap(keys map[string][]string) (Table, error) {
	bindings := t.All()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := remapOne(bindings, Command(name), keys[name]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return Table{}, errors.Join(errs...)
	}
	return newTable(bindings)
}

func remapOne(bindings []Binding, id Command, keys []string) error {
	var normal []string
	for _, k := range keys {
		n, err := normalize(k)
		if err != nil {
			return fmt.Errorf("keys: %s: %w", id, err)
		}
		normal = append(normal, n)
	}
	if len(normal) == 0 {
		return fmt.Errorf("keys: %s: needs at least one key", id)
	}
	found := false
	for i := range bindings {
		if bindings[i].ID == id {
			bindings[i].Keys, found = normal, true
		}
	}
	if !found {
		return fmt.Errorf("keys: no command is called %q%s", id, nearest(bindings, string(id)))
	}
	return nil
}

// newTable indexes bindings, and refuses those that collide or break a rule.
func newTable(bindings []Binding) (Table, error) {
	t := Table{bindings: bindings, find: map[Scope]map[string]int{}}
	for _, s := range Scopes() {
		t.find[s] = map[string]int{}
	}
	var errs []error
	for i, b := range bindings {
		for _, k := range b.Keys {
			if other, taken := t.taken(b.Scope, k); taken {
				errs = append(errs, collision(k, other, b))
			}
			errs = append(errs, lawful(b, k))
			t.find[b.Scope][k] = i
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Table{}, err
	}
	return t, nil
}

// taken gives the binding that a further one in a scope would collide with.
func (t Table) taken(s Scope, key string) (Binding, bool) {
	if s != InGuide {
		return t.Find(s, key)
	}
	i, ok := t.find[s][key]
	if !ok {
		return Binding{}, false
	}
	return t.bindings[i], true
}

func collision(key string, a, b Binding) error {
	if a.ID == b.ID {
		return fmt.Errorf("keys: %s has the key %s twice", a.ID, key)
	}
	return fmt.Errorf("keys: %s is the key of both %s and %s", key, a.ID, b.ID)
}

// lawful checks the two rules. G and N are capitals by old custom and look only.
func lawful(b Binding, key string) error {
	switch {
	case b.Acts && !capital(key):
		return fmt.Errorf("keys: %s acts, so its key is one capital letter, not %s", b.ID, key)
	case !b.Acts && capital(key) && b.ID != Bottom && b.ID != PrevMatch && b.ID != Confirm:
		return fmt.Errorf("keys: %s does not act, so its key is no capital letter like %s", b.ID, key)
	case b.ID == Confirm && (capital(key) || key == "enter" || key == "space"):
		return fmt.Errorf("keys: %s confirms, so its key is no capital letter, not enter and not space", b.ID)
	}
	return nil
}

func capital(key string) bool {
	r, n := utf8.DecodeRuneInString(key)
	return n == len(key) && unicode.IsUpper(r)
}

// aliases are other names people write for a key.
var aliases = map[string]string{
	"escape": "esc", "return": "enter", "pagedown": "pgdown", "pgdn": "pgdown", "pageup": "pgup",
	"↑": "up", "↓": "down", "←": "left", "→": "right", " ": "space", "del": "delete",
}

// normalize writes a key as Bubble Tea does. A single character is taken as it
// is; of longer names the case does not matter.
func normalize(key string) (string, error) {
	if utf8.RuneCountInString(key) == 1 {
		if a, ok := aliases[key]; ok {
			return a, nil
		}
		return key, nil
	}
	key = strings.ToLower(strings.TrimSpace(key))
	mods, name := "", key
	if i := strings.LastIndex(key[:max(len(key)-1, 0)], "+"); i >= 0 {
		mods, name = key[:i+1], key[i+1:]
	}
	if a, ok := aliases[name]; ok {
		name = a
	}
	if name == "" || strings.ContainsAny(key, " \t") {
		return "", fmt.Errorf("%q is not the name of a key", key)
	}
	return mods + name, nil
}

// nearest proposes the command whose name shares the longest start.
func nearest(bindings []Binding, name string) string {
	best, length := "", 0
	for _, b := range bindings {
		n := 0
		for n < len(name) && n < len(b.ID) && name[n] == b.ID[n] {
			n++
		}
		if n > length {
			best, length = string(b.ID), n
		}
	}
	if length < 2 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
