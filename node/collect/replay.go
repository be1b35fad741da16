package collect

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dusthub/schema"
	"dusthub/schema/rpc"
)

// How a replay treats the times of a file.
const (
	ModeOriginal = "original" // as they stand
	ModeShift    = "shift"    // moved, all by the same
	ModeCompress = "compress" // moved, and brought pace times closer together
)

// CSVMapping says how a file of recorded readings is read.
type CSVMapping struct {
	Separator string            `yaml:"separator"` // "," when empty
	Time      CSVTime           `yaml:"time"`
	Columns   map[string]string `yaml:"columns"` // column: metric
	Mode      string            `yaml:"mode"`    // original when empty
	// Anchor is the reading that becomes now: "last" (default of shift), then all is the past and sent at once; or "first" (default of
	// compress), then readings are sent when their time comes.
	Anchor string  `yaml:"anchor"`
	Pace   float64 `yaml:"pace"` // compress: 1 when 0
}

// CSVTime is the column that holds the time, its form (a Go layout, or "s" or "ms" since 1970) and its zone (a name, or an offset like +08:00).
type CSVTime struct {
	Column string `yaml:"column"`
	Format string `yaml:"format"`
	Zone   string `yaml:"zone"` // UTC when empty
}

// LoadReplay reads what a replay needs: a gateway's configuration, whose controllers it does not need, and a mapping. A key it does not know is an error.
func LoadReplay(configFile, mappingFile, file string) (ReplayConfig, error) {
	r := ReplayConfig{File: file}
	if err := errors.Join(decodeFile(configFile, &r.Config), decodeFile(mappingFile, &r.Mapping)); err != nil {
		return r, fmt.Errorf("replay: %w", err)
	}
	return r, r.check()
}

func (r *ReplayConfig) check() error {
	if err := errors.Join(append(r.Config.common().list, r.Mapping.Check())...); err != nil {
		return fmt.Errorf("replay:\n%w", err)
	}
	return nil
}

// Check fills in defaults and names everything that is wrong.
func (m *CSVMapping) Check() error {
	e := &faults{}
	if m.Separator == "" {
		m.Separator = ","
	}
	if r := []rune(m.Separator); len(r) != 1 || strings.ContainsRune("\"\r\n", r[0]) {
		e.add("separator: %q, wanted one character", m.Separator)
	}
	if m.Time.Column == "" || m.Time.Format == "" {
		e.add("time: column and format are needed")
	}
	if _, err := zoneOf(m.Time.Zone); err != nil {
		e.add("time.zone: %w", err)
	}
	if len(m.Columns) == 0 {
		e.add("columns: none")
	}
	seen := map[string]string{}
	for _, column := range slices.Sorted(maps.Keys(m.Columns)) {
		metric := m.Columns[column]
		if !schema.Patterns["metric_code"].MatchString(metric) {
			e.add("columns.%s: %q is no metric's code", column, metric)
		}
		if other, ok := seen[metric]; ok {
			e.add("columns.%s: %s is filled from column %q already", column, metric, other)
		}
		seen[metric] = column
	}
	if m.Mode == "" {
		m.Mode = ModeOriginal
	}
	if !slices.Contains([]string{ModeOriginal, ModeShift, ModeCompress}, m.Mode) {
		e.add("mode: %q, wanted original, shift or compress", m.Mode)
	}
	if !slices.Contains([]string{"", "first", "last"}, m.Anchor) {
		e.add("anchor: %q, wanted first or last", m.Anchor)
	}
	if m.Pace == 0 {
		m.Pace = 1
	}
	if m.Pace < 0 || math.IsNaN(m.Pace) || math.IsInf(m.Pace, 0) {
		e.add("pace: %v, wanted more than 0", m.Pace)
	}
	return errors.Join(e.list...)
}

func zoneOf(name string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	zone, err := time.LoadLocation(name) // "" is UTC
	if err != nil {
		return nil, fmt.Errorf("neither an offset nor a zone that is known: %w", err)
	}
	return zone, nil
}

// ReplayConfig is a file, how it is read, and who sends it where.
type ReplayConfig struct {
	Config  Config // gateway, identity, target, buffer; controllers are not polled
	File    string
	Mapping CSVMapping
	Now     func() time.Time // time.Now
	Logger  *slog.Logger
}

// ReplayReport says what became of a file.
type ReplayReport struct {
	Rows     int `json:"rows"`     // of the file
	Readings int `json:"readings"` // sent
	Skipped  int `json:"skipped"`  // cells that are empty or no number
	Stored   int `json:"stored"`   // acknowledged as stored, or as there already
	Refused  int `json:"refused"`
}

// row is one row of the file: values by column of the mapping, NaN where there is none.
type row struct {
	time   int64
	values []float64
}

// Replay sends a file and returns when the site has acknowledged all of it. Errors: a file or mapping that cannot be read, the context's.
func Replay(ctx context.Context, cfg ReplayConfig) (ReplayReport, error) {
	var report ReplayReport
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.check(); err != nil {
		return report, err
	}
	rows, metrics, err := cfg.Mapping.read(cfg.File, &report)
	if err != nil {
		return report, err
	}
	if cfg.Config.Buffer.Dir != "" {
		if err = os.MkdirAll(cfg.Config.Buffer.Dir, folderMode); err != nil {
			return report, fmt.Errorf("replay: %w", err)
		}
	}
	dir, err := os.MkdirTemp(cfg.Config.Buffer.Dir, "replay-*")
	if err != nil {
		return report, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left of it does no harm
	g, err := newGateway(cfg.Config, dir, cfg.Logger)
	if err != nil {
		return report, err
	}
	err = g.replay(ctx, cfg, rows, metrics, &report)
	return report, errors.Join(err, g.buffer.Close())
}

// read reads the whole file, so that where it ends is known before the first reading leaves.
func (m *CSVMapping) read(path string, report *ReplayReport) ([]row, []string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("replay: %w", err)
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.Comma = []rune(m.Separator)[0]
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("replay %s: first row: %w", path, err)
	}
	head = slices.Clone(head)
	head[0] = strings.TrimPrefix(head[0], "\uFEFF")
	timeAt := slices.Index(head, m.Time.Column)
	if timeAt < 0 {
		return nil, nil, fmt.Errorf("replay %s: no column %q; there are %q", path, m.Time.Column, head)
	}
	columns := slices.Sorted(maps.Keys(m.Columns))
	at, metrics := make([]int, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		if at[i] = slices.Index(head, c); at[i] < 0 {
			return nil, nil, fmt.Errorf("replay %s: no column %q; there are %q", path, c, head)
		}
		metrics[i] = m.Columns[c]
	}
	zone, err := zoneOf(m.Time.Zone)
	if err != nil {
		return nil, nil, err
	}
	var rows []row
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			report.Rows = len(rows)
			return rows, metrics, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("replay %s: %w", path, err)
		}
		line, _ := in.FieldPos(timeAt)
		t, err := m.Time.parse(cells[timeAt], zone)
		if err != nil {
			return nil, nil, fmt.Errorf("replay %s: line %d: %w", path, line, err)
		}
		r := row{t, make([]float64, len(at))}
		for i, k := range at {
			if r.values[i], err = strconv.ParseFloat(strings.TrimSpace(cells[k]), 64); err != nil || math.IsInf(r.values[i], 0) {
				r.values[i] = math.NaN()
			}
			if math.IsNaN(r.values[i]) {
				report.Skipped++
			}
		}
		rows = append(rows, r)
	}
}

func (c CSVTime) parse(s string, zone *time.Location) (int64, error) {
	switch c.Format {
	case "ms", "s":
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, fmt.Errorf("time %q: %w", s, err)
		}
		if c.Format == "s" {
			v *= 1000
		}
		return int64(math.Round(v)), nil
	}
	t, err := time.ParseInLocation(c.Format, s, zone)
	if err != nil {
		return 0, fmt.Errorf("time %q, wanted the form %q", s, c.Format)
	}
	return t.UnixMilli(), nil
}

// retime moves the rows' times as the mapping says, and says whether they are to be waited for.
func (m *CSVMapping) retime(rows []row, now int64) (wait bool) {
	if len(rows) == 0 || m.Mode == ModeOriginal {
		return false
	}
	first, last := rows[0].time, rows[0].time
	for _, r := range rows {
		first, last = min(first, r.time), max(last, r.time)
	}
	pace := 1.0
	if m.Mode == ModeCompress {
		pace = m.Pace
	}
	wait = m.Anchor == "first" || m.Anchor == "" && m.Mode == ModeCompress
	start := now
	if !wait {
		start -= int64(float64(last-first) / pace)
	}
	before := int64(math.MinInt64)
	for i := range rows {
		t := start + int64(float64(rows[i].time-first)/pace)
		if pace != 1 && t <= before {
			t = before + 1 // two readings never fall into one millisecond
		}
		rows[i].time, before = t, t
	}
	return wait
}

const (
	replayRows = 256 // rows of one batch
	replayLook = 10 * time.Millisecond
)

func (g *gateway) replay(ctx context.Context, cfg ReplayConfig, rows []row, metrics []string, report *ReplayReport) error {
	wait := cfg.Mapping.retime(rows, cfg.Now().UnixMilli())
	sendCtx, stop := context.WithCancel(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { g.sender.run(sendCtx) })
	err := g.feed(ctx, cfg, rows, metrics, wait, report)
	for err == nil {
		if n, _, _, _ := g.buffer.levels(); n == 0 {
			break
		}
		err = pause(ctx, replayLook)
	}
	stop()
	sending.Wait()
	report.Stored, report.Refused = int(value(g.m.acked)), int(value(g.m.refused))
	if err != nil {
		return fmt.Errorf("replay %s: %w", filepath.Base(cfg.File), err)
	}
	return nil
}

// feed appends the rows to the buffer, those of the future when their time comes, and never more than the buffer holds.
func (g *gateway) feed(ctx context.Context, cfg ReplayConfig, rows []row, metrics []string, wait bool, report *ReplayReport) error {
	for len(rows) > 0 {
		n := min(len(rows), replayRows)
		for wait && n > 0 && rows[n-1].time > cfg.Now().UnixMilli() {
			n--
		}
		_, bytes, _, _ := g.buffer.levels()
		if n == 0 || bytes > cfg.Config.Buffer.MaxBytes/2 {
			if err := pause(ctx, replayLook); err != nil {
				return err
			}
			continue
		}
		batch := batchOf(rows[:n], metrics)
		if k := count(batch); k > 0 {
			g.m.polled.Add(float64(k))
			report.Readings += k
			if err := g.buffer.Append(batch); err != nil {
				return err
			}
		}
		rows = rows[n:]
	}
	return nil
}

func batchOf(rows []row, metrics []string) *rpc.Samples {
	batch := &rpc.Samples{}
	for i, metric := range metrics {
		c := &rpc.MetricSamples{Metric: metric}
		for _, r := range rows {
			if !math.IsNaN(r.values[i]) {
				c.Times = append(c.Times, r.time)
				c.Values = append(c.Values, r.values[i])
			}
		}
		if len(c.Times) > 0 {
			batch.Metrics = append(batch.Metrics, c)
		}
	}
	return batch
}
