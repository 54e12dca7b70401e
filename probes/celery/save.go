package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// A saved queue is JSON lines: a head, a line for each message in list order
// (newest first, raw bytes in base64), and an end that carries the count, so
// that a file that was cut short is known.
type savedLine struct {
	Queue string `json:"queue,omitempty"` // head
	Saved int    `json:"saved_queue,omitempty"`
	Step  int    `json:"step"`
	Raw   []byte `json:"raw,omitempty"`
	Count *int64 `json:"count,omitempty"` // end
}

const savedVersion = 1

// SaveRaw writes every message of a queue, byte for byte: of its quarantine
// when id is given, which nothing changes meanwhile, else of the live queue.
// It reads page by page, so the queue may be larger than memory.
func (b *Broker) SaveRaw(ctx context.Context, w io.Writer, queue, id string) (n int64, err error) {
	if !plain(queue) || id != "" && checkTarget(queue, id) != nil {
		return 0, fmt.Errorf("save: queue %.80q, quarantine %.80q: not a usable name", queue, id)
	}
	enc := json.NewEncoder(w)
	if err := enc.Encode(savedLine{Queue: queue, Saved: savedVersion}); err != nil {
		return 0, fmt.Errorf("save %s: %w", queue, err)
	}
	for _, step := range b.PrioritySteps() {
		key := b.List(queue, step)
		if id != "" {
			key = b.quarantineList(id, queue, step)
		}
		wrote, err := b.saveList(ctx, enc, key, step)
		if n += wrote; err != nil {
			return n, fmt.Errorf("save %s: %w", queue, err)
		}
	}
	if err := enc.Encode(savedLine{Count: &n}); err != nil {
		return n, fmt.Errorf("save %s: %w", queue, err)
	}
	return n, nil
}

func (b *Broker) saveList(ctx context.Context, enc *json.Encoder, key string, step int) (int64, error) {
	length, err := b.rdb.LLen(ctx, key).Result()
	if err != nil {
		return 0, b.describe("read messages", err)
	}
	return b.walk(ctx, key, length, length, func(raw string) error {
		return enc.Encode(savedLine{Step: step, Raw: []byte(raw)})
	})
}

// loadTTL ends what a load that was interrupted left behind.
const loadTTL = time.Hour

// LoadRaw reads a saved queue back into Redis as a quarantine, from where
// Restore puts it into the queue. It refuses a file that is not whole.
func (b *Broker) LoadRaw(ctx context.Context, r io.Reader, id string) (queue string, n int64, err error) {
	if err := b.writable(); err != nil {
		return "", 0, err
	}
	dec := json.NewDecoder(r)
	var head savedLine
	if err := dec.Decode(&head); err != nil || head.Saved != savedVersion {
		return "", 0, errors.New("load: the file is not a saved queue of this program")
	}
	if err := checkTarget(head.Queue, id); err != nil {
		return "", 0, err
	}
	l := loader{b: b, staged: b.Prefix + "cockpit:loading:" + uuid.NewString()}
	if err := l.load(ctx, dec); err != nil {
		return head.Queue, 0, fmt.Errorf("load %s: %w", head.Queue, err)
	}
	reply, err := b.script(ctx, moveAway, slices.Concat(l.lists(), b.quarantineLists(id, head.Queue)), "whatever")
	switch {
	case err != nil:
		return head.Queue, 0, b.describe("load "+head.Queue, err)
	case reply[0] == "exists":
		return head.Queue, 0, ErrQuarantineExists
	}
	return head.Queue, l.n, nil
}

// loader gathers messages in lists of its own, which expire, until the file
// has proved whole.
type loader struct {
	b      *Broker
	staged string
	n      int64
}

func (l *loader) lists() []string {
	var keys []string
	for _, step := range l.b.PrioritySteps() {
		keys = append(keys, l.staged+l.b.suffix(step))
	}
	return keys
}

func (l *loader) load(ctx context.Context, dec *json.Decoder) error {
	for {
		page, count, err := l.page(dec)
		if err != nil {
			return err
		}
		if err := l.push(ctx, page); err != nil {
			return err
		}
		if count != nil && *count != l.n {
			return fmt.Errorf("the file holds %d messages and says %d", l.n, *count)
		}
		if count != nil {
			return nil
		}
	}
}

func (l *loader) page(dec *json.Decoder) (page []savedLine, count *int64, err error) {
	for range pageSize {
		var line savedLine
		if err := dec.Decode(&line); err != nil {
			return nil, nil, errors.New("the file is cut short or damaged")
		}
		if line.Count != nil {
			return page, line.Count, nil
		}
		if !slices.Contains(l.b.PrioritySteps(), line.Step) {
			return nil, nil, fmt.Errorf("the file has a priority step %d that is not in use", line.Step)
		}
		page = append(page, line)
	}
	return page, nil, nil
}

func (l *loader) push(ctx context.Context, page []savedLine) error {
	_, err := l.b.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, line := range page {
			key := l.staged + l.b.suffix(line.Step)
			pipe.RPush(ctx, key, line.Raw)
			pipe.Expire(ctx, key, loadTTL)
		}
		return nil
	})
	l.n += int64(len(page))
	return l.b.describe("write messages", err)
}
