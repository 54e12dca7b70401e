package pdf

import (
	"context"
	"encoding/json"
	"io"
	"runtime/metrics"
	"sync"
	"time"
)

// lifetime ends a check whose parent cannot end it.
const lifetime = time.Minute

// Child is the main function of the process that checks: it examines one file,
// writes what it found to out as JSON, and returns the exit code. It ends when
// in does, which is when its parent has died.
func Child(root, name string, in io.Reader, out io.Writer, exit func(code int)) {
	file, limits := File{Root: root, Name: name}, Limits{}.defaults()
	c := child{out: out, exit: exit}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		exit(1)
	}()
	go c.guard(file, limits.Memory)
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	defer cancel()
	c.say(examine(ctx, file, limits))
}

// child speaks once.
type child struct {
	out  io.Writer
	exit func(int)
	once sync.Once
}

func (c *child) say(check Check) {
	c.once.Do(func() {
		code := 0
		if err := json.NewEncoder(c.out).Encode(check); err != nil {
			code = 1
		}
		c.exit(code)
	})
}

// guard ends the process before it takes more memory than it may: what a small
// file unpacks to has no limit.
func (c *child) guard(file File, most int64) {
	held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for ; ; time.Sleep(5 * time.Millisecond) {
		metrics.Read(held)
		if int64(held[0].Value.Uint64()-held[1].Value.Uint64()) > most {
			c.say(Check{Path: file.Path(), Bytes: -1, Pages: -1, Verdict: NotLooked,
				Reason: "it takes more memory to open than this check allows; a worker may run out of memory on it"})
		}
	}
}
