// Package pdf checks one PDF: whether it opens, how many pages it has and how
// large they are, whether it is encrypted, cut off or damaged, in words.
//
// A PDF comes from outside and can be made to eat memory or time without end,
// and a folder can lie on a mount whose server is gone. So the check runs in a
// process of its own ([Checker]), which is given a limit on memory and on time
// and can be killed; what it says is only data. Nothing is written.
package pdf

import "time"

// Verdict is what came of a check.
type Verdict string

// The verdicts. NotLooked is no verdict on the PDF: it was too large, or the
// check was not done in time.
const (
	Sound      Verdict = "sound"
	Damaged    Verdict = "damaged"
	Locked     Verdict = "needs a password"
	NoPDF      Verdict = "no PDF"
	Unreadable Verdict = "unreadable"
	NotLooked  Verdict = "unknown"
)

// Check is what is known of a file.
type Check struct {
	Path     string    `json:"path"`
	Bytes    int64     `json:"bytes"` // -1: not known
	Modified time.Time `json:"modified,omitzero"`
	Owner    string    `json:"owner,omitempty"`
	Mode     string    `json:"mode,omitempty"`

	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // why it is not sound, in a sentence
	Next    string  `json:"next,omitempty"`   // what to do

	Version   string   `json:"version,omitempty"` // "1.7"
	Pages     int      `json:"pages"`             // -1: not known
	Sizes     []Size   `json:"sizes,omitempty"`   // the most frequent first
	Encrypted bool     `json:"encrypted"`
	Notes     []string `json:"notes,omitempty"` // what is odd and does no harm
	// Pictures are pages that show pictures and no text, as scans do, among the
	// first Looked.
	Pictures int `json:"pages_of_pictures"`
	Looked   int `json:"pages_looked_into"`
}

// Size is a size of pages, in points of 1/72 inch, and how many have it.
type Size struct {
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Pages  int     `json:"pages"`
	Name   string  `json:"name,omitempty"` // "A4"
}

// File says which file: a path inside a folder, which it cannot leave whatever
// links and ".." are in it; with an empty Root, any path.
type File struct {
	Root string
	Name string
}
