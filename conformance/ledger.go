package conformance

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"dusthub/crypto/sm"
	"dusthub/schema"

	"google.golang.org/protobuf/encoding/protowire"
)

// What follows is section 3 of docs/protocol.md, written out again: the suite must not share the product's mistakes.

const digestSize = 32

type digest = [digestSize]byte

// genesis is digest(0).
func genesis(origin string, epoch uint64) digest {
	return sm.SM3(binary.BigEndian.AppendUint64([]byte("dusthub ledger 1\x00"+origin+"\x00"), epoch))
}

// following is digest(i) of digest(i-1) and SM3(e(i)).
func following(before, entry digest) digest {
	return sm.SM3(append(before[:], entry[:]...))
}

// signedBytes are what a checkpoint's signature is over.
func signedBytes(c *schema.Checkpoint) []byte {
	m := []byte("dusthub checkpoint 1\x00" + c.GetOrigin() + "\x00")
	m = binary.BigEndian.AppendUint64(m, c.GetEpoch())
	m = binary.BigEndian.AppendUint64(m, c.GetSeq())
	m = append(m, c.GetDigest()...)
	return binary.BigEndian.AppendUint64(m, uint64(c.GetTime()))
}

// digestOf is the digest by which an item enters the chain.
func digestOf(item *schema.Item) (digest, error) {
	switch w := item.GetWhat().(type) {
	case *schema.Item_Entry:
		return sm.SM3(w.Entry), nil
	case *schema.Item_Digest:
		if len(w.Digest) == digestSize {
			return digest(w.Digest), nil
		}
	}
	return digest{}, fmt.Errorf("an item is neither an entry nor a digest of %d bytes", digestSize)
}

// signer is whoever signs a checkpoint; pki.Identity is one.
type signer interface {
	SignCert() []byte
	Sign(msg []byte) ([]byte, error)
}

// book is the auditor's own ledger, one epoch of it.
type book struct {
	origin string
	epoch  uint64
	items  []*schema.Item
	sums   []digest // of the entries
	chain  []digest // chain[i] is digest(i)
}

func newBook(origin string, epoch uint64) *book {
	return &book{origin: origin, epoch: epoch, chain: []digest{genesis(origin, epoch)}}
}

// draft is a copy to go on in: what is refused must not enter the book.
func (b *book) draft() *book {
	return &book{
		origin: b.origin, epoch: b.epoch, items: append([]*schema.Item(nil), b.items...), sums: append([]digest(nil), b.sums...), chain: append([]digest(nil), b.chain...),
	}
}

func (b *book) last() uint64 { return uint64(len(b.items)) }

func (b *book) append(item *schema.Item) error {
	sum, err := digestOf(item)
	if err != nil {
		return err
	}
	b.items, b.sums, b.chain = append(b.items, item), append(b.sums, sum), append(b.chain, following(b.chain[b.last()], sum))
	return nil
}

// hide appends n entries that the site may not see, such as a site has for its own users. Nobody has ever seen them.
func (b *book) hide(n int) error {
	for range n {
		secret := make([]byte, digestSize)
		if _, err := rand.Read(secret); err != nil {
			return fmt.Errorf("make an entry: %w", err)
		}
		sum := sm.SM3(secret)
		if err := b.append(&schema.Item{What: &schema.Item_Digest{Digest: sum[:]}}); err != nil {
			return err
		}
	}
	return nil
}

// entry is the next entry, about a record.
func (b *book) entry(rec schema.Record) (*schema.Entry, error) {
	raw, err := schema.Marshal(rec)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("make an entry: %w", err)
	}
	return &schema.Entry{
		Origin: b.origin, Seq: b.last() + 1, Time: time.Now().UnixMilli(), Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Scope: schema.Scope_SCOPE_UP,
		Actor: b.origin, Cause: hex.EncodeToString(id[:]), Record: raw,
	}, nil
}

// write appends an entry in clear; padding makes it larger by a field that no receiver knows yet (section 7).
func (b *book) write(e *schema.Entry, padding int) error {
	raw, err := schema.Marshal(e)
	if err != nil {
		return err
	}
	if padding > 0 {
		const unknown = 1000 // a field number far behind those in use
		raw = protowire.AppendBytes(protowire.AppendTag(raw, unknown, protowire.BytesType), make([]byte, padding))
	}
	return b.append(&schema.Item{What: &schema.Item_Entry{Entry: raw}})
}

// batch is what follows seq held, without a checkpoint.
func (b *book) batch(held uint64) *schema.Inbound {
	return &schema.Inbound{Origin: b.origin, Epoch: b.epoch, Lane: eventsLane, First: held + 1, Items: b.items[held:]}
}

// sign vouches for the book up to its end.
func (b *book) sign(by signer, at time.Time) (*schema.Checkpoint, error) {
	end := b.chain[b.last()]
	return signed(&schema.Checkpoint{Origin: b.origin, Epoch: b.epoch, Seq: b.last(), Digest: end[:], Time: at.UnixMilli(), Certificate: by.SignCert()}, by)
}

// signed signs a checkpoint as it stands.
func signed(c *schema.Checkpoint, by signer) (*schema.Checkpoint, error) {
	var err error
	if c.Signature, err = by.Sign(signedBytes(c)); err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return c, nil
}

// holds says whether a position is one of this book.
func (b *book) holds(p *schema.Position) bool {
	return p.GetSeq() <= b.last() && string(p.GetDigest()) == string(b.chain[p.GetSeq()][:])
}
