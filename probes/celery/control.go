package celery

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// replyWait is how long a round waits for the workers if nothing else is said.
// Healthy ones answer in a few milliseconds; one that forks or swaps may take
// half a second.
const replyWait = time.Second

// replyTTL ends a reply list that a late worker made again after us.
const replyTTL = time.Minute

// oidsKey is a hash of the reply lists that cockpits use: oid to the server's
// unix time of its last round. It lets a later start remove what a killed one
// left, since workers answer into a bound list for ever.
const oidsKey = "cockpit:oids"

// orphanAge is when a registered reply list counts as left behind.
const orphanAge = 5 * time.Minute

// control asks workers. One round runs at a time, so one reply list serves the
// whole process and whatever carries another ticket is late and dropped.
type control struct {
	b        *Broker
	waiter   *redis.Client // its one connection is what BRPOP blocks
	patience time.Duration // for the answers of a round
	oid      string
	turn     chan struct{} // holds one token: whose turn it is
	swept    bool
	used     bool
	skew     time.Duration // server's clock minus ours
}

func newControl(b *Broker, waiter *redis.Client) *control {
	c := &control{b: b, waiter: waiter, patience: cmp.Or(b.cfg.ReplyWait, replyWait), oid: uuid.NewString(), turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// question is one control method of a round.
type question struct {
	method  string
	args    map[string]any
	to      []string // the workers meant; nil is every worker
	noReply bool     // no worker answers this method
}

// expects says how many answers a question has when so many listen.
func (q question) expects(receivers int) int {
	switch {
	case q.noReply:
		return 0
	case q.to != nil:
		return min(len(q.to), receivers)
	}
	return receivers
}

// answers are the replies of one round: method to worker to value.
type answers struct {
	receivers int // subscribers of the control channel when asked
	expected  int // replies to all questions together
	replies   map[string]map[string]json.RawMessage
	count     map[string]int // by method; two workers may share one name
}

// complete says that every receiver answered a method.
func (a answers) complete(method string) bool { return a.count[method] >= a.receivers }

// round asks all questions at once and waits until as many workers answered as
// listen or were meant, or its wait is over. Nobody listening costs one round
// trip.
func (c *control) round(ctx context.Context, questions ...question) (answers, error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return answers{}, ctx.Err()
	}
	defer func() { c.turn <- struct{}{} }()
	c.sweep(ctx)
	tickets, receivers, err := c.ask(ctx, questions)
	if err != nil {
		return answers{}, err
	}
	a := answers{receivers, 0, map[string]map[string]json.RawMessage{}, map[string]int{}}
	for _, q := range questions {
		a.expected += q.expects(receivers)
	}
	return a, c.collect(ctx, tickets, &a)
}

// ask binds the reply list and publishes, in one round trip. The binding is
// repeated each time: FLUSHDB and eviction take it away.
func (c *control) ask(ctx context.Context, questions []question) (tickets map[string]string, receivers int, err error) {
	channel, err := c.channel(ctx)
	if err != nil {
		return nil, 0, err
	}
	tickets = map[string]string{}
	pipe := c.b.rdb.Pipeline()
	bound := pipe.SAdd(ctx, c.b.ReplyBindings(), c.b.ReplyBinding(c.oid))
	var published []*redis.IntCmd
	for _, q := range questions {
		message := Control{
			Method: q.method, Arguments: q.args, Destination: q.to, Expires: time.Now().Add(c.skew + c.patience),
		}
		if !q.noReply {
			message.Ticket, message.ReplyTo = uuid.NewString(), c.oid
			tickets[message.Ticket] = q.method
		}
		raw, err := EncodeControl(message)
		if err != nil {
			return nil, 0, err
		}
		published = append(published, pipe.Publish(ctx, channel, raw))
	}
	now := strconv.FormatInt(time.Now().Add(c.skew).Unix(), 10)
	pipe.HSet(ctx, c.b.Prefix+oidsKey, c.oid, now) // refused by a tight ACL: no harm
	_, _ = pipe.Exec(ctx)
	c.used = true
	for _, p := range published {
		if err := errors.Join(bound.Err(), p.Err()); err != nil {
			return nil, 0, err
		}
		receivers = int(p.Val())
	}
	return tickets, receivers, nil
}

// channel is the spelling on which workers listen. Where there are two, empty
// messages, which workers pass over, find out.
func (c *control) channel(ctx context.Context) (string, error) {
	names := c.b.ControlChannels()
	if len(names) == 1 {
		return names[0], nil
	}
	pipe := c.b.rdb.Pipeline()
	counts := make([]*redis.IntCmd, len(names))
	for i, name := range names {
		counts[i] = pipe.Publish(ctx, name, "")
	}
	_, err := pipe.Exec(ctx)
	best := 0
	for i := range names {
		if counts[i].Val() > counts[best].Val() {
			best = i
		}
	}
	return names[best], err
}

// collect reads the reply list until every receiver answered every question.
func (c *control) collect(ctx context.Context, tickets map[string]string, a *answers) error {
	deadline := time.Now().Add(c.patience)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d.Add(-50 * time.Millisecond) // leave time to hand over what came
	}
	missing := a.expected
	for missing > 0 {
		left := time.Until(deadline)
		if left < time.Millisecond {
			break
		}
		raws, err := c.wait(ctx, left)
		if err != nil {
			return err
		}
		for _, raw := range raws {
			missing -= a.add(raw, tickets)
		}
	}
	if missing > 0 {
		_ = c.b.rdb.Expire(ctx, c.b.ReplyList(c.oid), replyTTL).Err()
	}
	return nil
}

// add files one reply and says how many it was: none when it belongs to an
// earlier round or cannot be read.
func (a *answers) add(raw string, tickets map[string]string) int {
	r, err := DecodeReply([]byte(raw))
	method := tickets[r.Ticket]
	if err != nil || method == "" {
		return 0
	}
	if a.replies[method] == nil {
		a.replies[method] = map[string]json.RawMessage{}
	}
	a.replies[method][r.Worker] = r.Value
	a.count[method]++
	return 1
}

// wait blocks for one reply and takes with it all that lie there. Do is used
// because BRPop rounds a wait up to whole seconds.
func (c *control) wait(ctx context.Context, d time.Duration) ([]string, error) {
	list := c.b.ReplyList(c.oid)
	secs := strconv.FormatFloat(d.Seconds(), 'f', 3, 64)
	got, err := c.waiter.Do(ctx, "BRPOP", list, secs).StringSlice()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil || len(got) < 2 {
		return nil, err
	}
	pipe := c.b.rdb.TxPipeline()
	rest := pipe.LRange(ctx, list, 0, -1)
	pipe.Del(ctx, list)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	return append(rest.Val(), got[1]), nil
}

// sweep removes, once, the reply lists of cockpits that were killed. What it
// may not do it leaves: the lists are small.
func (c *control) sweep(ctx context.Context) {
	if c.swept {
		return
	}
	now, err := c.b.rdb.Time(ctx).Result()
	if err != nil {
		return
	}
	c.swept, c.skew = true, time.Until(now)
	oids, err := c.b.rdb.HGetAll(ctx, c.b.Prefix+oidsKey).Result()
	if err != nil {
		return
	}
	for oid, seen := range oids {
		at, _ := strconv.ParseInt(seen, 10, 64)
		if uuid.Validate(oid) == nil && now.Sub(time.Unix(at, 0)) > orphanAge {
			c.forget(ctx, oid)
		}
	}
}

func (c *control) forget(ctx context.Context, oid string) {
	pipe := c.b.rdb.Pipeline()
	pipe.SRem(ctx, c.b.ReplyBindings(), c.b.ReplyBinding(oid))
	pipe.Del(ctx, c.b.ReplyList(oid))
	pipe.HDel(ctx, c.b.Prefix+oidsKey, oid)
	_, _ = pipe.Exec(ctx)
}

// close waits for the round in flight, takes the reply list away and closes.
func (c *control) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	select {
	case <-c.turn:
		if c.used {
			c.forget(ctx, c.oid)
		}
	case <-ctx.Done(): // the next start sweeps it away
	}
	return c.waiter.Close()
}
