package celery

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultSep stands between a queue's name and its priority step. It is
// kombu's own, made of two control bytes so that no queue name can hold it.
const DefaultSep = "\x06\x16"

// DefaultQueue is where Celery puts a task that is routed nowhere else.
const DefaultQueue = "celery"

// Names spells the keys and channels of one deployment. The zero value is
// Celery as it comes: database 0, no prefix.
type Names struct {
	Prefix string // global_keyprefix, verbatim
	Sep    string // transport option sep; "" is DefaultSep
	DB     int
	Steps  []int // transport option priority_steps; nil is 0, 3, 6, 9

	// FanoutPrefix is the transport option of that name: "" is /{db}., where
	// {db} becomes the number; NoFanoutPrefix is none.
	FanoutPrefix string
	// PlainFanout is fanout_patterns=False: events carry no routing key.
	PlainFanout bool
	// Sentinel: before kombu 5.4.0 its channels really are called /{db}.
	Sentinel bool
}

// NoFanoutPrefix is how Python spells that channels have no prefix.
const NoFanoutPrefix = "False"

// PrioritySteps are the steps that have a list of their own, most urgent first.
func (n Names) PrioritySteps() []int {
	if len(n.Steps) > 0 {
		return n.Steps
	}
	return []int{0, 3, 6, 9}
}

func (n Names) sep() string {
	if n.Sep == "" {
		return DefaultSep
	}
	return n.Sep
}

// Step floors a priority to the step whose list holds it. What is below the
// first step goes to the last, as in kombu.
func (n Names) Step(priority int) int {
	steps := n.PrioritySteps()
	step := steps[len(steps)-1]
	for _, s := range steps {
		if s > priority {
			break
		}
		step = s
	}
	return step
}

// List is the key of one priority step of a queue. Producers push on its left,
// workers pop on its right.
func (n Names) List(queue string, step int) string {
	return n.Prefix + queue + n.suffix(step)
}

func (n Names) suffix(step int) string {
	if step == 0 {
		return ""
	}
	return n.sep() + strconv.Itoa(step)
}

// Lists are the keys of a queue in the order in which workers empty them.
func (n Names) Lists(queue string) []string {
	var keys []string
	for _, step := range n.PrioritySteps() {
		keys = append(keys, n.List(queue, step))
	}
	return keys
}

// Unacked is the hash of messages that workers hold.
func (n Names) Unacked() string { return n.Prefix + "unacked" }

// ControlChannel is where every worker listens for control messages.
func (n Names) ControlChannel() string { return n.fanoutPrefixes()[0] + "celery.pidbox" }

// ControlChannels are all names that the control channel may have.
func (n Names) ControlChannels() []string {
	var out []string
	for _, p := range n.fanoutPrefixes() {
		out = append(out, p+"celery.pidbox")
	}
	return out
}

// EventPatterns match the channels on which workers send events.
func (n Names) EventPatterns() []string {
	var out []string
	for _, p := range n.fanoutPrefixes() {
		pattern := literal(p) + "celeryev"
		if !n.PlainFanout {
			pattern += "/*"
		}
		out = append(out, pattern)
	}
	return out
}

// fanoutPrefixes are what channel names may begin with, the likeliest first.
func (n Names) fanoutPrefixes() []string {
	prefix := orElse(n.FanoutPrefix, "/{db}.")
	if prefix == NoFanoutPrefix {
		return []string{n.Prefix}
	}
	numbered := n.Prefix + strings.ReplaceAll(prefix, "{db}", strconv.Itoa(n.DB))
	if n.Sentinel && strings.Contains(prefix, "{db}") {
		return []string{numbered, n.Prefix + prefix}
	}
	return []string{numbered}
}

// ReplyList is where the replies for one client are pushed: like any message of
// priority 0, in the list of its step.
func (n Names) ReplyList(oid string) string { return n.List(oid+".reply.celery.pidbox", n.Step(0)) }

// ReplyBindings is the set that tells workers which reply lists exist.
func (n Names) ReplyBindings() string { return n.bindings() + "reply.celery.pidbox" }

// ReplyBinding is the member of ReplyBindings for one client.
func (n Names) ReplyBinding(oid string) string {
	return oid + n.sep() + n.sep() + oid + ".reply.celery.pidbox"
}

func (n Names) bindings() string { return n.Prefix + "_kombu.binding." }

// boundQueue gives the queue that a member of a binding set names.
func (n Names) boundQueue(member string) string {
	parts := strings.Split(member, n.sep())
	if len(parts) != 3 {
		return ""
	}
	return parts[2]
}

// plain says whether a name can be a key of ours and be shown as it stands.
func plain(name string) bool {
	if name == "" || len(name) > 200 || !utf8.ValidString(name) {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
