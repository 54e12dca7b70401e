package export

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// The grid of a dashboard is 24 wide; three panels stand beside each other.
const (
	panelWide = 8
	panelHigh = 7
)

// schemaVersion is that of Grafana 10.0: newer ones bring a dashboard up to
// their own, older schemas are what nobody can read back.
const schemaVersion = 38

// Dashboard gives a Grafana dashboard of every metric in the table, a row for
// each of its groups.
func Dashboard() ([]byte, error) {
	//lint:ignore SA1019 version 2 of the schema needs Grafana 12 or later; this one is read by 10 and all after it
	d := dashboard.NewDashboardBuilder("Grading system").Uid("gradecockpit").
		Description("What gradecockpit export sees of the grading system. Made by gradecockpit export --dashboard.").
		Tags([]string{"grading", "gradecockpit"}).Timezone(common.TimeZoneBrowser).Time("now-3h", "now").Refresh("30s").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus"))
	group, id := "", uint32(0)
	next := func() uint32 { id++; return id }
	for _, m := range Metrics() {
		if m.Group != group {
			group = m.Group
			d.WithRow(dashboard.NewRowBuilder(group).Id(next()))
		}
		d.WithPanel(panel(m).Id(next()))
	}
	built, err := d.Build()
	if err != nil {
		return nil, fmt.Errorf("make the dashboard: %w", err)
	}
	built.SchemaVersion = schemaVersion
	body, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the dashboard: %w", err)
	}
	return append(body, '\n'), nil
}

func panel(m Metric) *timeseries.PanelBuilder {
	from := common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
	unit := m.Unit
	if unit == "" {
		unit = units.Short
	}
	p := timeseries.NewPanelBuilder().Title(title(m)).Description(m.Help).Unit(unit).
		Span(panelWide).Height(panelHigh).Datasource(from).FillOpacity(8).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(len(m.Labels) > 0)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Datasource(from).Expr(query(m)).LegendFormat(legend(m)).Range())
	if m.Signed {
		return p
	}
	return p.Min(0)
}

// query shows a gauge as it is and a counter as a rate.
func query(m Metric) string {
	switch {
	case m.Query != "":
		return m.Query
	case m.Counter:
		return "rate(" + m.Name + "[$__rate_interval])"
	}
	return m.Name
}

// legend names a series by its labels.
func legend(m Metric) string {
	parts := make([]string, len(m.Labels))
	for i, l := range m.Labels {
		parts[i] = "{{" + l + "}}"
	}
	return strings.Join(parts, " ")
}

// title is the name of a metric in words: "stuck copies".
func title(m Metric) string {
	words := strings.TrimPrefix(m.Name, "gradecockpit_")
	for _, end := range []string{"_seconds", "_total"} {
		words = strings.TrimSuffix(words, end)
	}
	words = strings.ReplaceAll(words, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
