package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Check is one question put to a site.
type Check struct {
	ID       string // "events.gap"; stable, reports are compared by it
	Section  string // of docs/protocol.md
	Sent     string // what the auditor does
	Expected string // what a site that conforms does
	// apart says that the check opens no stream as the auditor's child: it may run beside others. A child has one stream at a time.
	apart bool
	// run returns what came. An error is a failure with what came instead, unless it is a skip.
	run func(context.Context, *audit) (string, error)
}

// clauses are the requirements that a part of the suite stands for (A1.6 standards for exchange between levels, A3.1 two
// levels, A3.2 data upward and orders downward, T3 encryption and integrity).
var clauses = map[string]string{
	"transport": "A3.1, T3",
	"hello":     "A1.6, A3.2",
	"events":    "A3.2, T3",
	"backfill":  "A3.2",
	"digests":   "A1.6, T3",
	"downlink":  "A2.1, A3.2",
}

// Clause names the requirements that the check stands for.
func (c Check) Clause() string {
	part, _, _ := strings.Cut(c.ID, ".")
	return clauses[part]
}

// Checks lists every check, in the order in which they run.
func Checks() []Check {
	return slices.Concat(transportChecks(), helloChecks(), eventsChecks(), refusalChecks(), digestsChecks(), downlinkChecks())
}

// skip is the reason why a check did not run.
type skip string

func (s skip) Error() string { return string(s) }

const (
	// checkWithin bounds one check, whatever the site does.
	checkWithin = 2 * time.Minute
	// attempts and pause: a site that says UNAVAILABLE asks its child to come again (section 6).
	attempts = 4
	pause    = time.Second
)

// result runs a check. A site may be without a leader for a moment, so what ends with UNAVAILABLE is asked again.
func (c Check) result(ctx context.Context, a *audit) Result {
	begun := time.Now()
	r := Result{ID: c.ID, Section: c.Section, Clause: c.Clause(), Sent: c.Sent, Expected: c.Expected, Outcome: Passed}
	var err error
	for i := range attempts {
		r.Got, err = c.once(ctx, a)
		if status.Code(err) != codes.Unavailable || i == attempts-1 || !wait(ctx, pause) {
			break
		}
	}
	var reason skip
	switch {
	case errors.As(err, &reason):
		r.Outcome, r.Got = Skipped, reason.Error()
	case err != nil:
		r.Outcome, r.Got = Failed, err.Error()
	}
	r.TookMs = time.Since(begun).Milliseconds()
	return r
}

func (c Check) once(ctx context.Context, a *audit) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	return c.run(ctx, a)
}

// wait waits; false when the context ended first.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// Options of a run. Zero values mean the defaults.
type Options struct {
	// Only are the checks to run, by id; none means all.
	Only []string
	// Patience is how long the site may take to answer. 10 s
	Patience time.Duration
	// Progress is told every result as it comes.
	Progress func(Result)
}

const defaultPatience = 10 * time.Second

// Run audits a site. The error says why the audit could not begin; what the site did wrong stands in the report.
func Run(ctx context.Context, target Target, opt Options) (*Report, error) {
	if opt.Patience == 0 {
		opt.Patience = defaultPatience
	}
	chosen, err := choose(opt.Only)
	if err != nil {
		return nil, err
	}
	a, err := begin(target, opt.Patience)
	if err != nil {
		return nil, err
	}
	defer a.close()
	report := &Report{Site: target.Site, Addr: target.Addr, Auditor: a.child.name(), Epoch: a.child.epoch, Begun: time.Now().UTC(), Results: make([]Result, len(chosen))}
	a.perform(ctx, chosen, report.Results, opt.Progress)
	if err := a.leave(ctx); err != nil {
		report.Left = fmt.Sprintf("the auditor's own Site record could not be deleted: %v", err)
	}
	report.count()
	return report, ctx.Err()
}

func choose(only []string) ([]Check, error) {
	all := Checks()
	if len(only) == 0 {
		return all, nil
	}
	var out []Check
	for _, c := range all {
		if slices.Contains(only, c.ID) {
			out = append(out, c)
		}
	}
	if len(out) != len(only) {
		return nil, fmt.Errorf("conformance: of the checks %q only %d are known", only, len(out))
	}
	return out, nil
}

// perform runs the checks that stand apart beside each other, and the others one after another: beside the first where the
// silent stream is somebody else's, else behind them, since a site may take it for the auditor's newest.
func (a *audit) perform(ctx context.Context, checks []Check, results []Result, progress func(Result)) {
	var telling sync.Mutex
	one := func(i int) {
		results[i] = checks[i].result(ctx, a)
		if progress != nil {
			telling.Lock()
			defer telling.Unlock()
			progress(results[i])
		}
	}
	var group sync.WaitGroup
	for i := range checks {
		if checks[i].apart {
			group.Go(func() { one(i) })
		}
	}
	if a.silent == a.id {
		group.Wait()
	}
	for i := range checks {
		if !checks[i].apart {
			one(i)
		}
	}
	group.Wait()
}
