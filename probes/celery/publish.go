package celery

import (
	"context"
	"fmt"
)

// Publish sends a task, once. After an error that is no refusal the message
// may have arrived all the same; Live tells.
func (b *Broker) Publish(ctx context.Context, t Task) error {
	if err := b.writable(); err != nil {
		return err
	}
	raw, err := EncodeTask(t)
	if err != nil {
		return err
	}
	list := b.List(t.Queue, b.Step(t.Priority))
	if err := b.rdb.LPush(ctx, list, raw).Err(); err != nil {
		return b.describe(fmt.Sprintf("send %s to %s", ShortTask(t.Name), t.Queue), err)
	}
	return nil
}
