package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"
)

// Batch gathers everything one command changes; Commit writes it at once with the command's index. Samples are in memory already
// when they are added: the machine is the only writer, and a failure to commit ends the program.
type Batch struct {
	s      *Store
	b      *pebble.Batch
	index  uint64
	now    int64
	heads  map[string]LedgerHead // ledgers that grew
	rows   []Row                 // rows written, for those who watch
	marksH bool
	epoch  uint64
}

// ErrGap says that a foreign ledger item does not follow the one before it.
var ErrGap = errors.New("store: ledger item out of order")

// Begin starts the batch of the command at a raft index; nowMs is the command's time.
func (s *Store) Begin(index uint64, nowMs int64) *Batch {
	return &Batch{s: s, b: s.db.NewIndexedBatch(), index: index, now: nowMs, heads: map[string]LedgerHead{}}
}

// SetEpoch gives a new site its epoch.
func (b *Batch) SetEpoch(epoch uint64) error {
	b.epoch = epoch
	return b.setMeta(metaEpoch, epoch)
}

func (b *Batch) setMeta(name string, v uint64) error {
	return b.set(append([]byte{keyMeta}, name...), appendUint(nil, v))
}

func (b *Batch) set(k, v []byte) error {
	if err := b.b.Set(k, v, nil); err != nil {
		return fmt.Errorf("write batch: %w", err)
	}
	return nil
}

// head is where a ledger stands with what this batch added.
func (b *Batch) head(origin string, epoch uint64) LedgerHead {
	if h, ok := b.heads[origin]; ok && h.Epoch == epoch {
		return h
	}
	if h, ok := b.s.Head(origin); ok && h.Epoch == epoch {
		return h
	}
	return LedgerHead{Origin: origin, Epoch: epoch, Digest: chain.Genesis(origin, epoch)}
}

func (b *Batch) currentEpoch() uint64 {
	if b.epoch != 0 {
		return b.epoch
	}
	return b.s.Epoch()
}

// Change is one record change of this site, to become its next ledger entry.
type Change struct {
	Type, Key string
	Record    schema.Record // nil when deleted
	Deleted   bool
	To        string // SCOPE_DOWN: the child, or "*"
	Actor     string
	Cause     string // command id
}

// Own writes a change of this site: the next ledger entry, the row and its index entries. It returns the entry.
func (b *Batch) Own(c Change) (*schema.Entry, error) {
	meta, ok := schema.MetaOf(c.Type)
	if !ok {
		return nil, fmt.Errorf("write %s: unknown record type", c.Type)
	}
	h := b.head(b.s.opt.Site, b.currentEpoch())
	e := &schema.Entry{
		Origin: b.s.opt.Site, Seq: h.Seq + 1, Time: b.now, Type: c.Type, Key: c.Key, Deleted: c.Deleted, Scope: meta.Scope, To: c.To, Actor: c.Actor, Cause: c.Cause,
	}
	var err error
	if !c.Deleted {
		if e.Record, err = schema.Marshal(c.Record); err != nil {
			return nil, fmt.Errorf("write %s/%s: %w", c.Type, c.Key, err)
		}
	}
	raw, err := schema.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write %s/%s: %w", c.Type, c.Key, err)
	}
	if err := b.append(h, &schema.Item{What: &schema.Item_Entry{Entry: raw}}, chain.Entry(raw)); err != nil {
		return nil, err
	}
	return e, b.putRow(e, c.Record, h.Epoch)
}

func (b *Batch) append(h LedgerHead, item *schema.Item, digest chain.Digest) error {
	raw, err := schema.Marshal(item)
	if err != nil {
		return fmt.Errorf("append to ledger of %s: %w", h.Origin, err)
	}
	h.Seq++
	h.Digest = chain.Next(h.Digest, digest)
	b.heads[h.Origin] = h
	if err := b.set(itemKey(h.Origin, h.Epoch, h.Seq), raw); err != nil {
		return err
	}
	v := appendUint(appendUint(nil, h.Epoch), h.Seq)
	return b.set(headKey(h.Origin), append(v, h.Digest[:]...))
}

// ItemDigest is what an item adds to the chain.
func ItemDigest(item *schema.Item) (chain.Digest, error) {
	switch w := item.GetWhat().(type) {
	case *schema.Item_Entry:
		return chain.Entry(w.Entry), nil
	case *schema.Item_Digest:
		if len(w.Digest) == chain.Size {
			return chain.Digest(w.Digest), nil
		}
	}
	return chain.Digest{}, errors.New("store: item holds neither entry nor digest")
}

// Foreign appends an item to the copy of another site's ledger, verbatim. With a record it becomes a row here too, with
// nil it stays in the ledger alone. Errors: ErrGap.
func (b *Batch) Foreign(origin string, epoch, seq uint64, item *schema.Item, e *schema.Entry, rec schema.Record) error {
	h := b.head(origin, epoch)
	if seq != h.Seq+1 {
		return fmt.Errorf("%w: %s %d behind %d", ErrGap, origin, seq, h.Seq)
	}
	digest, err := ItemDigest(item)
	if err != nil {
		return err
	}
	if err := b.append(h, item, digest); err != nil {
		return err
	}
	if e == nil || rec == nil && !e.GetDeleted() {
		return nil
	}
	return b.putRow(e, rec, epoch)
}

// SetPosition says how far a lane has been taken in.
func (b *Batch) SetPosition(p *schema.Position) error {
	raw, err := schema.Marshal(p)
	if err != nil {
		return fmt.Errorf("write position: %w", err)
	}
	return b.set(positionKey(p.GetFrom(), p.GetOrigin(), p.GetLane()), raw)
}

// PutCheckpoint keeps a site's signature under its ledger.
func (b *Batch) PutCheckpoint(c *schema.Checkpoint) error {
	raw, err := schema.Marshal(c)
	if err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return b.set(signedKey(c.GetOrigin(), c.GetEpoch(), c.GetSeq()), raw)
}

// PutBlob keeps a piece of an attachment's content.
func (b *Batch) PutBlob(blob *schema.Blob) error {
	if err := b.set(blobKey(blob.GetId(), blob.GetPiece()), blob.GetData()); err != nil {
		return err
	}
	if !blob.GetLast() {
		return nil
	}
	return b.set(appendString([]byte{keyBlobDone}, blob.GetId()), appendUint(nil, uint64(blob.GetPiece())+1))
}

// SaveState keeps engine state; it belongs to a Checkpoint.
func (b *Batch) SaveState(name string, data []byte) error {
	return b.set(append([]byte{keyState}, name...), data)
}

// Position reads a position as this batch leaves it.
func (b *Batch) Position(from, origin, lane string) (*schema.Position, bool, error) {
	return positionFrom(b.b, positionKey(from, origin, lane))
}

// Get reads a row as this batch leaves it.
func (b *Batch) Get(typ, key string) (Row, bool, error) { return rowFrom(b.b, typ, key) }

// Rows are the rows written, in order; a deleted one has no record.
func (b *Batch) Rows() []Row { return b.rows }

// Commit writes the batch with the command's index.
func (b *Batch) Commit() error {
	if err := b.setMeta(metaApplied, b.index); err != nil {
		return err
	}
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("commit command %d: %w", b.index, err)
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.applied = b.index
	if b.marksH {
		b.s.headsAt = b.index
	}
	if b.epoch != 0 {
		b.s.epoch = b.epoch
	}
	for o, h := range b.heads {
		b.s.heads[o] = h
	}
	if err := b.b.Close(); err != nil {
		return fmt.Errorf("close batch: %w", err)
	}
	return nil
}

// Discard gives the batch up.
func (b *Batch) Discard() { _ = b.b.Close() } // nothing was written

// originNumber is the number of an origin, given at first sight.
func (b *Batch) originNumber(origin string) (uint16, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if n, ok := b.s.origins[origin]; ok {
		return n, nil
	}
	n := uint16(len(b.s.names))
	b.s.origins[origin] = n
	b.s.names = append(b.s.names, origin)
	return n, b.set(append([]byte{keyOrigin}, origin...), binary.BigEndian.AppendUint16(nil, n))
}

func positionFrom(r pebble.Reader, key []byte) (*schema.Position, bool, error) {
	raw, ok, err := getFrom(r, key)
	if err != nil || !ok {
		return nil, false, err
	}
	p := &schema.Position{}
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, false, fmt.Errorf("stored position: %w", err)
	}
	return p, true, nil
}
