package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"dusthub/deploy/demo/sim"
	"dusthub/schema"
	"dusthub/tools/nation"

	"golang.org/x/sync/errgroup"
)

// A country: a ministry and a site for every province, with 43,000 plants and 300,000 series in all, so that somebody can see the
// pages at the size they are made for. Base data, credentials and readings go through the same doors as those of twenty plants,
// and travel up as theirs do.
const (
	nationBatch   = 1900 // records in one request, which takes 2,000, and a plant more
	nationAtOnce  = 16
	nationSites   = 4  // provinces that get base data at once
	nationLive    = 10 // one plant in so many goes on sending
	nationEvery   = 30 * time.Second
	nationSecrets = "nation.json"
	nationPort    = 8500 // the ministry's; a province's are ten further each
)

// nationalSites are the ministry and the provinces that have counties in the region table.
func nationalSites() []*site {
	out := []*site{{ID: "ministry", Name: "应急管理部", Level: "ministry", Port: nationPort, Replicas: make([]addresses, 1)}}
	for _, county := range nation.Counties() {
		region := county[:2] + "0000"
		if out[len(out)-1].Region == region {
			continue
		}
		out = append(out, &site{
			ID: "province-" + county[:2], Name: schema.RegionName(region) + "应急管理厅", Level: "province", Region: region, Parent: "ministry",
			Port: nationPort + portsOfReplica*len(out), Replicas: make([]addresses, 1),
		})
	}
	return out
}

func (r *run) playNation(ctx context.Context) error {
	began := time.Now()
	if err := r.startSites(ctx); err != nil {
		return interrupted(ctx, err)
	}
	c := country{run: r, counties: nation.Counties(), of: map[string]*site{}}
	for _, s := range r.sites[1:] {
		c.of[s.Region[:2]] = s
	}
	if err := c.seed(ctx); err != nil {
		return interrupted(ctx, err)
	}
	first := c.siteOf(0)
	r.say("\n%d plants with %d series run (%s). Password of everybody: %s\n", r.opt.Nation, r.opt.Nation*nation.SeriesOfPlant, time.Since(began).Round(time.Second), Password)
	r.say("    %s   %s   login bu01 (what has travelled up; it goes on arriving)", r.sites[0].Name, r.sites[0].regulator())
	r.say("    %s   %s   login pr%s", first.Name, first.regulator(), first.Region[:2])
	r.say("    企业端 plants   %s   login m0001 (%s)", first.enterprise(), c.code(0))
	r.say("\n  One plant in %d goes on sending. Data and logs: %s. Ctrl-C stops everything.", nationLive, r.opt.Dir)
	return interrupted(ctx, c.live(ctx))
}

// country is the plants of a national demonstration, and how far it has been brought in.
type country struct {
	*run
	counties []string
	of       map[string]*site // by the first two digits of the region
	mu       sync.Mutex       // over seeded
	seeded
}

// seeded is what was brought in before: kept in a file, so that what was interrupted goes on where it ended.
type seeded struct {
	Plants  int             `json:"plants"`
	Sites   map[string]bool `json:"sites"`   // those that have all their base data
	Secrets []string        `json:"secrets"` // of each plant's gateway; empty: none yet
	Sent    bool            `json:"sent"`    // a first round of readings
}

func (c *country) code(i int) string  { return nation.Code(i, c.counties) }
func (c *country) siteOf(i int) *site { return c.of[c.code(i)[:2]] }

// recall reads what was brought in before.
func (c *country) recall() error {
	path := filepath.Join(c.opt.Dir, nationSecrets)
	known, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.seeded = seeded{Plants: c.opt.Nation, Sites: map[string]bool{}, Secrets: make([]string, c.opt.Nation)}
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(known, &c.seeded); err != nil || c.Plants != c.opt.Nation || len(c.Secrets) != c.Plants || c.Sites == nil {
		return fmt.Errorf("%s is of another country: start with --reset", path)
	}
	return nil
}

func (c *country) keep() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := json.Marshal(c.seeded)
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	path := filepath.Join(c.opt.Dir, nationSecrets)
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("keep credentials: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep credentials: %w", err)
	}
	return nil
}

// seed brings everything in that is not there yet: base data, people, credentials, a first round of readings.
func (c *country) seed(ctx context.Context) (err error) {
	if err := c.recall(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.keep()) }()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{{"base data", c.baseData}, {"people", c.people}, {"credentials", c.credentials}, {"readings", c.first}} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s of the country: %w", step.name, err)
		}
		if err := c.keep(); err != nil {
			return err
		}
		c.say("%s: %s", step.name, time.Since(began).Round(time.Second))
	}
	return nil
}

// baseData gives every province its plants, a batch at a time, some provinces at once.
func (c *country) baseData(ctx context.Context) error {
	plants := map[*site][]int{}
	for i := range c.opt.Nation {
		plants[c.siteOf(i)] = append(plants[c.siteOf(i)], i)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(nationSites)
	for _, s := range c.sites[1:] {
		if c.Sites[s.ID] {
			continue
		}
		group.Go(func() error {
			if err := c.baseDataOf(ctx, s, plants[s]); err != nil {
				return fmt.Errorf("%s: %w", s.ID, err)
			}
			c.mu.Lock()
			c.Sites[s.ID] = true
			c.mu.Unlock()
			return c.keep()
		})
	}
	return group.Wait()
}

func (c *country) baseDataOf(ctx context.Context, s *site, plants []int) error {
	var batch []object
	for n, i := range plants {
		for _, rec := range nation.Base(i, c.counties) {
			batch = append(batch, object{"type": schema.TypeOf(rec), "record": rec})
		}
		if len(batch) <= nationBatch && n < len(plants)-1 {
			continue
		}
		if err := c.admins[s.ID].post(ctx, "/api/v1/records", object{"changes": batch}, nil); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return nil
}

// people are a regulator of every province, and the manager of the first plant.
func (c *country) people(ctx context.Context) error {
	passwords, err := adminPasswords(c.opt.Dir)
	if err != nil {
		return err
	}
	for _, s := range c.sites[1:] {
		who := []person{{"pr" + s.Region[:2], "李值班", "province_regulator", s.Region, ""}}
		if s == c.siteOf(0) {
			who = append(who, person{"m0001", "陈安全", "plant_manager", "", c.code(0)})
		}
		if err := letIn(ctx, newSession(s.regulator(), "security", passwords["security"]), who); err != nil {
			return err
		}
	}
	return nil
}

// credentials gives every gateway that has none a secret.
func (c *country) credentials(ctx context.Context) error {
	return c.each(ctx, 1, func(ctx context.Context, i int) error {
		c.mu.Lock()
		known := c.Secrets[i] != ""
		c.mu.Unlock()
		if known {
			return nil
		}
		var answer struct{ Secret string }
		err := c.admins[c.siteOf(i).ID].post(ctx, "/api/v1/gateways/"+c.code(i)+"G01/credential", object{"kind": "token"}, &answer)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.Secrets[i] = answer.Secret
		return err
	})
}

// first sends a round of readings of every plant, once.
func (c *country) first(ctx context.Context) error {
	if c.Sent {
		return nil
	}
	err := c.send(ctx, 0, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Sent = err == nil
	return err
}

// send sends a round of readings of one plant in so many.
func (c *country) send(ctx context.Context, round, every int) error {
	at := time.Now()
	return c.each(ctx, every, func(ctx context.Context, i int) error {
		readings := make([]sim.Reading, 0, nation.SeriesOfPlant)
		for _, r := range nation.Readings(i, round, c.counties) {
			readings = append(readings, sim.Reading{Metric: r.Metric, Value: r.Value})
		}
		return sim.SendLine(ctx, "http://"+c.siteOf(i).Replicas[0].Access, sim.Credential{Gateway: c.code(i) + "G01", Secret: c.Secrets[i]}, at, readings)
	})
}

// live goes on sending until ctx ends.
func (c *country) live(ctx context.Context) error {
	tick := time.NewTicker(nationEvery)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := c.send(ctx, round, nationLive); err != nil {
				return err
			}
		}
	}
}

// each does something for one plant in so many, several at once.
func (c *country) each(ctx context.Context, every int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(nationAtOnce)
	for i := 0; i < c.opt.Nation && ctx.Err() == nil; i += every {
		group.Go(func() error {
			if err := do(ctx, i); err != nil {
				return fmt.Errorf("plant %s: %w", c.code(i), err)
			}
			return nil
		})
	}
	return group.Wait()
}
