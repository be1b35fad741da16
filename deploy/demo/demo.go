// Package demo runs the whole of dusthub on one machine: a demo PKI, a ministry, two provinces (one of three replicas),
// edge gateways, and twenty plants whose PLCs and clients it plays. It starts the same program that an operator runs
// and speaks to it through its public doors only.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dusthub/deploy/demo/plants"
	"dusthub/deploy/demo/sim"
)

const (
	readyWithin = 60 * time.Second
	readyPoll   = 200 * time.Millisecond
	startAtOnce = 6 // sites: each reads what it has when it starts, and a country's thirty on a few cores would keep each other from it
)

// Options of a demonstration.
type Options struct {
	Dir       string    // everything it keeps lies under this folder
	Reset     bool      // begin anew
	FreePorts bool      // any ports rather than the well-known ones
	Check     bool      // watch the loop, print what was seen as JSON, stop
	Nation    int       // so many plants in one site of the whole country, instead of the three sites with their twenty
	Announce  string    // file that gets addresses and logins as JSON once everything runs
	Binary    string    // the dusthub program; empty: this one
	Out       io.Writer // progress and the result
	Progress  io.Writer // progress when Check prints its result on Out; nil: Out
}

// run is one demonstration under way.
type run struct {
	opt      Options
	log      *slog.Logger
	sites    []*site
	plants   []plants.Plant
	world    *sim.World
	admins   map[string]*session
	procs    []*process
	gateways map[int]*gatewayProcess
	plcs     []*sim.PLC
	clients  map[int]*sim.Client
	crews    []*crew
	mu       sync.Mutex
}

// Run runs the demonstration until ctx ends, or until the check is done. Nothing is left running when it returns.
func Run(ctx context.Context, opt Options) error {
	if opt.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own program: %w", err)
		}
		opt.Binary = self
	}
	if opt.Progress == nil {
		opt.Progress = opt.Out
	}
	if opt.Reset {
		if err := os.RemoveAll(opt.Dir); err != nil {
			return fmt.Errorf("reset %s: %w", opt.Dir, err)
		}
	}
	dir, err := filepath.Abs(opt.Dir)
	if err != nil {
		return fmt.Errorf("folder %s: %w", opt.Dir, err)
	}
	opt.Dir = dir
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "log", "demo.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer logFile.Close()
	r := &run{
		opt: opt, log: slog.New(slog.NewTextHandler(logFile, nil)), sites: world(), plants: plants.All(),
		admins: map[string]*session{}, gateways: map[int]*gatewayProcess{}, clients: map[int]*sim.Client{},
	}
	if opt.Nation > 0 {
		r.sites, r.plants = nationalSites(), nil
		err = r.playNation(ctx)
	} else {
		err = r.play(ctx)
	}
	if stopErr := r.stop(); stopErr != nil {
		r.log.Error("stop", "err", stopErr)
		err = errors.Join(err, stopErr)
	}
	return err
}

// say prints one line of progress.
func (r *run) say(format string, args ...any) { fmt.Fprintf(r.opt.Progress, format+"\n", args...) }

func (r *run) play(ctx context.Context) error {
	began := time.Now()
	if err := r.startSites(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := r.startPlants(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := r.seed(ctx); err != nil {
		return interrupted(ctx, fmt.Errorf("furnish: %w", err))
	}
	background, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	r.background(background, &group)
	if r.opt.Check {
		return r.check(ctx, cancel, &group)
	}
	if err := r.announce(); err != nil {
		return err
	}
	r.welcome(time.Since(began))
	<-ctx.Done()
	r.say("stopping ...")
	return nil
}

// interrupted makes nothing of an error that only came because somebody pressed Ctrl-C.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // a part that was told to stop complains that it was stopped
	}
	return err
}

func (r *run) startSites(ctx context.Context) error {
	if err := place(r.sites, r.opt.FreePorts || r.opt.Check); err != nil {
		return err
	}
	r.say("certificates ...")
	if err := certify(r.opt.Dir, r.sites, r.plants); err != nil {
		return err
	}
	passwords, err := adminPasswords(r.opt.Dir)
	if err != nil {
		return err
	}
	for n, s := range r.sites {
		if n >= startAtOnce {
			if err := r.ready(ctx, r.sites[n-startAtOnce]); err != nil {
				return err
			}
		}
		r.say("starting %s (%s, %d replica%s) ...", s.Name, s.ID, len(s.Replicas), map[bool]string{true: "s"}[len(s.Replicas) > 1])
		for i := range s.Replicas {
			path, err := configure(r.opt.Dir, r.sites, s, i)
			if err != nil {
				return err
			}
			p, err := start(r.opt.Binary, r.opt.Dir, fmt.Sprintf("%s-%d", s.ID, i+1), "serve", "--config", path)
			if err != nil {
				return err
			}
			r.procs = append(r.procs, p)
		}
		r.admins[s.ID] = newSession(s.regulator(), "admin", passwords["admin"])
	}
	for _, s := range r.sites {
		if err := r.ready(ctx, s); err != nil {
			return err
		}
		if err := provision(ctx, r.admins[s.ID], newSession(s.regulator(), "security", passwords["security"]), s, r.plants); err != nil {
			return fmt.Errorf("set up %s: %w", s.ID, err)
		}
		r.say("%s is ready", s.Name)
	}
	return nil
}

// ready waits until every replica of a site says so.
func (r *run) ready(ctx context.Context, s *site) error {
	deadline := time.Now().Add(readyWithin)
	for i := range s.Replicas {
		for {
			err := probe(ctx, "http://"+s.Replicas[i].Ops+"/readyz")
			if err == nil {
				break
			}
			for _, p := range r.procs {
				if !p.running() {
					return fmt.Errorf("%s has ended: see %s", p.name, p.log)
				}
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s-%d is not ready after %s: %w", s.ID, i+1, readyWithin, err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(readyPoll):
			}
		}
	}
	return nil
}

func probe(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &statusError{Status: res.StatusCode, Body: url}
	}
	return nil
}

// stop ends everything, all at once.
func (r *run) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var group sync.WaitGroup
	within := stopWithin
	if r.opt.Nation > 0 {
		within = stopWithinNation
	}
	all := append([]*process{}, r.procs...)
	for _, g := range r.gateways {
		if g.process != nil {
			all = append(all, g.process)
		}
	}
	errs := make([]error, len(all))
	for i, p := range all {
		group.Go(func() {
			if p.running() {
				errs[i] = p.stop(within)
			}
		})
	}
	group.Wait()
	err := errors.Join(errs...)
	for _, p := range r.plcs {
		err = errors.Join(err, p.Stop())
	}
	return err
}

func (r *run) welcome(took time.Duration) {
	r.say("\ndusthub runs (%s). Password of everybody: %s\n", took.Round(time.Second), Password)
	for _, s := range r.sites {
		r.say("  %s", s.Name)
		r.say("    监管端 regulators   %s   login %s", s.regulator(), regulatorLogin(s))
		if s.Level == "ministry" {
			continue
		}
		for _, p := range r.plants {
			if p.Site == s.ID {
				r.say("    企业端 plants       %s   login %s (%s), %s", s.enterprise(), managerLogin(p), p.Name, workerLogin(p))
				break
			}
		}
	}
	r.say("\n  Twenty plants, each with m0001 ... m0020 (manager) and w0001 ... w0020 (worker). Data and logs: %s", r.opt.Dir)
	r.say("  Something goes wrong somewhere every few seconds. Ctrl-C stops everything.")
}
