package celery

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"gradecockpit/probes/internal/lazy"
)

// Task is a task message to be sent.
type Task struct {
	ID       string // uuid, made before anything is sent
	Name     string // dotted: "grading.tasks.async_finalize_copy"
	Args     []any
	Kwargs   map[string]any
	Queue    string
	Priority int    // 0 (most urgent) to 9
	Origin   string // who sends: "gradecockpit@host"
}

// Control is a remote-control message to the workers.
type Control struct {
	Method      string
	Arguments   map[string]any
	Destination []string // node names; nil is every worker
	Ticket      string   // comes back in the replies
	ReplyTo     string   // oid of the reply list; "" wants no reply
	Expires     time.Time
}

// Reply is one worker's answer to a control message.
type Reply struct {
	Ticket string
	Worker string
	Value  json.RawMessage
}

// wire is the outer form that kombu gives to every message.
type wire struct {
	Body        string         `json:"body"`
	Encoding    string         `json:"content-encoding"`
	ContentType string         `json:"content-type"`
	Headers     any            `json:"headers"`
	Properties  wireProperties `json:"properties"`
}

type wireProperties struct {
	CorrelationID string       `json:"correlation_id,omitempty"`
	ReplyTo       *string      `json:"reply_to,omitempty"`
	DeliveryMode  int          `json:"delivery_mode"`
	DeliveryInfo  wireDelivery `json:"delivery_info"`
	Priority      int          `json:"priority"`
	BodyEncoding  string       `json:"body_encoding"`
	DeliveryTag   string       `json:"delivery_tag"`
}

type wireDelivery struct {
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
}

type taskHeaders struct {
	Lang         string  `json:"lang"`
	Task         string  `json:"task"`
	ID           string  `json:"id"`
	Shadow       *string `json:"shadow"`
	ETA          *string `json:"eta"`
	Expires      *string `json:"expires"`
	Group        *string `json:"group"`
	GroupIndex   *int    `json:"group_index"`
	Retries      int     `json:"retries"`
	TimeLimit    [2]*int `json:"timelimit"`
	RootID       string  `json:"root_id"`
	ParentID     *string `json:"parent_id"`
	ArgsRepr     string  `json:"argsrepr"`
	KwargsRepr   string  `json:"kwargsrepr"`
	Origin       string  `json:"origin"`
	IgnoreResult bool    `json:"ignore_result"`
}

// EncodeTask makes the one form of task message that this program sends:
// protocol 2, every header that Celery's own producers set, and a delivery tag
// of its own. What would kill the worker that takes it is an error here.
func EncodeTask(t Task) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("encode task: %w", err)
	}
	if t.Args == nil {
		t.Args = []any{}
	}
	if t.Kwargs == nil {
		t.Kwargs = map[string]any{}
	}
	embed := map[string]any{"callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil}
	body, err := json.Marshal([]any{t.Args, t.Kwargs, embed})
	if err != nil {
		return nil, fmt.Errorf("encode task: arguments: %w", err)
	}
	argsRepr, kwargsRepr := reprs(body)
	noReply := ""
	raw, err := seal(body, taskHeaders{
		Lang: "py", Task: t.Name, ID: t.ID, RootID: t.ID,
		ArgsRepr: argsRepr, KwargsRepr: kwargsRepr, Origin: t.Origin,
	}, wireProperties{
		CorrelationID: t.ID, ReplyTo: &noReply, DeliveryMode: 2, Priority: t.Priority,
		DeliveryInfo: wireDelivery{RoutingKey: t.Queue},
	})
	if err != nil {
		return nil, fmt.Errorf("encode task: %w", err)
	}
	if m := DecodeTask(raw); m.Bad != "" {
		return nil, fmt.Errorf("encode task: %s", m.Bad)
	}
	return raw, nil
}

func (t Task) check() error {
	switch _, err := uuid.Parse(t.ID); {
	case err != nil || len(t.ID) != 36:
		return fmt.Errorf("task id %q is not a dashed uuid", t.ID)
	case !isTaskName(t.Name):
		return fmt.Errorf("task name %q is not a dotted Python name", t.Name)
	case !plain(t.Queue):
		return fmt.Errorf("queue name %q is empty, too long or not printable", t.Queue)
	case t.Priority < 0 || t.Priority > 9:
		return fmt.Errorf("priority %d is not 0 to 9", t.Priority)
	case !utf8.ValidString(t.Origin) || !validText(t.Args) || !validText(t.Kwargs):
		return errors.New("an argument is not valid UTF-8")
	}
	return nil
}

var dotted = lazy.Regexp(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)

func isTaskName(s string) bool { return len(s) <= 255 && dotted().MatchString(s) }

// validText looks for strings that encoding/json would change silently.
func validText(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, e := range v {
			if !validText(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) || !validText(e) {
				return false
			}
		}
	}
	return true
}

// seal puts a body into an envelope with a fresh delivery tag: a repeated tag
// would overwrite another message's safety copy in unacked.
func seal(body []byte, headers any, p wireProperties) ([]byte, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("body of %d bytes is over the limit of %d", len(body), maxBody)
	}
	p.BodyEncoding = "base64"
	p.DeliveryTag = uuid.NewString()
	return json.Marshal(wire{
		Body:     base64.StdEncoding.EncodeToString(body),
		Encoding: "utf-8", ContentType: "application/json",
		Headers: headers, Properties: p,
	})
}

type controlHeaders struct {
	Clock   int     `json:"clock"`
	Expires float64 `json:"expires,omitempty"`
}

type controlBody struct {
	Method      string         `json:"method"`
	Arguments   map[string]any `json:"arguments"`
	Destination []string       `json:"destination"`
	Pattern     *string        `json:"pattern"`
	Matcher     *string        `json:"matcher"`
	Ticket      string         `json:"ticket,omitempty"`
	ReplyTo     *wireDelivery  `json:"reply_to,omitempty"`
}

const replyExchange = "reply.celery.pidbox"

// EncodeControl makes a control message. An undecodable one kills every worker
// at once, so nothing else in this program publishes to the control channel.
func EncodeControl(c Control) ([]byte, error) {
	if !isTaskName(c.Method) || !validText(c.Arguments) {
		return nil, fmt.Errorf("encode control: %q is not a method with valid arguments", c.Method)
	}
	b := controlBody{Method: c.Method, Arguments: c.Arguments, Destination: c.Destination, Ticket: c.Ticket}
	if b.Arguments == nil {
		b.Arguments = map[string]any{}
	}
	if c.ReplyTo != "" {
		b.ReplyTo = &wireDelivery{Exchange: replyExchange, RoutingKey: c.ReplyTo}
	}
	body, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode control %s: %w", c.Method, err)
	}
	h := controlHeaders{Clock: 1}
	if !c.Expires.IsZero() {
		h.Expires = float64(c.Expires.UnixMilli()) / 1000
	}
	return seal(body, h, wireProperties{DeliveryMode: 1, DeliveryInfo: wireDelivery{Exchange: "celery.pidbox"}})
}

// DecodeControl reads a control message as a worker does.
func DecodeControl(raw []byte) (Control, error) {
	e, err := open(raw)
	if err != nil {
		return Control{}, fmt.Errorf("decode control: %w", err)
	}
	body, err := e.body()
	if err != nil {
		return Control{}, fmt.Errorf("decode control: %w", err)
	}
	var b controlBody
	if err := json.Unmarshal(body, &b); err != nil {
		return Control{}, fmt.Errorf("decode control: %w", err)
	}
	c := Control{Method: b.Method, Arguments: b.Arguments, Destination: b.Destination, Ticket: b.Ticket}
	if b.ReplyTo != nil {
		c.ReplyTo = b.ReplyTo.RoutingKey
	}
	return c, nil
}

// EncodeReply makes a worker's answer to a control message.
func EncodeReply(ticket, oid, worker string, value any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{worker: value})
	if err != nil {
		return nil, fmt.Errorf("encode reply: %w", err)
	}
	headers := map[string]any{"ticket": ticket, "clock": 1}
	return seal(body, headers, wireProperties{
		DeliveryMode: 2, DeliveryInfo: wireDelivery{Exchange: replyExchange, RoutingKey: oid},
	})
}

// DecodeReply reads a worker's answer. Worker is as it was sent: not cleaned.
func DecodeReply(raw []byte) (Reply, error) {
	e, err := open(raw)
	if err != nil {
		return Reply{}, fmt.Errorf("decode reply: %w", err)
	}
	body, err := e.body()
	if err != nil {
		return Reply{}, fmt.Errorf("decode reply: %w", err)
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(standard(body), &values); err != nil || len(values) != 1 {
		return Reply{}, errors.New("decode reply: the body is not an answer of one worker")
	}
	r := Reply{Ticket: text(e.Headers["ticket"])}
	for worker, value := range values {
		r.Worker, r.Value = worker, bytes.Clone(value)
	}
	return r, nil
}
