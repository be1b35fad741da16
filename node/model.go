package node

import (
	"context"

	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
)

// Model is the risk model in force: the newest active one that was installed, else the configured one.
func (n *Node) Model() *risk.Model {
	model, newest := n.model, int64(0)
	err := n.store.Each(context.Background(), store.Query{Type: "RiskModel"}, func(r store.Row) (bool, error) {
		doc, ok := r.Record.(*schema.RiskModel)
		if !ok || !doc.GetActive() || r.Here < newest {
			return true, nil
		}
		if m := n.parse(doc); m != nil {
			model, newest = m, r.Here
		}
		return true, nil
	})
	if err != nil {
		n.log.Error("read risk models", "err", err)
	}
	return model
}

// ConfiguredModel is the risk model in force as long as none is published.
func (n *Node) ConfiguredModel() *risk.Model { return n.model }

// parse parses a published model; the one parsed last is kept, since a version's document never changes. nil: it is not taken.
func (n *Node) parse(doc *schema.RiskModel) *risk.Model {
	if last := n.parsed.Load(); last != nil && last.Version == doc.GetVersion() {
		return last
	}
	m, err := risk.Parse(doc.GetDocument())
	if err != nil {
		return nil
	}
	n.parsed.Store(m)
	return m
}
