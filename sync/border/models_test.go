package border

import (
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/publish"
	"dusthub/node/store"
	"dusthub/schema"
)

// TestModels: a risk model that is not signed by the site whose ledger it came in is pointed out, and holds nothing up (T4).
func TestModels(t *testing.T) {
	w := newWorld(t)
	doc, now := []byte("version: X-1"), time.Now().UnixMilli()
	model := func(by *pki.Identity, change func(*schema.RiskModel)) *schema.RiskModel {
		s, err := publish.Sign(by, "X-1", doc)
		must(t, err)
		m := &schema.RiskModel{Version: "X-1", Document: doc, Active: true, Publisher: "jiangsu", Published: now, Signature: s.Signature, Certificate: s.Certificate}
		if change != nil {
			change(m)
		}
		return m
	}
	ca, err := pki.NewCA(t.TempDir(), "another CA")
	must(t, err)
	stranger := identity(t, ca, "jiangsu", pki.UnitSite)
	for _, c := range []struct {
		name string
		m    *schema.RiskModel
		rule string // empty: taken
	}{
		{"good", model(w.id, nil), ""},
		{"by another site", model(w.other, nil), "signature"},
		{"of another publisher", model(w.other, func(m *schema.RiskModel) { m.Publisher = "anhui" }), "owner"},
		{"by a gateway", model(w.gw, nil), "signature"},
		{"by a stranger", model(stranger, nil), "signature"},
		{"another document", model(w.id, func(m *schema.RiskModel) { m.Document = []byte("version: X-1 ") }), "signature"},
		{"another version", model(w.id, func(m *schema.RiskModel) { m.Version = "X-2" }), "signature"},
		{"not signed", model(w.id, func(m *schema.RiskModel) { m.Signature, m.Certificate = nil, nil }), "signature"},
		{"of tomorrow", model(w.id, func(m *schema.RiskModel) { m.Published += 24 * 3600 * 1000 }), "time"},
		{"after the certificate's end", model(w.id, func(m *schema.RiskModel) { m.Published = now - 100*24*3600*1000 }), "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.index++
			b := w.origin.Begin(w.index, int64(w.index))
			_, err := b.Own(store.Change{Type: "RiskModel", Key: c.m.GetVersion(), Record: c.m, To: "*"})
			must(t, err, b.Commit())
			w.grow(1)
			h, _ := w.origin.Head("jiangsu")
			in := w.batch(h.Seq-1, h.Seq, w.sign(w.id, time.Now()))
			in.Refusals = []*schema.Refusal{{Seq: h.Seq, Violations: []*schema.Violation{{Rule: "slander"}}}} // not the neighbour's to say
			must(t, w.check(in))
			got := in.GetRefusals()
			switch {
			case c.rule == "" && len(got) == 0:
			case c.rule != "" && len(got) == 1 && got[0].GetSeq() == h.Seq-1 && got[0].GetViolations()[0].GetRule() == c.rule:
			default:
				t.Errorf("refusals %v, wanted %q", got, c.rule)
			}
			w.take(w.batch(h.Seq-1, h.Seq, nil))
		})
	}
}
