package portal

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Failed logins that are borne within a window: of one login from one address, of one login from anywhere, and from one
// address for any login. The first stops guessing; the others stop spreading the guesses, and leave room for the
// people behind one address and for the owner of a login that somebody else is guessing at.
const (
	throttleWindow  = 10 * time.Minute
	failuresPair    = 5
	failuresLogin   = 20
	failuresAddress = 20
	throttleEntries = 20000 // remembered at once; when full, the stalest go
)

// throttle counts failed logins in memory.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[throttleKey]*failures
}

// throttleKey is what is counted: failed logins, or, where it says what, that.
type throttleKey struct{ what, login, address string }

type failures struct {
	count int
	since time.Time
}

// throttled refuses until a time has passed.
func throttled(wait time.Duration) *Problem {
	p := problem(http.StatusTooManyRequests, codeThrottled, "too many failed logins; try again later")
	p.RetryAfter = int(wait.Seconds()) + 1
	return p
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, by: map[throttleKey]*failures{}}
}

func throttleKeys(login, address string) map[throttleKey]int {
	return map[throttleKey]int{{login: login, address: address}: failuresPair, {login: login}: failuresLogin, {address: address}: failuresAddress}
}

// wait is how long a login from an address must wait; 0 is not at all.
func (t *throttle) wait(login, address string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var longest time.Duration
	for k, limit := range throttleKeys(login, address) {
		f := t.by[k]
		if f == nil || f.count < limit {
			continue
		}
		longest = max(longest, throttleWindow-t.now().Sub(f.since))
	}
	return longest
}

// failed counts a failed login.
func (t *throttle) failed(login, address string) {
	t.add(slices.Collect(maps.Keys(throttleKeys(login, address)))...)
}

// count is how often something was added within the window.
func (t *throttle) count(k throttleKey) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.by[k]; f != nil && t.now().Sub(f.since) < throttleWindow {
		return f.count
	}
	return 0
}

// add counts one more of each.
func (t *throttle) add(keys ...throttleKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.by) >= throttleEntries {
		t.forget(now)
	}
	for _, k := range keys {
		f := t.by[k]
		if f == nil || now.Sub(f.since) >= throttleWindow {
			f = &failures{since: now}
			t.by[k] = f
		}
		f.count++
	}
}

// succeeded forgets the failures of a login from an address.
func (t *throttle) succeeded(login, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, throttleKey{login: login, address: address})
}

// forget drops what is past its window; when that is not enough, half of the rest.
func (t *throttle) forget(now time.Time) {
	for k, f := range t.by {
		if now.Sub(f.since) >= throttleWindow {
			delete(t.by, k)
		}
	}
	for k := range t.by {
		if len(t.by) < throttleEntries/2 {
			return
		}
		delete(t.by, k)
	}
}
