package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"dusthub/crypto/pki"

	"go.yaml.in/yaml/v3"
)

const (
	adminPassword   = "Bench-of-a-minute-2026" //nolint:gosec // of sites that live for minutes on loopback
	certificateLife = 24 * time.Hour
	readWrite       = 0o600
)

type object = map[string]any

// site is one running site of one replica.
type site struct {
	*process
	id, dir                            string
	regulator, access, grpc, ops, peer string
	admin                              *session
	tokens                             map[string]string // by gateway
}

// startSite certifies, configures and runs a site, as a child of parent when there is one that is named.
func startSite(ctx context.Context, o options, id, level string, parent *site, set object) (*site, error) {
	s, err := prepare(o, id)
	if err != nil {
		return nil, err
	}
	return s, s.run(ctx, o, level, parent, set)
}

// prepare gives a site its folder, certificates and addresses.
func prepare(o options, id string) (*site, error) {
	s := &site{id: id, dir: filepath.Join(o.dir, id), tokens: map[string]string{}}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	caDir := filepath.Join(o.dir, "ca")
	ca, err := pki.LoadCA(caDir)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = pki.NewCA(caDir, "bench CA")
	}
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	if err := ca.Issue(filepath.Join(s.dir, "identity"), id, pki.UnitSite, []string{"127.0.0.1"}, certificateLife); err != nil {
		return nil, fmt.Errorf("certify %s: %w", id, err)
	}
	addrs, err := freeAddrs(6)
	if err != nil {
		return nil, err
	}
	s.regulator, s.access, s.grpc, s.ops, s.peer = addrs[0], addrs[1], addrs[2], addrs[3], addrs[4]
	return s, os.WriteFile(filepath.Join(s.dir, "admin.password"), []byte(adminPassword), readWrite)
}

func (s *site) run(ctx context.Context, o options, level string, parent *site, set object) error {
	rpc, err := freeAddrs(1)
	if err != nil {
		return err
	}
	identity := object{"id": s.id, "name": s.id, "level": level}
	if level == "province" {
		identity["region"] = region + "00"
	}
	c := object{
		"site": identity, "data_dir": filepath.Join(s.dir, "data"), "identity_dir": filepath.Join(s.dir, "identity"),
		"replica":   object{"id": s.id + "-1", "raft": s.peer, "rpc": rpc[0], "bootstrap": true},
		"listen":    object{"regulator": s.regulator, "access": s.access, "grpc": s.grpc, "ops": s.ops},
		"portal":    object{"first_change": false, "second_factor": "optional"}, // a program logs in
		"bootstrap": object{"admin_login": "admin", "admin_password_file": filepath.Join(s.dir, "admin.password")},
		"doors":     object{"rate_per_gateway": 1_000_000_000},
	}
	if parent != nil {
		c["parent"] = object{"site": parent.id, "addr": parent.grpc}
	}
	for k, v := range set {
		c[k] = v
	}
	raw, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("configure %s: %w", s.id, err)
	}
	path := filepath.Join(s.dir, "site.yaml")
	if err := os.WriteFile(path, raw, readWrite); err != nil {
		return fmt.Errorf("configure %s: %w", s.id, err)
	}
	if s.process, err = start(s.dir, s.id, o.binary, "serve", "--config", path); err != nil {
		return err
	}
	if err := s.ready(ctx, "http://"+s.ops+"/readyz"); err != nil {
		return err
	}
	s.admin, err = login(ctx, "http://"+s.regulator, adminPassword)
	return err
}

// provision brings base data of the plants to the site, and gives each gateway a token.
func (s *site) provision(ctx context.Context, plants []plant) error {
	const most = 1500 // changes of a call
	for _, p := range plants {
		changes := p.records()
		for len(changes) > 0 {
			n := min(most, len(changes))
			if err := s.admin.call(ctx, http.MethodPost, "/api/v1/records", object{"changes": changes[:n]}, nil); err != nil {
				return fmt.Errorf("base data of %s: %w", p.code, err)
			}
			changes = changes[n:]
		}
		var answer struct{ Secret string }
		if err := s.admin.call(ctx, http.MethodPost, "/api/v1/gateways/"+p.gateway()+"/credential", object{"kind": "token"}, &answer); err != nil {
			return fmt.Errorf("token of %s: %w", p.gateway(), err)
		}
		s.tokens[p.gateway()] = answer.Secret
	}
	return nil
}

// samples is how many samples of an origin the site has.
func (s *site) samples(ctx context.Context, origin string) (int, error) {
	var answer struct {
		Origins []struct {
			Origin  string `json:"origin"`
			Samples int    `json:"samples"`
		} `json:"origins"`
	}
	if err := s.admin.call(ctx, http.MethodGet, "/api/v1/counts", nil, &answer); err != nil {
		return 0, err
	}
	for _, o := range answer.Origins {
		if o.Origin == origin {
			return o.Samples, nil
		}
	}
	return 0, nil
}

// write is where remote write requests go, and what a gateway shows there.
func (s *site) write() string { return "http://" + s.access + "/api/v1/prom/write" }

func (s *site) authorize(r *http.Request, gateway string) {
	r.Header.Set("Authorization", "Bearer "+gateway+":"+s.tokens[gateway])
}
