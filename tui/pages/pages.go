// Package pages is the catalogue of pages: it lists every kind once. Each page
// is a package of its own below; pages do not import each other.
package pages

import (
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/file"
)

// All gives the pages.
func All() []page.Spec { return []page.Spec{file.New()} }
