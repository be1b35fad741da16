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
		if m, err := risk.Parse(doc.GetDocument()); err == nil {
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
