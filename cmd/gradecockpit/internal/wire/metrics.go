package wire

import (
	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
)

// addMetrics adds what measures the application's requests.
func (c *Cockpit) addMetrics() error {
	urls := c.Config.List(config.MetricsURL)
	if len(urls) == 0 {
		c.add(absent{metrics.ID, probes.Metrics, "METRICS_URL"}, seldom)
		return nil
	}
	p, err := metrics.New(metrics.Config{URLs: urls, Token: c.Config.Text(config.MetricsToken)})
	if err != nil {
		return &config.Error{Where: c.Config.Value(config.MetricsURL).Origin, Why: probes.Brief(err)}
	}
	c.add(p, seldom)
	return nil
}
