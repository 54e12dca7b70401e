// Package pages is the catalogue of pages: it lists every kind once. Each page
// is a package of its own below; pages do not import each other.
package pages

import (
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages/domain"
	"gradecockpit/tui/pages/endpoint"
	"gradecockpit/tui/pages/events"
	"gradecockpit/tui/pages/file"
	"gradecockpit/tui/pages/line"
	"gradecockpit/tui/pages/patterns"
	"gradecockpit/tui/pages/processes"
	"gradecockpit/tui/pages/records"
	"gradecockpit/tui/pages/requests"
	"gradecockpit/tui/pages/session"
	"gradecockpit/tui/pages/slow"
	"gradecockpit/tui/pages/statement"
	"gradecockpit/tui/pages/table"
	"gradecockpit/tui/pages/times"
	"gradecockpit/tui/pages/trace"
)

// All gives the pages.
func All() []page.Spec {
	return []page.Spec{
		trace.New(),
		line.New(),
		records.New(),
		times.New(),
		patterns.New(),
		requests.New(),
		slow.New(),
		session.New(),
		statement.New(),
		table.New(),
		endpoint.New(),
		processes.New(),
		domain.New(),
		events.New(),
		file.New(),
	}
}
