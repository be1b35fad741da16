package border

import (
	"bytes"
	"fmt"
	"time"

	"dusthub/crypto/publish"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// modelType is the record type whose signature is checked here: it changes how every plant is judged, so that whoever
// relays it is not to be trusted with it.
const modelType = "RiskModel"

// models notes the risk models of a batch that are not signed by the site whose ledger they came in. They do not hold up the
// lane: the machine keeps them in the ledger copy, does not apply them and quarantines them. It happens here and not there,
// since replicas must agree and certificates are files of each.
func (b *Border) models(in *schema.Inbound) {
	for i, item := range in.GetItems() {
		raw := item.GetEntry()
		if !bytes.Contains(raw, []byte(modelType)) {
			continue
		}
		e := &schema.Entry{}
		if proto.Unmarshal(raw, e) != nil || e.GetType() != modelType || e.GetDeleted() {
			continue // the machine says what is wrong with it
		}
		m := &schema.RiskModel{}
		if proto.Unmarshal(e.GetRecord(), m) != nil {
			continue
		}
		if v := b.model(in.GetOrigin(), m); v != nil {
			v.Record = modelType + "/" + m.GetVersion()
			in.Refusals = append(in.Refusals, &schema.Refusal{Seq: in.GetFirst() + uint64(i), Violations: []*schema.Violation{v}})
		}
	}
}

// model says what is wrong with a model's signature; nil when nothing is.
func (b *Border) model(origin string, m *schema.RiskModel) *schema.Violation {
	if m.GetPublisher() != origin {
		return &schema.Violation{Field: "publisher", Rule: "owner", Got: m.GetPublisher(), Wanted: "the site whose ledger it came in, " + origin}
	}
	at := time.UnixMilli(m.GetPublished())
	if at.After(b.now().Add(slack)) {
		return &schema.Violation{Field: "published", Rule: "time", Got: at.UTC().Format(time.RFC3339), Wanted: "a time that has come"}
	}
	if err := publish.Verify(b.Pool, origin, m.GetVersion(), m.GetDocument(), publish.Signed{Certificate: m.GetCertificate(), Signature: m.GetSignature()}, at); err != nil {
		return &schema.Violation{Field: "signature", Rule: "signature", Got: fmt.Sprint(err), Wanted: "the signature of the site " + origin}
	}
	return nil
}
