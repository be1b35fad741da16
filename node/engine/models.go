package engine

import (
	"bytes"
	"errors"
	"fmt"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

func codeOfModel(m *schema.RiskModel) string { return m.GetVersion() }

// publishable refuses a risk model this site may not publish, with every reason. Whose signature it carries is judged where
// keys and certificates are: at the portal that made it, and at the border of every site it travels to.
func (e *Engine) publishable(subject string, r *schema.RiskModel) {
	if e.cfg.Parent != "" {
		e.refuse(subject, "publisher", "root", e.cfg.Site, "the site at the root, which publishes for all; the parent of this one is "+e.cfg.Parent)
	}
	if r.GetPublisher() != e.cfg.Site {
		e.refuse(subject, "publisher", "owner", r.GetPublisher(), e.cfg.Site)
	}
	if len(r.GetSignature()) == 0 || len(r.GetCertificate()) == 0 {
		e.refuse(subject, "signature", "required", "", "the publisher's signature and certificate")
	}
	m, err := risk.Parse(r.GetDocument())
	var problems risk.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			e.refuse(subject, "document", "model", fmt.Sprint("line ", p.Line), p.Reason)
		}
	}
	if m != nil && m.Version != r.GetVersion() {
		e.refuse(subject, "version", "model", r.GetVersion(), m.Version+", as the document says")
	}
	if m := e.cfg.Model; m.Version == r.GetVersion() && !bytes.Equal(m.Document(), r.GetDocument()) {
		e.refuse(subject, "version", "immutable", r.GetVersion(), "a new version: this is the configured model's, with another document")
	}
	if old := e.published(r.GetVersion()); old != nil {
		if !bytes.Equal(old.GetDocument(), r.GetDocument()) {
			e.refuse(subject, "version", "immutable", r.GetVersion(), "a new version: this one was published with another document")
		}
		if old.GetActive() && !r.GetActive() {
			e.refuse(subject, "active", "life_cycle", "false", "another model put in force in its place")
		}
	}
}

// published is a model by its version; nil when none is known.
func (e *Engine) published(version string) *schema.RiskModel {
	for _, m := range e.st.GetModels() {
		if m.GetVersion() == version {
			return m
		}
	}
	return nil
}

// publish keeps a model of this site; the one that was in force before says so no longer.
func (e *Engine) publish(r *schema.RiskModel, to string) {
	if r.GetActive() {
		for _, old := range e.st.GetModels() {
			if old.GetActive() && old.GetVersion() != r.GetVersion() {
				old = clone(old)
				old.Active = false
				e.know(old)
				e.writeTo(old, to)
			}
		}
	}
	e.know(r)
	e.install(r)
}

// know remembers a published model.
func (e *Engine) know(r *schema.RiskModel) {
	e.st.Models = insert(e.st.GetModels(), r, codeOfModel)
}

// install puts an active risk model in force; one that does not parse was refused where it was published and is ignored here.
func (e *Engine) install(r *schema.RiskModel) {
	if !r.GetActive() {
		return
	}
	m, err := risk.Parse(r.GetDocument())
	if err != nil {
		return
	}
	e.model, e.st.Model = m, r
	for _, code := range e.codes {
		p := e.plants[code]
		for _, x := range p.points {
			x.band(m)
			e.settle(x)
		}
		e.changed(p)
	}
}
