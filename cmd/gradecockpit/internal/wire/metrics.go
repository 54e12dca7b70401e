package wire

import (
	"time"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
)

// byPrometheus is how often Prometheus is asked: it scrapes every 15 s or
// more, so that more often would bring the same.
var byPrometheus = probes.Schedule{Interval: 10 * time.Second, Deadline: 9 * time.Second}

// addMetrics adds what measures the application's requests: its own /metrics,
// and a Prometheus server where there is one.
func (c *Cockpit) addMetrics() error {
	if err := c.addPrometheus(); err != nil {
		return err
	}
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

func (c *Cockpit) addPrometheus() error {
	url := c.Config.Text(config.PrometheusURL)
	if url == "" {
		return nil
	}
	p, err := metrics.NewPrometheus(metrics.PrometheusConfig{URL: url,
		Match: c.Config.Text(config.PrometheusMatch), Token: c.Config.Text(config.PrometheusToken)})
	if err != nil {
		return &config.Error{Where: c.Config.Value(config.PrometheusURL).Origin, Why: probes.Brief(err)}
	}
	c.closers = append(c.closers, p.Close)
	c.add(p, byPrometheus)
	return nil
}
