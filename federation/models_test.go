package federation

import (
	"bytes"
	"testing"
	"time"

	"dusthub/crypto/publish"
	"dusthub/node/config"
	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// TestModelGoesDown: a model that the ministry publishes and puts in force judges the plants of a province; one whose signature does
// not hold does not (F1.2).
func TestModelGoesDown(t *testing.T) {
	ca := newCA(t)
	addr := freeAddr(t)
	top := start(t, configs(t, ca, "ministry", "ministry", 1, config.Parent{})[0], addr)
	below := start(t, configs(t, ca, "jiangsu", "province", 1, config.Parent{Site: "ministry", Addr: addr})[0], "")
	eventually(t, "two leaders", func() bool { return top.IsLeader() && below.IsLeader() })

	published := func(version string, spoil bool) *schema.RiskModel {
		shipped := risk.Shipped()
		document := bytes.ReplaceAll(shipped.Document(), []byte(shipped.Version), []byte(version))
		s, err := publish.Sign(top.Identity(), version, document)
		must(t, err)
		if spoil {
			s.Signature[len(s.Signature)-1] ^= 1
		}
		return &schema.RiskModel{
			Version: version, Document: document, Signature: s.Signature, Certificate: s.Certificate, Publisher: "ministry", Published: time.Now().UnixMilli(), Active: true,
		}
	}
	hand := func(m *schema.RiskModel) {
		raw, err := schema.Marshal(m)
		must(t, err)
		eff, err := top.Propose(t.Context(), &schema.Command{Actor: "admin", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "RiskModel", Record: raw, To: "*"}}}}})
		must(t, err)
		if len(eff.Violations) > 0 {
			t.Fatalf("refused: %v", eff.Violations)
		}
	}
	hand(published("DUST-RISK-9.1", false))
	eventually(t, "the model is in force below", func() bool { return below.Model().Version == "DUST-RISK-9.1" })
	hand(published("DUST-RISK-9.2", true))
	hand(published("DUST-RISK-9.3", false))
	eventually(t, "the next is in force below", func() bool { return below.Model().Version == "DUST-RISK-9.3" })
	if _, ok, err := below.Store().Get("RiskModel", "DUST-RISK-9.2"); ok || err != nil {
		t.Errorf("a model whose signature does not hold was taken: %v", err)
	}
}
