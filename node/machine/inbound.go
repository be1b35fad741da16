package machine

import (
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Lanes between sites (ARCHITECTURE section 6).
const (
	LaneEvents      = "events"
	LaneLive        = "live"
	LaneBackfill    = "backfill"
	LaneAttachments = "attachments"
)

// toAll addresses an entry to every child.
const toAll = "*"

// inbound takes in what came from a neighbour. Its signatures were verified before it was proposed.
func (t *turn) inbound(in *schema.Inbound) error {
	if in.GetOrigin() == "" || in.GetFrom() == "" || in.GetOrigin() == t.store.Site() {
		t.refuse("origin", in.GetOrigin(), "the id of another site")
		return nil
	}
	switch in.GetLane() {
	case LaneEvents:
		return t.events(in)
	case LaneLive:
		return t.live(in)
	case LaneBackfill:
		return t.backfill(in)
	case LaneAttachments:
		if in.GetBlob() == nil {
			t.refuse("form", "no content", "a piece of content")
			return nil
		}
		return t.write(func() error { return t.batch.PutBlob(in.GetBlob()) })
	}
	t.refuse("lane", in.GetLane(), "a known lane")
	return nil
}

// follow is where a lane of an origin stands, begun anew when the origin is; false when the batch belongs to an older life of it.
func (t *turn) follow(places map[string]place, key string, in *schema.Inbound) (place, bool) {
	p := places[key]
	if in.GetEpoch() > p.Epoch {
		p = place{Epoch: in.GetEpoch()}
	}
	if in.GetEpoch() < p.Epoch || in.GetEpoch() == 0 {
		t.refuse("epoch", fmt.Sprint(in.GetEpoch()), fmt.Sprintf("at least %d", max(1, p.Epoch)))
		return p, false
	}
	return p, true
}

// events takes in entries of an origin's ledger. What is here already is skipped; a gap refuses the whole.
func (t *turn) events(in *schema.Inbound) error {
	head, ok := t.follow(t.memory.Ledgers, in.GetOrigin(), in)
	if !ok {
		return nil
	}
	if in.GetFirst() == 0 || in.GetFirst() > head.Seq+1 {
		t.refuse("gap", fmt.Sprint(in.GetFirst()), fmt.Sprintf("at most %d", head.Seq+1))
		return nil
	}
	digests := make([]chain.Digest, len(in.GetItems()))
	for i, item := range in.GetItems() {
		d, err := store.ItemDigest(item)
		if err != nil {
			t.refuse("form", err.Error(), "an entry or its digest")
			return nil
		}
		digests[i] = d
	}
	digest := t.chainHead(in)
	for i, item := range in.GetItems() {
		seq := in.GetFirst() + uint64(i)
		if seq <= head.Seq {
			continue
		}
		if err := t.item(in, seq, item); err != nil {
			return err
		}
		digest = chain.Next(digest, digests[i])
		head.Seq = seq
	}
	t.memory.Ledgers[in.GetOrigin()] = head
	return t.write(func() error { return t.eventsPosition(in, head, digest) })
}

// chainHead is the digest of the origin's ledger as it is here.
func (t *turn) chainHead(in *schema.Inbound) chain.Digest {
	if h, ok := t.store.Head(in.GetOrigin()); ok && h.Epoch == in.GetEpoch() {
		return h.Digest
	}
	return chain.Genesis(in.GetOrigin(), in.GetEpoch())
}

func (t *turn) eventsPosition(in *schema.Inbound, head place, digest chain.Digest) error {
	p := &schema.Position{
		From: in.GetFrom(), Origin: in.GetOrigin(), Epoch: in.GetEpoch(), Lane: LaneEvents, Seq: head.Seq, Digest: digest[:], Time: t.now,
	}
	before, ok, err := t.batch.Position(in.GetFrom(), in.GetOrigin(), LaneEvents)
	if err != nil {
		return err
	}
	if ok && before.GetEpoch() == in.GetEpoch() {
		p.Checkpoint = before.GetCheckpoint()
	}
	if c := in.GetCheckpoint(); c != nil {
		if err := t.batch.PutCheckpoint(c); err != nil {
			return err
		}
		p.Checkpoint = max(p.GetCheckpoint(), c.GetSeq())
	}
	return t.batch.SetPosition(p)
}

// item takes in one position of a ledger. A record that does not conform stays in the ledger alone, so that the chain
// verifies, and the sender is told.
func (t *turn) item(in *schema.Inbound, seq uint64, item *schema.Item) error {
	raw := item.GetEntry()
	if raw == nil {
		return t.keepItem(in, seq, item, nil, nil)
	}
	e := &schema.Entry{}
	rec, vs := t.read(in, seq, raw, e)
	if len(vs) == 0 {
		vs = refusedAt(in, seq)
	}
	if len(vs) == 0 {
		var err error
		if vs, err = t.ownership(in, seq, e); err != nil {
			return err
		}
	}
	if len(vs) > 0 {
		if err := t.keepItem(in, seq, item, nil, nil); err != nil {
			return err
		}
		content := raw
		if len(e.GetRecord()) > 0 {
			content = e.GetRecord()
		}
		return t.effects(t.engine.Refuse(in.GetFrom(), seq, vs, content, t.now))
	}
	if p, ok := rec.(*schema.Partition); ok {
		return t.partition(in, seq, item, p)
	}
	if err := t.keepItem(in, seq, item, e, rec); err != nil {
		return err
	}
	return t.effects(t.engine.Observe(in.GetOrigin(), e.GetType(), e.GetKey(), rec, t.now))
}

// refusedAt is what the border said of an item.
func refusedAt(in *schema.Inbound, seq uint64) []*schema.Violation {
	for _, r := range in.GetRefusals() {
		if r.GetSeq() == seq {
			return r.GetViolations()
		}
	}
	return nil
}

func (t *turn) keepItem(in *schema.Inbound, seq uint64, item *schema.Item, e *schema.Entry, rec schema.Record) error {
	return t.write(func() error { return t.batch.Foreign(in.GetOrigin(), in.GetEpoch(), seq, item, e, rec) })
}

// partition takes in that the origin sealed a partition: it is sealed here as well and the roots are compared. Its key is
// the same at every site, so it is no row here.
func (t *turn) partition(in *schema.Inbound, seq uint64, item *schema.Item, p *schema.Partition) error {
	if err := t.keepItem(in, seq, item, nil, nil); err != nil {
		return err
	}
	return t.write(func() error {
		equal, err := t.batch.SealForeign(in.GetOrigin(), p)
		t.whole = true
		if err == nil && !equal {
			t.log.Info("partition differs from its owner's", "origin", in.GetOrigin(), "partition", p.GetId())
		}
		return err
	})
}

// read decodes an entry and judges it by itself; a deletion has no record.
func (t *turn) read(in *schema.Inbound, seq uint64, raw []byte, e *schema.Entry) (schema.Record, []*schema.Violation) {
	one := func(rule, got, wanted string) []*schema.Violation {
		return []*schema.Violation{{Record: e.GetType() + "/" + e.GetKey(), Rule: rule, Got: got, Wanted: wanted}}
	}
	if err := proto.Unmarshal(raw, e); err != nil {
		return nil, one("form", err.Error(), "a ledger entry")
	}
	if e.GetOrigin() != in.GetOrigin() || e.GetSeq() != seq {
		return nil, one("place", fmt.Sprintf("%s %d", e.GetOrigin(), e.GetSeq()), fmt.Sprintf("%s %d", in.GetOrigin(), seq))
	}
	meta, ok := schema.MetaOf(e.GetType())
	if !ok {
		return nil, one("type", e.GetType(), "a known record type")
	}
	if e.GetScope() != meta.Scope || !t.mayCome(in.GetFrom(), e) {
		return nil, one("scope", e.GetScope().String()+" "+e.GetTo(), "what a child sends up, or what the parent sends to this site")
	}
	if e.GetKey() == "" {
		return nil, one("key", "", "the record's key")
	}
	if e.GetDeleted() {
		return nil, nil
	}
	rec, err := schema.Decode(e.GetType(), e.GetRecord())
	if err != nil {
		return nil, one("form", err.Error(), "a "+e.GetType())
	}
	if schema.KeyOf(rec) != e.GetKey() {
		return nil, one("key", e.GetKey(), schema.KeyOf(rec))
	}
	if vs := t.engine.Tables().ValidateAt(rec, t.now); schema.Refuses(vs) {
		return nil, vs
	}
	if p, ok := rec.(*schema.Partition); ok && !t.fits(p) {
		return nil, one("partition", fmt.Sprintf("%d to %d", p.GetStart(), p.GetEnd()), fmt.Sprintf("a partition of %d ms with its root", t.store.PartitionMs()))
	}
	return rec, nil
}

// mayCome says whether an entry may come from that neighbour: upward from a child, downward from the parent, when it is
// addressed to this site, to all, or to the parent itself, for what lies below it.
func (t *turn) mayCome(from string, e *schema.Entry) bool {
	if from != t.parent {
		return e.GetScope() == schema.Scope_SCOPE_UP
	}
	return e.GetScope() == schema.Scope_SCOPE_DOWN && (e.GetTo() == toAll || e.GetTo() == t.store.Site() || e.GetTo() == from)
}

func (t *turn) fits(p *schema.Partition) bool {
	length := t.store.PartitionMs()
	return p.GetStart() >= 0 && p.GetStart()%length == 0 && p.GetEnd() == p.GetStart()+length && len(p.GetRoot()) == chain.Size
}

// ownership refuses an entry whose row another site owns. It looks at the row once and remembers a refusal, since at a
// replay the row may be another.
func (t *turn) ownership(in *schema.Inbound, seq uint64, e *schema.Entry) ([]*schema.Violation, error) {
	owner := t.memory.owner(t.index, seq)
	if !t.replay {
		row, ok, err := t.batch.Get(e.GetType(), e.GetKey())
		if err != nil {
			return nil, err
		}
		if ok && row.Origin != in.GetOrigin() {
			owner = row.Origin
			t.memory.disown(t.index, seq, owner)
		}
	}
	if owner == "" {
		return nil, nil
	}
	return []*schema.Violation{{Record: e.GetType() + "/" + e.GetKey(), Rule: "owner", Got: in.GetOrigin(), Wanted: owner}}, nil
}

// live takes in frames as they entered at the origin. A malformed one is told to the sender and does not hold up the lane.
func (t *turn) live(in *schema.Inbound) error {
	key := in.GetFrom() + "/" + in.GetOrigin()
	at, ok := t.follow(t.memory.Frames, key, in)
	if !ok {
		return nil
	}
	for _, f := range in.GetFrames() {
		if f.GetIndex() <= at.Seq {
			continue
		}
		at.Seq = f.GetIndex()
		if err := wellFormed(f.GetFrame()); err != nil {
			vs := []*schema.Violation{{Record: fmt.Sprint("frame ", f.GetIndex()), Rule: "form", Got: err.Error(), Wanted: "a frame of samples"}}
			if err := t.effects(t.engine.Refuse(in.GetFrom(), f.GetIndex(), vs, f.GetFrame(), t.now)); err != nil {
				return err
			}
			continue
		}
		if _, err := t.append(in.GetOrigin(), f.GetFrame()); err != nil {
			return err
		}
	}
	at.Seq = max(at.Seq, in.GetLast())
	t.memory.Frames[key] = at
	return t.write(func() error {
		return t.batch.SetPosition(&schema.Position{From: in.GetFrom(), Origin: in.GetOrigin(), Epoch: at.Epoch, Lane: LaneLive, Seq: at.Seq, Time: t.now})
	})
}

// backfill takes sealed chunks of the origin in place of what is here. It is always part of a checkpoint, so no replay meets it.
func (t *turn) backfill(in *schema.Inbound) error {
	for _, s := range in.GetSealed() {
		if err := t.store.CheckChunk(s.GetChunk(), in.GetPartition()); err != nil {
			t.refuse("form", err.Error(), fmt.Sprintf("the sealed chunk of series %d in partition %d", s.GetSeries(), in.GetPartition()))
			return nil
		}
	}
	return t.write(func() error {
		t.whole = true
		return t.batch.Sealed(in.GetOrigin(), in.GetPartition(), in.GetSealed())
	})
}
