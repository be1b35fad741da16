package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

// Metric is what a door needs to know of a metric.
type Metric struct {
	Code     string
	Gateway  string
	Series   uint32
	Lo, Hi   float64 // range; none when Hi <= Lo
	Disabled bool
}

// Gateway is a gateway of this site with what it proves itself with and the metrics it may send. It is not changed once made.
type Gateway struct {
	Record     *schema.Gateway
	Credential *schema.Credential // nil: none was given
	Metrics    map[string]*Metric // by code
	read       time.Time
}

const (
	directorySize = 8192        // gateways kept in memory
	directoryAge  = time.Minute // a lost event cannot keep a stale gateway longer
	hubBuffer     = 1024
)

// Directory looks gateways up. What it read it keeps, until a row it depends on changes.
type Directory struct {
	store  *store.Store
	events <-chan live.Event
	leave  func()

	mu         sync.RWMutex
	gateways   map[string]*Gateway
	generation uint64 // grows when rows change, so that what was read before is not kept
}

// NewDirectory looks up in st and hears of changes from hub, once Run runs.
func NewDirectory(st *store.Store, hub *live.Hub) *Directory {
	d := &Directory{store: st, gateways: map[string]*Gateway{}}
	d.events, d.leave = hub.Subscribe(hubBuffer)
	return d
}

// Run forgets what changes until ctx ends.
func (d *Directory) Run(ctx context.Context) error {
	defer d.leave()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-d.events:
			if e.Lost || touches(e.Rows) {
				d.forget()
			}
		}
	}
}

// touches says whether rows change what the directory keeps. Base data changes seldom: then all of it is read anew.
func touches(rows []store.Row) bool {
	for _, r := range rows {
		switch r.Type {
		case "Metric", "Gateway", "Credential":
			return true
		}
	}
	return false
}

func (d *Directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generation++
	clear(d.gateways)
}

// Gateway looks a gateway of this site up; false when there is none of that code.
func (d *Directory) Gateway(ctx context.Context, code string) (*Gateway, bool, error) {
	d.mu.RLock()
	g, ok := d.gateways[code]
	generation := d.generation
	d.mu.RUnlock()
	if ok && time.Since(g.read) < directoryAge {
		return g, true, nil
	}
	g, ok, err := d.load(ctx, code)
	if err != nil || !ok {
		return nil, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.generation == generation {
		if len(d.gateways) >= directorySize {
			clear(d.gateways)
		}
		d.gateways[code] = g
	}
	return g, true, nil
}

func (d *Directory) load(ctx context.Context, code string) (*Gateway, bool, error) {
	row, ok, err := d.store.Get("Gateway", code)
	if err != nil {
		return nil, false, fmt.Errorf("look up gateway %s: %w", code, err)
	}
	if !ok || row.Origin != d.store.Site() {
		return nil, false, nil
	}
	record, ok := row.Record.(*schema.Gateway)
	if !ok {
		return nil, false, fmt.Errorf("look up gateway %s: row holds %T", code, row.Record)
	}
	g := &Gateway{Record: record, Metrics: map[string]*Metric{}, read: time.Now()}
	row, ok, err = d.store.Get("Credential", code)
	if err != nil {
		return nil, false, fmt.Errorf("look up credential of %s: %w", code, err)
	}
	if ok {
		g.Credential, _ = row.Record.(*schema.Credential)
	}
	err = d.store.Each(ctx, store.Query{Type: "Metric", Index: "gateway", Prefix: []string{code}}, func(r store.Row) (bool, error) {
		if m := d.metric(r); m != nil {
			g.Metrics[m.Code] = m
		}
		return true, nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("look up metrics of %s: %w", code, err)
	}
	return g, true, nil
}

// metric is nil for a metric of another site, or one that has no series yet.
func (d *Directory) metric(r store.Row) *Metric {
	m, ok := r.Record.(*schema.Metric)
	if !ok || r.Origin != d.store.Site() || m.GetSeries() == 0 {
		return nil
	}
	return &Metric{Code: m.GetCode(), Gateway: m.GetGateway(), Series: m.GetSeries(), Lo: m.GetRangeLo(), Hi: m.GetRangeHi(), Disabled: m.GetDisabled()}
}

// Metric looks one metric up, whosever it is: for a code that the gateway's metrics do not hold.
func (d *Directory) Metric(code string) (*Metric, bool, error) {
	row, ok, err := d.store.Get("Metric", code)
	if err != nil {
		return nil, false, fmt.Errorf("look up metric %s: %w", code, err)
	}
	if !ok {
		return nil, false, nil
	}
	m := d.metric(row)
	return m, m != nil, nil
}

// ByAppID looks up the gateway that an appid was given to.
func (d *Directory) ByAppID(ctx context.Context, appid string) (*Gateway, bool, error) {
	if appid == "" {
		return nil, false, nil
	}
	page, err := d.store.List(ctx, store.Query{Type: "Credential", Index: "appid", Prefix: []string{appid}, Limit: 1})
	if err != nil {
		return nil, false, fmt.Errorf("look up appid: %w", err)
	}
	if len(page.Rows) == 0 {
		return nil, false, nil
	}
	return d.Gateway(ctx, page.Rows[0].Key)
}
