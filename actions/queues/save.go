package queues

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gradecockpit/actions"
)

// file is where a purge of a queue is saved.
func (x deps) file(id, queue string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, queue)
	return filepath.Join(x.d.SaveDir, id+"-"+safe+".jsonl")
}

// save writes a queue, or its quarantine, into a file that only we may read.
// The file appears whole or not at all.
func (x deps) save(ctx context.Context, path, queue, id string) (n int64, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, fmt.Errorf("save the queue: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".saving-*") // mode 0600
	if err != nil {
		return 0, fmt.Errorf("save the queue: %w", err)
	}
	n, err = x.d.Broker.SaveRaw(ctx, f, queue, id)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("save the queue: %w", err), os.Remove(f.Name()))
	}
	return n, nil
}

// unmoved is the end of a purge that moved nothing: its file goes too, unless
// it is not known whether anything moved.
func (x deps) unmoved(e actions.Effect, path string, err error) (actions.Effect, error) {
	var unsure *actions.Unsure
	if errors.As(err, &unsure) {
		return e, err
	}
	return actions.Effect{}, errors.Join(err, os.Remove(path))
}
