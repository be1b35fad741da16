package portal

import (
	"maps"
	"sync"
	"time"
)

// allowance lets everybody do something so many times within a window of time. It is of this replica and its memory.
type allowance struct {
	most   int
	within time.Duration
	kept   int // remembered at once; when more are, those whose window is over go
	mu     sync.Mutex
	by     map[string]*used
}

type used struct {
	count int
	since time.Time
}

const allowancesKept = 20_000

func newAllowance(most int, within time.Duration) *allowance {
	return &allowance{most: most, within: within, kept: allowancesKept, by: map[string]*used{}}
}

// take counts one more; it says how long to wait when there is none left.
func (a *allowance) take(who string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.by) >= a.kept {
		maps.DeleteFunc(a.by, func(_ string, u *used) bool { return now.Sub(u.since) >= a.within })
	}
	u := a.by[who]
	if u == nil || now.Sub(u.since) >= a.within {
		u = &used{since: now}
		a.by[who] = u
	}
	if u.count >= a.most {
		return a.within - now.Sub(u.since)
	}
	u.count++
	return 0
}
