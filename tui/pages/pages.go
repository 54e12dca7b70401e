// Package pages is the catalogue of pages: it lists every kind once. Each page
// is a package of its own below; pages do not import each other.
package pages

import (
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/domain"
	"gradecockpit/tui/pages/endpoint"
	"gradecockpit/tui/pages/processes"
	"gradecockpit/tui/pages/session"
)

// All gives the pages.
func All() []page.Spec {
	return []page.Spec{
		endpoint.New(), processes.New(), domain.New(),
		session.New(),
	}
}
