package conformance

import (
	"fmt"
	"slices"
	"time"

	"dusthub/crypto/pki"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Limits of section 4.1 and 3.3.
const (
	maxItems    = 4096
	maxBytes    = 256 << 10
	maxEntry    = 1 << 20
	clockSlack  = 5 * time.Minute
	everyone    = "*"
	mostFaults  = 20
	itemFraming = 16 // of an item around its entry, in the message
)

// ledgerCopy is what the auditor holds of a ledger that the site sends down, and what was wrong with it.
type ledgerCopy struct {
	origin, reader string
	own            bool // the site's own ledger, not one passed on
	epoch          uint64
	at             digest
	seq, signed    uint64
	since          map[uint64]digest // chain digests behind the newest checkpoint
	clear          map[uint64]*schema.Entry
	faults         []string
}

func (l *ledgerCopy) fault(format string, args ...any) {
	if len(l.faults) < mostFaults {
		l.faults = append(l.faults, fmt.Sprintf(format, args...))
	}
}

// begin makes the copy one of that epoch.
func (l *ledgerCopy) begin(epoch uint64) {
	l.epoch, l.seq, l.signed, l.at = epoch, 0, 0, genesis(l.origin, epoch)
	l.since, l.clear = map[uint64]digest{0: l.at}, map[uint64]*schema.Entry{}
}

func (l *ledgerCopy) position(from string) *schema.Position {
	return &schema.Position{From: from, Origin: l.origin, Epoch: l.epoch, Lane: eventsLane, Seq: l.seq, Digest: slices.Clone(l.at[:]), Checkpoint: l.signed}
}

// take takes a batch in, noting everything that is not as sections 3 and 5.1 say.
func (l *ledgerCopy) take(in *schema.Inbound, pool *pki.Pool) {
	if in.GetEpoch() > l.epoch {
		l.begin(in.GetEpoch())
	}
	if in.GetEpoch() < l.epoch || in.GetFirst() != l.seq+1 {
		l.fault("a batch of epoch %d begins at %d, held was epoch %d up to %d", in.GetEpoch(), in.GetFirst(), l.epoch, l.seq)
		return
	}
	l.size(in)
	for _, item := range in.GetItems() {
		sum, err := digestOf(item)
		if err != nil {
			l.fault("entry %d: %v", l.seq+1, err)
			return
		}
		l.seq++
		l.at = following(l.at, sum)
		l.since[l.seq] = l.at
		if raw := item.GetEntry(); raw != nil {
			l.shown(raw)
		}
	}
	if c := in.GetCheckpoint(); c != nil {
		l.checkpoint(c, pool)
	}
}

func (l *ledgerCopy) size(in *schema.Inbound) {
	total := 0
	for _, item := range in.GetItems() {
		total += len(item.GetEntry()) + len(item.GetDigest())
	}
	if n := len(in.GetItems()); n > maxItems || n > 1 && total > maxBytes || total > maxEntry+itemFraming {
		l.fault("the batch at %d holds %d items, %d bytes", in.GetFirst(), n, total)
	}
}

// shown judges an entry that came in clear (section 3.2).
func (l *ledgerCopy) shown(raw []byte) {
	e := &schema.Entry{}
	if err := proto.Unmarshal(raw, e); err != nil {
		l.fault("entry %d does not decode: %v", l.seq, err)
		return
	}
	l.clear[l.seq] = e
	if !l.own {
		if e.GetScope() == schema.Scope_SCOPE_LOCAL {
			l.fault("entry %d of %s is in clear, its scope is LOCAL", l.seq, l.origin)
		}
		return
	}
	if e.GetOrigin() != l.origin || e.GetSeq() != l.seq {
		l.fault("entry %d says it is %s %d", l.seq, e.GetOrigin(), e.GetSeq())
	}
	if e.GetScope() != schema.Scope_SCOPE_DOWN || e.GetTo() != l.reader && e.GetTo() != everyone {
		l.fault("entry %d (%s, %s to %q) is in clear", l.seq, e.GetType(), e.GetScope(), e.GetTo())
	}
}

// checkpoint judges a signature under what came.
func (l *ledgerCopy) checkpoint(c *schema.Checkpoint, pool *pki.Pool) {
	at, known := l.since[c.GetSeq()]
	switch {
	case c.GetOrigin() != l.origin || c.GetEpoch() != l.epoch:
		l.fault("a checkpoint of %s epoch %d lies beside the ledger of epoch %d", c.GetOrigin(), c.GetEpoch(), l.epoch)
		return
	case c.GetSeq() <= l.signed || c.GetSeq() > l.seq || !known:
		l.fault("a checkpoint signs %d entries, sent were %d, signed before %d", c.GetSeq(), l.seq, l.signed)
		return
	case string(c.GetDigest()) != string(at[:]):
		l.fault("the checkpoint at %d signs digest %.8x, the entries give %.8x", c.GetSeq(), c.GetDigest(), at)
		return
	}
	if err := verify(pool, c); err != nil {
		l.fault("the checkpoint at %d: %v", c.GetSeq(), err)
		return
	}
	l.signed = c.GetSeq()
	for seq := range l.since {
		if seq < l.signed {
			delete(l.since, seq)
		}
	}
}

// verify checks a checkpoint's signature, certificate and time (section 3.3).
func verify(pool *pki.Pool, c *schema.Checkpoint) error {
	at := time.UnixMilli(c.GetTime())
	if at.After(time.Now().Add(clockSlack)) {
		return fmt.Errorf("signed at %s, which is in the future", at.UTC().Format(time.RFC3339))
	}
	return pool.VerifyBySite(c.GetCertificate(), c.GetOrigin(), signedBytes(c), c.GetSignature(), at)
}
