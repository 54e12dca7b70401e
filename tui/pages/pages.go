// Package pages is the catalogue of pages: it lists every kind once. Each page
// is a package of its own below; pages do not import each other.
package pages

import (
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/domain"
	"gradecockpit/tui/pages/endpoint"
	"gradecockpit/tui/pages/processes"
	"gradecockpit/tui/pages/session"
	"gradecockpit/tui/pages/statement"
	"gradecockpit/tui/pages/table"
)

// All gives the pages.
func All() []page.Spec {
	return []page.Spec{
		session.New(),
		statement.New(),
		table.New(),
		endpoint.New(),
		processes.New(),
		domain.New(),
	}
}
