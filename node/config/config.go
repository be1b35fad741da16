// Package config is what an operator sets: one file (YAML), environment variables and flags over it, defaults under it.
// It holds no secret: secrets are in files that it names.
//
// An environment variable is DUSTHUB_ and the key in capitals, with __ for each dot: DUSTHUB_STORE__PARTITION=2m.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// Config is the configuration of one replica of a site. What is under Site, Parent, Store, Engine and Ledger must be the same on
// all replicas of the site.
type Config struct {
	Site        Site      `koanf:"site"`
	DataDir     string    `koanf:"data_dir" validate:"required"`
	IdentityDir string    `koanf:"identity_dir" validate:"required"` // sign.crt sign.key enc.crt enc.key ca.crt
	KeysDir     string    `koanf:"keys_dir"`                         // the site's keys, the same on all replicas; identity_dir/keys
	Replica     Replica   `koanf:"replica"`
	Parent      Parent    `koanf:"parent"` // absent at the root
	Listen      Listen    `koanf:"listen"`
	Store       Store     `koanf:"store"`
	Engine      Engine    `koanf:"engine"`
	Ledger      Ledger    `koanf:"ledger"`
	Bootstrap   Bootstrap `koanf:"bootstrap"`
	Portal      Portal    `koanf:"portal"`
	Doors       Doors     `koanf:"doors"`
	Model       Service   `koanf:"model"`
	Analysis    Analysis  `koanf:"analysis"`
	Notify      Notify    `koanf:"notify"`
	Log         Log       `koanf:"log"`
}

// Site says whose installation this is.
type Site struct {
	ID     string `koanf:"id" validate:"required,site_id"`
	Name   string `koanf:"name" validate:"required,max=100"`
	Level  string `koanf:"level" validate:"required,oneof=ministry province city"`
	Region string `koanf:"region" validate:"omitempty,region"` // GB/T 2260; absent at the ministry
}

// Replica is this process among the replicas of its site.
type Replica struct {
	ID        string `koanf:"id" validate:"required,max=64"`
	Raft      string `koanf:"raft" validate:"required,address"`
	RPC       string `koanf:"rpc" validate:"required,address"`
	Peers     []Peer `koanf:"peers" validate:"dive"` // all replicas of the site
	Bootstrap bool   `koanf:"bootstrap"`             // begin a new log when there is none
	// Heartbeat is how long replicas bear to hear nothing of their leader before they elect another.
	Heartbeat time.Duration `koanf:"heartbeat" validate:"min=100ms,max=1m"`
}

// Peer is a replica of the site, by the addresses the others reach it at.
type Peer struct {
	ID   string `koanf:"id" validate:"required,max=64"`
	Raft string `koanf:"raft" validate:"required,address"`
	RPC  string `koanf:"rpc" validate:"required,address"`
}

// Parent is the site above.
type Parent struct {
	Site string `koanf:"site" validate:"omitempty,site_id"`
	Addr string `koanf:"addr" validate:"omitempty,address"` // its listen.grpc
}

// Listen are the addresses this replica listens on; an empty one is not served.
type Listen struct {
	Regulator  string `koanf:"regulator" validate:"omitempty,address"`
	Enterprise string `koanf:"enterprise" validate:"omitempty,address"`
	Access     string `koanf:"access" validate:"omitempty,address"`
	MQTT       string `koanf:"mqtt" validate:"omitempty,address"`
	GRPC       string `koanf:"grpc" validate:"omitempty,address"`
	Ops        string `koanf:"ops" validate:"omitempty,address"`
}

// Store is how samples and records are kept.
type Store struct {
	Partition       time.Duration `koanf:"partition" validate:"min=1s,max=24h"`        // samples seal in intervals of this length
	Grace           time.Duration `koanf:"grace" validate:"min=0,max=24h"`             // after the end of an interval it seals
	LateWindow      time.Duration `koanf:"late_window" validate:"min=1m,max=8760h"`    // older samples are refused
	LiveWithin      time.Duration `koanf:"live_within" validate:"min=1s,max=24h"`      // older samples never alarm
	CheckpointEvery time.Duration `koanf:"checkpoint_every" validate:"min=1s,max=24h"` // bounds the replay after a crash
	CacheMB         int           `koanf:"cache_mb" validate:"min=8,max=1048576"`
	LogMB           int           `koanf:"log_mb" validate:"min=64,max=1048576"` // of the log are kept for lagging replicas and the live lane
}

// Engine is how the site judges.
type Engine struct {
	Tick         time.Duration `koanf:"tick" validate:"min=1s,max=1m"`
	OfflineAfter time.Duration `koanf:"offline_after" validate:"min=1s,max=24h"`
	FanStopDelay time.Duration `koanf:"fan_stop_delay" validate:"min=0,max=1h"` // the fan runs on after production (GB 15577-2018 8.1.6)
	Model        string        `koanf:"model"`                                  // risk model: empty the shipped one, "demo" the demonstration's, else a file
}

// Ledger is how the ledger is signed.
type Ledger struct {
	CheckpointEvery time.Duration `koanf:"checkpoint_every" validate:"min=1s,max=24h"`
}

// Bootstrap makes the first administrators, each when there is no such user: of the system, of security (who lets people
// in), and of the audit. They are three people (三权分立).
type Bootstrap struct {
	AdminLogin           string `koanf:"admin_login" validate:"omitempty,login"`
	AdminPasswordFile    string `koanf:"admin_password_file"`
	SecurityLogin        string `koanf:"security_login" validate:"omitempty,login"`
	SecurityPasswordFile string `koanf:"security_password_file"`
	AuditLogin           string `koanf:"audit_login" validate:"omitempty,login"`
	AuditPasswordFile    string `koanf:"audit_password_file"`
}

// Portal is how people prove who they are (GB/T 22239-2019 8.1.4.1).
type Portal struct {
	// FirstChange: a password that an administrator gave is changed before anything else is open.
	FirstChange bool `koanf:"first_change"`
	// SecondFactor of regulators and administrators beside the password: "required" or "optional".
	SecondFactor string `koanf:"second_factor" validate:"oneof=required optional"`
	// Proxies before the portals, by network (CIDR): only they are believed who asks.
	Proxies []string `koanf:"proxies" validate:"dive,cidr"`
	// TLS: browsers reach the portals over TLS, so that cookies are sent over it alone.
	TLS  bool `koanf:"tls"`
	OIDC OIDC `koanf:"oidc"`
}

// Doors are the ways in for gateways.
type Doors struct {
	CompatMapping  string `koanf:"compat_mapping"`                              // YAML file; empty: the shipped mapping
	RatePerGateway int    `koanf:"rate_per_gateway" validate:"min=1"`           // readings a second, on average
	MaxBody        int    `koanf:"max_body" validate:"min=1024,max=1073741824"` // bytes
}

// Service bounds what one caller may ask of the risk model as a service (T4); usage is logged in any case.
type Service struct {
	Rate       int `koanf:"rate" validate:"min=1,max=1000000"`             // evaluations a second, on average
	Burst      int `koanf:"burst" validate:"min=1,max=1000000"`            // evaluations at once
	Concurrent int `koanf:"concurrent" validate:"min=1,max=10000"`         // calls under way
	Batch      int `koanf:"batch" validate:"min=1,max=10000"`              // plants in one call
	ReplayDays int `koanf:"replay_days" validate:"min=1,max=3660"`         // longest interval that is judged again
	Plants     int `koanf:"back_test_plants" validate:"min=1,max=1000000"` // most plants of a back-test
}

// Analysis is how often a site looks at how its regions and their data are (F2.5). What it sees is written by the leader.
type Analysis struct {
	SampleEvery   time.Duration `koanf:"sample_every" validate:"min=1s,max=24h"`   // who is connected and heard
	ReadingsEvery time.Duration `koanf:"readings_every" validate:"min=1m,max=24h"` // how good the day's readings are; yesterday's are judged once
	ReportsBack   int           `koanf:"reports_back" validate:"min=1,max=366"`    // so many reports of each kind are made up for after the site was down
}

// Log is what is written to standard error.
type Log struct {
	Level  string `koanf:"level" validate:"oneof=debug info warn error"`
	Format string `koanf:"format" validate:"oneof=text json"`
}

// Defaults are what holds where nothing is set.
func Defaults() Config {
	return Config{
		Replica: Replica{Raft: "127.0.0.1:7001", RPC: "127.0.0.1:7002", Bootstrap: true, Heartbeat: 500 * time.Millisecond},
		Store: Store{
			Partition: 2 * time.Hour, Grace: 10 * time.Minute, LateWindow: 168 * time.Hour, LiveWithin: 10 * time.Minute,
			CheckpointEvery: 5 * time.Minute, CacheMB: 64, LogMB: 1024,
		},
		Engine:   Engine{Tick: time.Second, OfflineAfter: 10 * time.Minute, FanStopDelay: 10 * time.Minute},
		Ledger:   Ledger{CheckpointEvery: 10 * time.Second},
		Portal:   Portal{FirstChange: true, SecondFactor: "required", Proxies: []string{}, OIDC: OIDC{Regulator: noProvider(), Enterprise: noProvider()}},
		Doors:    Doors{RatePerGateway: 10000, MaxBody: 4 << 20},
		Model:    Service{Rate: 100, Burst: 1000, Concurrent: 4, Batch: 1000, ReplayDays: 31, Plants: 100000},
		Analysis: Analysis{SampleEvery: time.Hour, ReadingsEvery: 6 * time.Hour, ReportsBack: 7},
		Notify: Notify{
			Networks: []string{},
			Language: "zh", Queue: 10_000, Workers: 8, Attempts: 8, Backoff: 10 * time.Second, BackoffMost: time.Hour, Timeout: 15 * time.Second,
			SMTP: SMTP{TLS: "starttls"},
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

const (
	tag       = "koanf"
	dot       = "."
	envPrefix = "DUSTHUB_"
	envDot    = "__"
)

// Load reads a configuration: defaults, then the file (none when path is empty), then the environment, then overrides by key
// ("store.partition"). The error names everything that is wrong.
func Load(path string, environ []string, overrides map[string]any) (*Config, error) {
	k := koanf.New(dot)
	if err := k.Load(structs.Provider(Defaults(), tag), nil); err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	fromEnv := env.Provider(dot, env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return environ }, TransformFunc: func(k, v string) (string, any) {
		return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(k, envPrefix)), envDot, dot), v
	}})
	if err := k.Load(fromEnv, nil); err != nil {
		return nil, fmt.Errorf("environment: %w", err)
	}
	if err := k.Load(confmap.Provider(overrides, dot), nil); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	c := &Config{}
	errs := []error{unknown(k)}
	err := k.UnmarshalWithConf("", c, koanf.UnmarshalConf{Tag: tag, DecoderConfig: &mapstructure.DecoderConfig{
		Result: c, TagName: tag, WeaklyTypedInput: true, DecodeHook: mapstructure.StringToTimeDurationHookFunc(),
	}})
	c.derive()
	unread := unreadable(err)
	for _, e := range unread {
		errs = append(errs, fmt.Errorf("%s: %w", e.Name(), e.Unwrap()))
	}
	for _, e := range c.problems() {
		if !slices.ContainsFunc(unread, func(u *mapstructure.DecodeError) bool { return concerns(e, u.Name()) }) {
			errs = append(errs, e)
		}
	}
	if err != nil && len(unread) == 0 {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

// unreadable lists the values that are not of their key's kind.
func unreadable(err error) []*mapstructure.DecodeError {
	switch e := err.(type) { //nolint:errorlint // the tree of errors is walked here
	case *mapstructure.DecodeError:
		return []*mapstructure.DecodeError{e}
	case interface{ Unwrap() []error }:
		var out []*mapstructure.DecodeError
		for _, x := range e.Unwrap() {
			out = append(out, unreadable(x)...)
		}
		return out
	case interface{ Unwrap() error }:
		return unreadable(e.Unwrap())
	}
	return nil
}

// concerns says whether a problem is about a key or what lies under it: of a value that could not be read nothing else is known.
func concerns(problem error, key string) bool {
	rest, ok := strings.CutPrefix(problem.Error(), key)
	return ok && rest != "" && strings.ContainsRune(":.[", rune(rest[0]))
}

// derive sets what follows from something else.
func (c *Config) derive() {
	if c.KeysDir == "" && c.IdentityDir != "" {
		c.KeysDir = filepath.Join(c.IdentityDir, "keys")
	}
	if c.Replica.ID == "" && c.Site.ID != "" {
		c.Replica.ID = c.Site.ID + "-1"
	}
}

// unknown names the keys that mean nothing here, and the known key that may be meant.
func unknown(k *koanf.Koanf) error {
	known := keysOf("", reflect.TypeFor[Config]())
	var errs []error
	for _, key := range k.Keys() {
		if slices.Contains(known, key) || section(key, known) && len(k.MapKeys(key)) == 0 {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: unknown key%s", key, meant(key, known)))
	}
	return errors.Join(errs...)
}

// section says whether there are keys under a key.
func section(key string, known []string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, key+dot) })
}

// keysOf lists the keys of a struct; a list is one key.
func keysOf(prefix string, t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get(tag)
		if f.Type.Kind() == reflect.Struct {
			out = append(out, keysOf(key+dot, f.Type)...)
		} else {
			out = append(out, key)
		}
	}
	return out
}

// meant names the known key of the same last part, or in the same section.
func meant(key string, known []string) string {
	_, last, _ := strings.Cut(key, dot)
	for _, k := range known {
		if last != "" && strings.HasSuffix(k, dot+last) {
			return fmt.Sprintf(" (is %s meant?)", k)
		}
	}
	return ""
}

// Print writes the configuration in force, as YAML.
func (c *Config) Print(w io.Writer) error {
	k := koanf.New(dot)
	if err := k.Load(structs.Provider(*c, tag), nil); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	all := k.All()
	for key, v := range all {
		if d, ok := v.(time.Duration); ok {
			all[key] = d.String()
		}
	}
	out := koanf.New(dot)
	if err := out.Load(confmap.Provider(all, dot), nil); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	b, err := out.Marshal(yaml.Parser())
	if err == nil {
		_, err = w.Write(b)
	}
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// readable says why a file that is named cannot be read; nil for none.
func readable(key, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	f.Close()
	return nil
}
