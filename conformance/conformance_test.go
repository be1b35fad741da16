package conformance

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/pki"
)

func audited(t *testing.T, target Target, opt Options) *Report {
	t.Helper()
	report, err := Run(t.Context(), target, opt)
	must(t, err)
	var table strings.Builder
	must(t, report.WriteTable(&table))
	t.Log(table.String())
	return report
}

func having(r *Report, o Outcome) []string {
	var out []string
	for _, x := range r.Results {
		if x.Outcome == o {
			out = append(out, x.ID)
		}
	}
	return out
}

// deviations are the checks in which the product is known to depart from docs/protocol.md. One that is mended leaves this list.
var deviations = []string{}

func TestThisProgramConforms(t *testing.T) {
	dir := certified(t)
	addr := startSite(t, dir)
	report := audited(t, targetOf(dir, addr), Options{})
	if failed := having(report, Failed); !slices.Equal(failed, deviations) {
		t.Errorf("failed: %q, known are %q", failed, deviations)
	}
	if report.Skipped > 0 || report.Left != "" {
		t.Errorf("skipped: %q; left: %q", having(report, Skipped), report.Left)
	}
	// The CA alone is enough.
	report = audited(t, Target{Site: siteID, Addr: addr, CA: filepath.Join(dir, "ca")}, Options{Only: []string{"transport.tlcp", "hello.welcome", "events.good"}})
	if report.Passed != 3 || report.Left != "" {
		t.Errorf("with the CA alone passed %q; left: %q", having(report, Passed), report.Left)
	}
	// Where nothing but one identity was given, the rest is skipped, and the second audit is no worse for the first.
	alone := Target{Site: siteID, Addr: addr, Identity: filepath.Join(dir, "audit")}
	report = audited(t, alone, Options{Only: []string{"transport.expired", "transport.gateway", "hello.welcome", "events.good", "events.other-site", "downlink.other-child"}})
	if skipped := having(report, Skipped); len(skipped) != 4 || report.Passed != 2 {
		t.Errorf("skipped %q, passed %q", skipped, having(report, Passed))
	}
}

func TestAuditNeedsAnIdentityOfItsOwn(t *testing.T) {
	dir := certified(t)
	ca, err := pki.LoadCA(filepath.Join(dir, "ca"))
	must(t, err)
	must(t, ca.Issue(filepath.Join(dir, "gateway"), "audit-gateway", pki.UnitGateway, nil, time.Hour))
	cases := map[string]func(*Target, *Options){
		"a real child's":        func(x *Target, _ *Options) { x.Identity = filepath.Join(dir, siteID) },
		"a gateway's":           func(x *Target, _ *Options) { x.Identity = filepath.Join(dir, "gateway") },
		"the same one twice":    func(x *Target, _ *Options) { x.Other = x.Identity },
		"a site for a gateway":  func(x *Target, _ *Options) { x.Gateway = filepath.Join(dir, siteID) },
		"none, and no CA":       func(x *Target, _ *Options) { x.Identity, x.CA = "", "" },
		"a check nobody knows":  func(_ *Target, o *Options) { o.Only = []string{"events.perfect"} },
		"a folder that is none": func(x *Target, _ *Options) { x.Identity = filepath.Join(dir, "nowhere") },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			target, opt := targetOf(dir, "127.0.0.1:1"), Options{}
			spoil(&target, &opt)
			if _, err := Run(t.Context(), target, opt); err == nil {
				t.Error("the audit began")
			}
		})
	}
}
