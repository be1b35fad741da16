package demo

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"dusthub/crypto/pki"
	"dusthub/deploy/demo/plants"
	"dusthub/node/loopback"

	"go.yaml.in/yaml/v3"
)

// certificateLife is how long the demonstration's certificates are good for.
const certificateLife = 2 * 365 * 24 * time.Hour

// site is one installation of the demonstration.
type site struct {
	ID, Name, Level, Region string
	Parent                  string
	Port                    int // the first of its well-known ones
	Replicas                []addresses
	Pace                    map[string]any // sections of the configuration that set how fast time runs
}

// fastMotion: what takes hours in a plant takes minutes in the demonstration.
var fastMotion = map[string]any{
	"store":  map[string]any{"partition": "2m", "grace": "30s", "checkpoint_every": "1m"},
	"engine": map[string]any{"offline_after": "20s", "fan_stop_delay": "40s", "model": "demo"},
	"ledger": map[string]any{"checkpoint_every": "5s"},
	// How regions stand, and how good readings are, is known after a minute. Days before the demonstration was begun have no history: samples
	// are taken live and nothing makes them up.
	"analysis": map[string]any{"sample_every": "20s", "readings_every": "2m"},
}

// world lists the sites: a ministry with one replica, Jiangsu with three, Shandong with one.
func world() []*site {
	return []*site{
		{ID: "ministry", Port: 8100, Name: "应急管理部", Level: "ministry", Replicas: make([]addresses, 1), Pace: fastMotion},
		{ID: "jiangsu", Port: 8200, Name: "江苏省应急管理厅", Level: "province", Region: "320000", Parent: "ministry", Replicas: make([]addresses, 3), Pace: fastMotion},
		{ID: "shandong", Port: 8300, Name: "山东省应急管理厅", Level: "province", Region: "370000", Parent: "ministry", Replicas: make([]addresses, 1), Pace: fastMotion},
	}
}

// place gives every replica its addresses: well-known ones, or free ones when several demonstrations share a machine.
func place(sites []*site, anywhere bool) error {
	var all []addresses
	for _, s := range sites {
		for i := range s.Replicas {
			s.Replicas[i] = fixed(s.Port + portsOfReplica*i)
			all = append(all, s.Replicas[i])
		}
	}
	if !anywhere {
		if addr := busy(all); addr != "" {
			return fmt.Errorf("address %s is taken: is another demonstration running? (--free-ports finds others)", addr)
		}
		return nil
	}
	found, err := loopback.Free(len(all) * listenerCount)
	if err != nil {
		return err
	}
	for _, s := range sites {
		for i := range s.Replicas {
			for _, f := range s.Replicas[i].fields() {
				*f, found = found[0], found[1:]
			}
		}
	}
	return nil
}

// regulator and enterprise are the addresses of a site's portals, on its first replica.
func (s *site) regulator() string  { return "http://" + s.Replicas[0].Regulator }
func (s *site) enterprise() string { return "http://" + s.Replicas[0].Enterprise }

// certify makes the national CA and the certificates of sites and gateways, those that are not there yet.
func certify(dir string, sites []*site, all []plants.Plant) error {
	caDir := filepath.Join(dir, "pki", "ca")
	ca, err := pki.LoadCA(caDir)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = pki.NewCA(caDir, "dusthub demonstration CA")
	}
	if err != nil {
		return fmt.Errorf("national CA: %w", err)
	}
	issue := func(cn, ou string) error {
		to := identityDir(dir, cn)
		if _, err := os.Stat(filepath.Join(to, "sign.crt")); err == nil {
			return nil
		}
		if err := ca.Issue(to, cn, ou, []string{"127.0.0.1", "localhost"}, certificateLife); err != nil {
			return fmt.Errorf("certificate of %s: %w", cn, err)
		}
		return nil
	}
	for _, s := range sites {
		if err := issue(s.ID, "site"); err != nil {
			return err
		}
	}
	for _, p := range all {
		if p.Door == plants.Modbus {
			if err := issue(p.GatewayCode(), "gateway"); err != nil {
				return err
			}
		}
	}
	return nil
}

func identityDir(dir, name string) string { return filepath.Join(dir, "pki", name) }

// administrators are the first three of every site, each with a password file of that name.
var administrators = []string{"admin", "security", "audit"}

// adminPasswords are the first administrators' passwords by login.
func adminPasswords(dir string) (map[string]string, error) {
	out := map[string]string{}
	for _, login := range administrators {
		password, err := adminPassword(dir, login)
		if err != nil {
			return nil, err
		}
		out[login] = password
	}
	return out, nil
}

// adminPassword is a first administrator's password, made once and kept in a file that the sites read.
func adminPassword(dir, login string) (string, error) {
	path := filepath.Join(dir, login+".password")
	b, err := os.ReadFile(path)
	if err == nil {
		return string(b), nil
	}
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", fmt.Errorf("make a password: %w", err)
	}
	password := "Dd1-" + hex.EncodeToString(secret[:])
	if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("keep the administrator's password: %w", err)
	}
	return password, nil
}

// configure writes the configuration of one replica and returns its path.
func configure(dir string, sites []*site, s *site, replica int) (string, error) {
	type m = map[string]any
	name := fmt.Sprintf("%s-%d", s.ID, replica+1)
	a := s.Replicas[replica]
	var peers []m
	for i, r := range s.Replicas {
		peers = append(peers, m{"id": fmt.Sprintf("%s-%d", s.ID, i+1), "raft": r.Raft, "rpc": r.RPC})
	}
	bootstrap := m{}
	for _, login := range administrators {
		bootstrap[login+"_login"], bootstrap[login+"_password_file"] = login, filepath.Join(dir, login+".password")
	}
	c := m{
		"site":         m{"id": s.ID, "name": s.Name, "level": s.Level, "region": s.Region},
		"data_dir":     filepath.Join(dir, "site", name),
		"identity_dir": identityDir(dir, s.ID),
		"replica":      m{"id": name, "raft": a.Raft, "rpc": a.RPC, "peers": peers, "bootstrap": true},
		"listen": m{
			"regulator": a.Regulator, "enterprise": a.Enterprise, "access": a.Access, "mqtt": a.MQTT, "grpc": a.GRPC, "ops": a.Ops,
		},
		"bootstrap": bootstrap,
		// Anybody who tries the demonstration logs in with the one password it prints: nothing of it is real.
		"portal": m{"first_change": false, "second_factor": "optional"},
	}
	maps.Copy(c, s.Pace)
	for _, parent := range sites {
		if parent.ID == s.Parent {
			c["parent"] = m{"site": parent.ID, "addr": parent.Replicas[0].GRPC}
		}
	}
	return writeYAML(filepath.Join(dir, "config", name+".yaml"), c)
}

func writeYAML(path string, v any) (string, error) {
	b, err := yaml.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return path, nil
}
