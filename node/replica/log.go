package replica

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	hclog "github.com/hashicorp/go-hclog"
)

// repeatEvery is how often the same complaint about the same replica is logged: raft tries, and complains, many times a second.
const repeatEvery = 10 * time.Second

// hcLogger lets raft and raft-wal log to ours, a level quieter: their information is our debugging.
func hcLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Output: io.Discard, Level: hclog.Debug})
	l.RegisterSink(&sink{log: log, said: map[string]*complaint{}})
	return l
}

type sink struct {
	log  *slog.Logger
	mu   sync.Mutex
	said map[string]*complaint // few: one for each message and replica
}

// complaint is when something was last logged and how often it was not since.
type complaint struct {
	at    time.Time
	quiet int
}

// Accept takes one line of a library's log.
func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Warn:
		to = slog.LevelWarn
	case hclog.Error:
		to = slog.LevelError
	}
	if to > slog.LevelDebug {
		quiet, ok := s.due(msg, args)
		if !ok {
			return
		}
		if quiet > 0 {
			args = append(args, "times", quiet+1)
		}
	}
	s.log.Log(context.Background(), to, msg, append([]any{"from", name}, args...)...)
}

// due says whether a complaint is to be logged now, and how often it was left out.
func (s *sink) due(msg string, args []any) (int, bool) {
	key := msg
	for i := 0; i+1 < len(args); i += 2 {
		if k := args[i]; k == "peer" || k == "target" {
			key += fmt.Sprint(" ", args[i+1])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.said[key]
	if c != nil && time.Since(c.at) < repeatEvery {
		c.quiet++
		return 0, false
	}
	quiet := 0
	if c != nil {
		quiet = c.quiet
	}
	s.said[key] = &complaint{at: time.Now()}
	return quiet, true
}
