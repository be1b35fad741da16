package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"dusthub/schema/rpc"

	"github.com/simonvetter/modbus"
)

// Largest requests the protocol allows.
const (
	maxRegisters = 125
	maxBits      = 2000
)

const (
	reopenFirst = 500 * time.Millisecond
	reopenMost  = 30 * time.Second
)

// group is points that one request reads: of one table, and without a hole between them, for a controller may refuse to read a register that it does not have.
type group struct {
	register string
	address  uint16
	length   int
	points   []Point
}

func (p Point) width() int {
	if registers[p.Register] {
		return 1
	}
	return widths[p.Type]
}

// groupPoints makes the requests that read all points.
func groupPoints(points []Point) []group {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Register, b.Register), cmp.Compare(a.Address, b.Address))
	})
	var out []group
	for _, p := range sorted {
		most := maxRegisters
		if registers[p.Register] {
			most = maxBits
		}
		if n := len(out); n > 0 {
			g := &out[n-1]
			end := int(p.Address) + p.width() - int(g.address)
			if g.register == p.Register && int(p.Address) <= int(g.address)+g.length && end <= most {
				g.length = max(g.length, end)
				g.points = append(g.points, p)
				continue
			}
		}
		out = append(out, group{register: p.Register, address: p.Address, length: p.width(), points: []Point{p}})
	}
	return out
}

// poller reads one controller.
type poller struct {
	src    Source
	groups []group
	client *modbus.ModbusClient
	open   bool
	next   time.Time // not to be opened before
	wait   time.Duration
	at     int64 // ms, of the last reading
	lost   atomic.Bool
	take   func(*rpc.Samples) error
	m      *metrics
	log    *slog.Logger
}

func newPoller(src Source, take func(*rpc.Samples) error, m *metrics, log *slog.Logger) (*poller, error) {
	log = log.With("source", src.URL)
	c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: src.URL, Timeout: src.Timeout, Logger: slog.NewLogLogger(log.Handler(), slog.LevelDebug)})
	if err != nil {
		return nil, fmt.Errorf("modbus %s: %w", src.URL, err)
	}
	if err := c.SetUnitId(src.Unit); err != nil {
		return nil, fmt.Errorf("modbus %s: unit %d: %w", src.URL, src.Unit, err)
	}
	return &poller{src: src, groups: groupPoints(src.Points), client: c, wait: reopenFirst, take: take, m: m, log: log}, nil
}

// run polls until ctx ends. Errors: what take returns; a controller that does not answer is none.
func (p *poller) run(ctx context.Context) error {
	tick := time.NewTicker(p.src.Period)
	defer tick.Stop()
	defer p.close()
	for {
		if err := p.poll(time.Now()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *poller) close() {
	if p.open {
		p.open = false
		if err := p.client.Close(); err != nil {
			p.log.Debug("close connection to controller", "err", err)
		}
	}
}

// poll reads all points once, as of now.
func (p *poller) poll(now time.Time) error {
	batch, err := p.read(now)
	if err != nil {
		p.m.pollErrors.Inc()
		if !p.lost.Swap(true) {
			p.log.Warn("controller does not answer", "err", err)
		}
		return nil // the site is told that the source is lost; polling goes on
	}
	if p.lost.Swap(false) {
		p.log.Info("controller answers again")
	}
	return p.take(batch)
}

func (p *poller) read(now time.Time) (*rpc.Samples, error) {
	if !p.open {
		if now.Before(p.next) {
			return nil, errors.New("not connected")
		}
		if err := p.client.Open(); err != nil {
			p.retryAfter(now)
			return nil, fmt.Errorf("connect: %w", err)
		}
		p.open = true
	}
	batch := &rpc.Samples{}
	var failed error
	p.at = max(now.UnixMilli(), p.at+1) // two polls are two readings, however late the first was
	for _, g := range p.groups {
		if err := p.group(g, p.at, batch); err != nil {
			failed = fmt.Errorf("read %s %d to %d: %w", g.register, g.address, int(g.address)+g.length-1, err)
			if !answered(err) {
				break
			}
			p.m.pollErrors.Inc()
		}
	}
	if failed != nil && !answered(failed) {
		p.close()
		p.retryAfter(now)
		return nil, failed
	}
	p.wait = reopenFirst
	if len(batch.GetMetrics()) == 0 {
		return nil, failed
	}
	if failed != nil {
		p.log.Debug("controller refuses some registers", "err", failed)
	}
	return batch, nil
}

func (p *poller) retryAfter(now time.Time) {
	p.next = now.Add(p.wait)
	p.wait = min(2*p.wait, reopenMost)
}

// answered says whether an error is the controller's own answer, so that the connection is good.
func answered(err error) bool {
	for _, e := range []error{
		modbus.ErrIllegalFunction, modbus.ErrIllegalDataAddress, modbus.ErrIllegalDataValue, modbus.ErrServerDeviceFailure, modbus.ErrServerDeviceBusy,
		modbus.ErrAcknowledge, modbus.ErrMemoryParityError, modbus.ErrGWPathUnavailable, modbus.ErrGWTargetFailedToRespond,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// group reads the points of one request into batch.
func (p *poller) group(g group, at int64, batch *rpc.Samples) error {
	if registers[g.register] {
		read := p.client.ReadCoils
		if g.register == "discrete" {
			read = p.client.ReadDiscreteInputs
		}
		bits, err := read(g.address, uint16(g.length))
		if err != nil {
			return err
		}
		for _, pt := range g.points {
			v := 0.0
			if bits[pt.Address-g.address] {
				v = 1
			}
			add(batch, pt.Metric, at, v)
		}
		return nil
	}
	table := modbus.HOLDING_REGISTER
	if g.register == "input" {
		table = modbus.INPUT_REGISTER
	}
	words, err := p.client.ReadRegisters(g.address, uint16(g.length), table)
	if err != nil {
		return err
	}
	for _, pt := range g.points {
		v := decode(pt.Type, words[pt.Address-g.address:], p.src.WordOrder == "low_first")
		if math.IsNaN(v) || math.IsInf(v, 0) {
			p.m.pollErrors.Inc()
			p.log.Debug("controller gives no number", "metric", pt.Metric)
			continue
		}
		add(batch, pt.Metric, at, scaled(v, pt.Scale))
	}
	return nil
}

func add(batch *rpc.Samples, metric string, at int64, v float64) {
	batch.Metrics = append(batch.Metrics, &rpc.MetricSamples{Metric: metric, Times: []int64{at}, Values: []float64{v}})
}

// decode reads a value from registers.
func decode(typ string, w []uint16, lowFirst bool) float64 {
	switch typ {
	case "int16":
		return float64(int16(w[0]))
	case "uint16":
		return float64(w[0])
	}
	u := uint32(w[0])<<16 | uint32(w[1])
	if lowFirst {
		u = uint32(w[1])<<16 | uint32(w[0])
	}
	switch typ {
	case "int32":
		return float64(int32(u))
	case "uint32":
		return float64(u)
	}
	return shortest(math.Float32frombits(u))
}

// shortest is the decimal number a 32-bit float stands for: what a controller shows as 23.1 is 23.1 here, not 23.10000038.
func shortest(f float32) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil { // infinities and NaN parse as well
		return float64(f)
	}
	return v
}

// maxScaleDigits is how many decimal places of a scale are looked for.
const maxScaleDigits = 9

// scaled is v * scale as one would write it down: a scale of decimal digits is taken as the fraction it stands for, so that
// 235 at 0.1 is 235/10 = 23.5, and 3 at 0.1 is 0.3, where 3*0.1 is 0.30000000000000004.
func scaled(v, scale float64) float64 {
	if scale == 0 {
		return v
	}
	power := 1.0
	for range maxScaleDigits {
		if whole := math.Round(scale * power); whole/power == scale {
			return v * whole / power
		}
		power *= 10
	}
	return v * scale
}
