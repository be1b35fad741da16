package ingest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Mapping names the fields of the SM4 door's reports; see mapping.yaml.
type Mapping struct {
	DataID     string            `yaml:"data_id"`
	Enterprise string            `yaml:"enterprise"`
	Gateway    string            `yaml:"gateway"`
	Time       string            `yaml:"time"`
	Connected  string            `yaml:"connected"`
	Readings   string            `yaml:"readings"`
	Metric     string            `yaml:"metric"`
	Value      string            `yaml:"value"`
	Valid      string            `yaml:"valid"`
	TimeLayout string            `yaml:"time_layout"`
	TimeZone   string            `yaml:"time_zone"`
	Metrics    map[string]string `yaml:"metrics"`
	zone       *time.Location
}

//go:embed mapping.yaml
var defaultMapping []byte

// DefaultMapping is the report of domain 2.3.
func DefaultMapping() *Mapping {
	m, err := ParseMapping(defaultMapping)
	if err != nil {
		panic(fmt.Sprintf("ingest: embedded mapping: %v", err))
	}
	return m
}

// ParseMapping reads a mapping; what it leaves out is as in the default.
func ParseMapping(raw []byte) (*Mapping, error) {
	m := &Mapping{}
	for _, b := range [][]byte{defaultMapping, raw} {
		if err := yaml.Unmarshal(b, m); err != nil {
			return nil, fmt.Errorf("report mapping: %w", err)
		}
	}
	return m, m.check()
}

func (m *Mapping) check() error {
	var errs []error
	for name, v := range map[string]string{"time": m.Time, "readings": m.Readings, "metric": m.Metric, "value": m.Value, "time_layout": m.TimeLayout} {
		if v == "" {
			errs = append(errs, fmt.Errorf("report mapping: %s is empty", name))
		}
	}
	zone, err := parseZone(m.TimeZone)
	if err != nil {
		errs = append(errs, fmt.Errorf("report mapping: time_zone: %w", err))
	}
	m.zone = zone
	return errors.Join(errs...)
}

func parseZone(s string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", s); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("neither an offset like +08:00 nor a zone that is known: %w", err)
	}
	return zone, nil
}

// when reads a report's time, in ms.
func (m *Mapping) when(raw json.RawMessage) (int64, error) {
	text := string(raw)
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		text = s
	}
	switch m.TimeLayout {
	case "ms", "s":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("time %s: %w", clip(text), err)
		}
		if m.TimeLayout == "s" {
			n *= 1000
		}
		return n, nil
	}
	t, err := time.ParseInLocation(m.TimeLayout, text, m.zone)
	if err != nil {
		return 0, fmt.Errorf("time %q, wanted the form %s", clip(text), m.TimeLayout)
	}
	return t.UnixMilli(), nil
}

// report is a decrypted report, by the mapping.
type report struct {
	dataID     string
	enterprise string
	gateway    string
	time       json.RawMessage
	lost       bool
	readings   []json.RawMessage
}

// report takes the outer form of a report apart.
func (m *Mapping) report(plain []byte) (report, error) {
	var r report
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(plain, &fields); err != nil {
		return r, fmt.Errorf("report: %w", err)
	}
	connected := true
	for name, to := range map[string]any{m.Enterprise: &r.enterprise, m.Gateway: &r.gateway, m.Connected: &connected, m.Readings: &r.readings} {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return r, fmt.Errorf("report: field %s: %w", name, err)
			}
		}
	}
	if raw, ok := fields[m.DataID]; ok {
		if err := json.Unmarshal(raw, &r.dataID); err != nil {
			r.dataID = clip(string(raw)) // a number is as good
		}
	}
	r.time, r.lost = fields[m.Time], !connected
	return r, nil
}

// reading takes one reading of a report apart; valid is false for one that the sender says is faulty.
func (m *Mapping) reading(raw json.RawMessage) (metric string, value float64, valid bool, err error) {
	var fields map[string]json.RawMessage
	if err = json.Unmarshal(raw, &fields); err != nil {
		return "", 0, false, fmt.Errorf("reading: %w", err)
	}
	if err = json.Unmarshal(fields[m.Metric], &metric); err != nil {
		return "", 0, false, fmt.Errorf("field %s is no text", m.Metric)
	}
	valid = true
	if raw, ok := fields[m.Valid]; ok {
		if err = json.Unmarshal(raw, &valid); err != nil {
			return "", 0, false, fmt.Errorf("field %s is no boolean", m.Valid)
		}
	}
	if value, err = number(fields[m.Value]); err != nil {
		return "", 0, false, fmt.Errorf("field %s is no number", m.Value)
	}
	if ours, ok := m.Metrics[metric]; ok {
		metric = ours
	}
	return metric, value, valid, nil
}

// number reads a JSON number or boolean.
func number(raw json.RawMessage) (float64, error) {
	var on bool
	if err := json.Unmarshal(raw, &on); err == nil && string(raw) != "null" {
		if on {
			return 1, nil
		}
		return 0, nil
	}
	v := math.NaN()
	if err := json.Unmarshal(raw, &v); err != nil {
		return 0, fmt.Errorf("number: %w", err)
	}
	if math.IsNaN(v) {
		return 0, errType
	}
	return v, nil
}
