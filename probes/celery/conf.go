package celery

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// WorkerConf is what a worker says of its settings. Durations are 0 when it
// has no such limit.
type WorkerConf struct {
	Worker            string
	TimeLimit         time.Duration // hard: the task's process is killed
	SoftTimeLimit     time.Duration // an exception is raised in the task
	Prefetch          int           // messages held for each process of the pool; 0 is without limit
	VisibilityTimeout time.Duration // after which unacknowledged messages come back
	ResultExpires     time.Duration
	AcksLate          bool // a message stays unacknowledged while its task runs
	TrackStarted      bool // results say STARTED
	DefaultQueue      string
	FanoutPrefix      string // transport option as it is set; "" when it is not
	KeyPrefix         string // likewise global_keyprefix
}

// defaultVisibility is kombu's, for Redis.
const defaultVisibility = time.Hour

// Conf asks a worker for its settings. Its time limits are those that its pool
// enforces, which the command line may have set. *ErrSilent when it does not
// answer. Also allowed where nothing may be written.
func (b *Broker) Conf(ctx context.Context, worker string) (WorkerConf, error) {
	if err := checkWorkers([]string{worker}); err != nil {
		return WorkerConf{}, err
	}
	to := []string{worker}
	a, err := b.control.round(ctx,
		question{method: "conf", args: map[string]any{"with_defaults": true}, to: to},
		question{method: "stats", to: to})
	if err != nil {
		return WorkerConf{}, b.describe("ask for the settings of a worker", err)
	}
	conf, stats := a.replies["conf"][worker], a.replies["stats"][worker]
	if conf == nil {
		return WorkerConf{}, &ErrSilent{worker}
	}
	return readConf(worker, conf, stats), nil
}

func readConf(worker string, conf, stats json.RawMessage) WorkerConf {
	var c struct {
		Hard      any             `json:"task_time_limit"`
		Soft      any             `json:"task_soft_time_limit"`
		Prefetch  json.RawMessage `json:"worker_prefetch_multiplier"`
		Expires   any             `json:"result_expires"`
		AcksLate  bool            `json:"task_acks_late"`
		Track     bool            `json:"task_track_started"`
		Queue     string          `json:"task_default_queue"`
		Transport map[string]any  `json:"broker_transport_options"`
	}
	_ = json.Unmarshal(conf, &c) // a field of another type is left out
	w := WorkerConf{
		Worker: worker, TimeLimit: seconds(c.Hard), SoftTimeLimit: seconds(c.Soft), Prefetch: whole(c.Prefetch),
		VisibilityTimeout: seconds(c.Transport["visibility_timeout"]), ResultExpires: seconds(c.Expires),
		AcksLate: c.AcksLate, TrackStarted: c.Track, DefaultQueue: shownText(c.Queue),
		FanoutPrefix: shownText(c.Transport["fanout_prefix"]), KeyPrefix: shownText(c.Transport["global_keyprefix"]),
	}
	if w.VisibilityTimeout == 0 {
		w.VisibilityTimeout = defaultVisibility
	}
	if soft, hard := timeouts(stats); hard != 0 || soft != 0 {
		w.SoftTimeLimit, w.TimeLimit = soft, hard
	}
	return w
}

// timeouts reads stats.pool.timeouts: [soft, hard] in seconds.
func timeouts(stats json.RawMessage) (soft, hard time.Duration) {
	var s struct {
		Pool struct{ Timeouts []any }
	}
	if json.Unmarshal(stats, &s) != nil || len(s.Pool.Timeouts) != 2 {
		return 0, 0
	}
	return seconds(s.Pool.Timeouts[0]), seconds(s.Pool.Timeouts[1])
}

var timedelta = lazy.Regexp(`^(?:(\d{1,5}) days?, )?(\d{1,2}):(\d\d):(\d\d)`)

// seconds reads a number, a number in text, or a timedelta as Python prints it:
// "1 day, 0:00:00". More than ten years is nonsense.
func seconds(v any) time.Duration {
	var n float64
	switch v := v.(type) {
	case float64:
		n = v
	case string:
		n, _ = strconv.ParseFloat(v, 64)
		if m := timedelta().FindStringSubmatch(v); m != nil {
			n = 0
			for i, unit := range []float64{86400, 3600, 60, 1} {
				x, _ := strconv.ParseFloat(orElse(m[i+1], "0"), 64)
				n += x * unit
			}
		}
	}
	if !(n > 0 && n < 10*365*86400) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// shownText gives a setting for show; False and None as Python has them.
func shownText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return clean.Capped(v, 200)
	}
	return clean.Capped(pyRepr(v), 200)
}
