package collect

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"dusthub/schema"

	"go.yaml.in/yaml/v3"
)

// Config of an edge gateway, as its YAML file has it.
type Config struct {
	Gateway     string       `yaml:"gateway" koanf:"gateway"`           // code of the gateway; CN of its certificate
	IdentityDir string       `yaml:"identity_dir" koanf:"identity_dir"` // five PEM files
	Ops         string       `yaml:"ops" koanf:"ops"`                   // address of /healthz and /metrics; empty: none
	Target      Target       `yaml:"target" koanf:"target"`
	Buffer      BufferConfig `yaml:"buffer" koanf:"buffer"`
	Modbus      []Source     `yaml:"modbus" koanf:"modbus"`
}

// Target is the site that readings go to.
type Target struct {
	Site  string   `yaml:"site" koanf:"site"`   // CN that its certificate must have
	Addrs []string `yaml:"addrs" koanf:"addrs"` // its replicas, host:port
}

// BufferConfig is where readings wait, and how many.
type BufferConfig struct {
	Dir      string `yaml:"dir" koanf:"dir"`
	MaxBytes int64  `yaml:"max_bytes" koanf:"max_bytes"` // 256 MB: some seven days of forty metrics a second
}

// Source is one controller.
type Source struct {
	URL       string        `yaml:"url" koanf:"url"`               // tcp://host:502
	Unit      uint8         `yaml:"unit" koanf:"unit"`             // Modbus unit id
	Period    time.Duration `yaml:"period" koanf:"period"`         // 1 s
	Timeout   time.Duration `yaml:"timeout" koanf:"timeout"`       // of one request, 1 s
	WordOrder string        `yaml:"word_order" koanf:"word_order"` // of 32-bit values: high_first (default) or low_first
	Points    []Point       `yaml:"points" koanf:"points"`
}

// Point is one value of a controller and the metric it is.
type Point struct {
	Metric   string  `yaml:"metric" koanf:"metric"`
	Register string  `yaml:"register" koanf:"register"` // holding, input, coil, discrete
	Address  uint16  `yaml:"address" koanf:"address"`   // counted from 0
	Type     string  `yaml:"type" koanf:"type"`         // int16, uint16, int32, uint32, float32; of coils and discrete inputs: nothing
	Scale    float64 `yaml:"scale" koanf:"scale"`       // value = register * scale; 0 is 1
}

const (
	defaultPeriod   = time.Second
	defaultTimeout  = time.Second
	minPeriod       = 10 * time.Millisecond
	defaultMaxBytes = 256 << 20
	minMaxBytes     = 1 << 20
	defaultUnit     = 1
)

// LoadConfig reads and checks a configuration file; a key it does not know is an error.
func LoadConfig(path string) (Config, error) {
	var c Config
	if err := decodeFile(path, &c); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if err := c.Check(); err != nil {
		return c, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return c, nil
}

// decodeFile reads a YAML file strictly.
func decodeFile(path string, into any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Check fills in defaults and names everything that is wrong.
func (c *Config) Check() error {
	e := c.common()
	if c.Buffer.Dir == "" {
		e.add("buffer.dir: a folder is needed")
	}
	if len(c.Modbus) == 0 {
		e.add("modbus: no controller to poll")
	}
	seen := map[string]string{}
	for i := range c.Modbus {
		c.Modbus[i].check(fmt.Sprintf("modbus[%d]", i), seen, e)
	}
	return errors.Join(e.list...)
}

// common checks what polling and replaying share.
func (c *Config) common() *faults {
	e := &faults{}
	if !schema.Patterns["gateway_code"].MatchString(c.Gateway) {
		e.add("gateway: %q is no gateway's code (enterprise code, G, 2 digits)", c.Gateway)
	}
	if c.IdentityDir == "" {
		e.add("identity_dir: a folder is needed")
	}
	if c.Target.Site == "" {
		e.add("target.site: the site's id is needed")
	}
	if len(c.Target.Addrs) == 0 {
		e.add("target.addrs: at least one address is needed")
	}
	for i, a := range c.Target.Addrs {
		e.address(fmt.Sprintf("target.addrs[%d]", i), a)
	}
	if c.Ops != "" {
		e.address("ops", c.Ops)
	}
	if c.Buffer.MaxBytes == 0 {
		c.Buffer.MaxBytes = defaultMaxBytes
	}
	if c.Buffer.MaxBytes < minMaxBytes {
		e.add("buffer.max_bytes: %d, at least %d", c.Buffer.MaxBytes, minMaxBytes)
	}
	return e
}

// faults gathers what is wrong.
type faults struct{ list []error }

func (e *faults) add(format string, args ...any) {
	e.list = append(e.list, fmt.Errorf(format, args...))
}

func (e *faults) address(key, addr string) {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		e.add("%s: %q is not host:port", key, addr)
	}
}

func (s *Source) check(key string, seen map[string]string, e *faults) {
	host, ok := strings.CutPrefix(s.URL, "tcp://")
	if !ok {
		e.add("%s.url: %q does not begin with tcp://", key, s.URL)
	} else {
		e.address(key+".url", host)
	}
	if s.Unit == 0 {
		s.Unit = defaultUnit
	}
	if s.Period == 0 {
		s.Period = defaultPeriod
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.Period < minPeriod || s.Timeout < 0 {
		e.add("%s.period: %s, at least %s, and timeout %s, at least 0", key, s.Period, minPeriod, s.Timeout)
	}
	if s.WordOrder != "" && s.WordOrder != "high_first" && s.WordOrder != "low_first" {
		e.add("%s.word_order: %q, wanted high_first or low_first", key, s.WordOrder)
	}
	if len(s.Points) == 0 {
		e.add("%s.points: none", key)
	}
	for i := range s.Points {
		s.Points[i].check(fmt.Sprintf("%s.points[%d]", key, i), seen, e)
	}
}

func (p *Point) check(key string, seen map[string]string, e *faults) {
	if !schema.Patterns["metric_code"].MatchString(p.Metric) {
		e.add("%s.metric: %q is no metric's code (collector code, kind, 2 digits)", key, p.Metric)
	}
	if other, ok := seen[p.Metric]; ok {
		e.add("%s.metric: %s is read by %s already", key, p.Metric, other)
	}
	seen[p.Metric] = key
	bits, known := registers[p.Register]
	if !known {
		e.add("%s.register: %q, wanted holding, input, coil or discrete", key, p.Register)
	}
	if _, ok := widths[p.Type]; known && !bits && !ok {
		e.add("%s.type: %q, wanted int16, uint16, int32, uint32 or float32", key, p.Type)
	}
	if known && bits && p.Type != "" && p.Type != "bool" {
		e.add("%s.type: %q, a %s has none", key, p.Type, p.Register)
	}
	if widths[p.Type] == 2 && p.Address == 1<<16-1 {
		e.add("%s.address: %d is the last register, a %s needs two", key, p.Address, p.Type)
	}
}

// registers says of each table whether it holds bits; widths how many registers a type takes.
var (
	registers = map[string]bool{"holding": false, "input": false, "coil": true, "discrete": true}
	widths    = map[string]int{"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "float32": 2}
)
