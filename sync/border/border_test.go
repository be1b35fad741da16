package border

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
	"dusthub/sync/lane"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func identity(t testing.TB, ca *pki.CA, name, unit string) *pki.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	must(t, ca.Issue(dir, name, unit, nil, time.Hour))
	id, err := pki.LoadIdentity(dir)
	must(t, err)
	return id
}

// world is an origin with a ledger and a border in front of an empty store.
type world struct {
	t      testing.TB
	id     *pki.Identity
	other  *pki.Identity // a site of the same CA
	gw     *pki.Identity
	origin *store.Store
	border *Border
	index  uint64
}

const epoch = 7

func newWorld(t testing.TB) *world {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	must(t, err)
	w := &world{t: t, id: identity(t, ca, "jiangsu", pki.UnitSite), other: identity(t, ca, "anhui", pki.UnitSite), gw: identity(t, ca, "jiangsu", pki.UnitGateway)}
	w.origin = open(t, "jiangsu")
	w.border = &Border{Store: open(t, "ministry"), Pool: w.id.Pool()}
	b := w.origin.Begin(1, 1)
	must(t, b.SetEpoch(epoch), b.Commit())
	w.index = 1
	return w
}

func open(t testing.TB, site string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: vfs.NewMem(), Site: site, Partition: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// grow adds n entries to the origin's ledger.
func (w *world) grow(n int) {
	w.t.Helper()
	for range n {
		w.index++
		b := w.origin.Begin(w.index, int64(w.index))
		_, err := b.Own(store.Change{Type: "Site", Key: fmt.Sprint("s", w.index), Record: &schema.Site{Id: fmt.Sprint("s", w.index), Name: "站点", Level: "city"}})
		must(w.t, err, b.Commit())
	}
}

// sign makes a checkpoint of the origin's ledger as it is, by an identity, at a time.
func (w *world) sign(by *pki.Identity, at time.Time) *schema.Checkpoint {
	w.t.Helper()
	h, _ := w.origin.Head("jiangsu")
	c := &schema.Checkpoint{Origin: "jiangsu", Epoch: epoch, Seq: h.Seq, Digest: h.Digest[:], Time: at.UnixMilli(), Certificate: by.SignCert()}
	var err error
	c.Signature, err = by.Sign(chain.CheckpointMessage("jiangsu", epoch, h.Seq, h.Digest, c.GetTime()))
	must(w.t, err)
	return c
}

// batch reads entries of the origin's ledger, both ends included.
func (w *world) batch(from, to uint64, c *schema.Checkpoint) *schema.Inbound {
	w.t.Helper()
	in := &schema.Inbound{From: "jiangsu", Origin: "jiangsu", Epoch: epoch, Lane: lane.Events, First: from, Checkpoint: c}
	if to >= from {
		must(w.t, w.origin.Ledger(w.t.Context(), "jiangsu", epoch, from, int(to-from+1), func(_ uint64, i *schema.Item) error {
			in.Items = append(in.Items, i)
			return nil
		}))
	}
	return proto.Clone(in).(*schema.Inbound)
}

var child = Neighbour{Site: "jiangsu", Origins: map[string]bool{"jiangsu": true}}

func (w *world) check(in *schema.Inbound) error {
	return w.border.Check(w.t.Context(), child, in)
}

// take commits a batch that was checked, as the machine does.
func (w *world) take(in *schema.Inbound) {
	w.t.Helper()
	must(w.t, w.check(in))
	b := w.border.Store.Begin(w.border.Store.Applied()+1, 1)
	for i, item := range in.GetItems() {
		must(w.t, b.Foreign("jiangsu", epoch, in.GetFirst()+uint64(i), item, nil, nil))
	}
	if c := in.GetCheckpoint(); c != nil {
		must(w.t, b.PutCheckpoint(c))
	}
	must(w.t, b.Commit())
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.grow(10)
	ten := w.sign(w.id, time.Now())
	w.grow(10)
	twenty := w.sign(w.id, time.Now())
	w.take(w.batch(1, 8, nil))
	cases := []struct {
		name string
		in   *schema.Inbound
		err  error
		left int // items
	}{
		{"follows on", w.batch(9, 20, twenty), nil, 12},
		{"overlaps", w.batch(5, 20, twenty), nil, 12},
		{"nothing new", w.batch(1, 8, nil), nil, 0},
		{"gap", w.batch(10, 20, twenty), ErrGap, 0},
		{"seq 0", func() *schema.Inbound { in := w.batch(1, 3, nil); in.First = 0; return in }(), ErrGap, 0},
		{"signed in mid-batch", w.batch(9, 20, ten), nil, 12},
		{"signed beyond the batch", w.batch(9, 15, twenty), ErrCheckpoint, 0},
		{"signed by another site", w.batch(9, 20, w.sign(w.other, time.Now())), ErrCheckpoint, 0},
		{"signed by a gateway of that name", w.batch(9, 20, w.sign(w.gw, time.Now())), ErrCheckpoint, 0},
		{"signed in the future", w.batch(9, 20, w.sign(w.id, time.Now().Add(10*time.Minute))), ErrCheckpoint, 0},
		{"signed before the certificate was good", w.batch(9, 20, w.sign(w.id, time.Now().Add(-time.Hour))), ErrCheckpoint, 0},
		{"older epoch", func() *schema.Inbound { in := w.batch(1, 3, nil); in.Epoch = 6; return in }(), ErrEpoch, 0},
		{"newer epoch begins at 1", func() *schema.Inbound { in := w.batch(9, 10, nil); in.Epoch = 8; return in }(), ErrGap, 0},
		{"newer epoch", func() *schema.Inbound { in := w.batch(1, 3, nil); in.Epoch = 8; return in }(), nil, 3},
		{"no epoch", func() *schema.Inbound { in := w.batch(1, 3, nil); in.Epoch = 0; return in }(), ErrMalformed, 0},
		{"another's ledger", func() *schema.Inbound { in := w.batch(9, 10, nil); in.Origin = "anhui"; return in }(), ErrOrigin, 0},
		{"another's checkpoint", func() *schema.Inbound { in := w.batch(9, 20, twenty); in.Checkpoint.Origin = "anhui"; return in }(), ErrCheckpoint, 0},
		{"empty item", func() *schema.Inbound { in := w.batch(9, 10, nil); in.Items[0] = &schema.Item{}; return in }(), ErrMalformed, 0},
		{"short digest", func() *schema.Inbound {
			in := w.batch(9, 10, nil)
			in.Items[0] = &schema.Item{What: &schema.Item_Digest{Digest: make([]byte, 31)}}
			return in
		}(), ErrMalformed, 0},
		{"too many items", func() *schema.Inbound {
			in := w.batch(9, 9, nil)
			for len(in.GetItems()) <= maxItems {
				in.Items = append(in.Items, in.GetItems()[0])
			}
			return in
		}(), ErrSize, 0},
		{"too large an entry", func() *schema.Inbound {
			in := w.batch(9, 9, nil)
			in.Items[0] = &schema.Item{What: &schema.Item_Entry{Entry: make([]byte, 2<<20)}}
			return in
		}(), ErrSize, 0},
		{"too many bytes", func() *schema.Inbound {
			in := w.batch(9, 10, nil)
			for i := range in.GetItems() {
				in.Items[i] = &schema.Item{What: &schema.Item_Entry{Entry: make([]byte, 200<<10)}}
			}
			return in
		}(), ErrSize, 0},
		{"one large entry", func() *schema.Inbound {
			in := w.batch(9, 9, nil)
			in.Items[0] = &schema.Item{What: &schema.Item_Entry{Entry: make([]byte, 800<<10)}}
			return in
		}(), nil, 1},
		{"frames on the events lane", func() *schema.Inbound { in := w.batch(9, 9, nil); in.Frames = []*schema.LiveFrame{{}}; return in }(), ErrMalformed, 0},
		{"unknown lane", &schema.Inbound{Origin: "jiangsu", Epoch: epoch, Lane: "sideways"}, ErrMalformed, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := w.check(c.in)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("%v, wanted %v", err, c.err)
			}
			if err == nil && len(c.in.GetItems()) != c.left {
				t.Errorf("%d items left, wanted %d", len(c.in.GetItems()), c.left)
			}
		})
	}
}

// TestCheckpointBehindTheBatch: a signature that comes after its entries were taken in is checked against what is held.
func TestCheckpointBehindTheBatch(t *testing.T) {
	w := newWorld(t)
	w.grow(5)
	w.take(w.batch(1, 5, w.sign(w.id, time.Now())))
	w.grow(7)
	c := w.sign(w.id, time.Now())
	w.grow(3)
	w.take(w.batch(6, 14, nil))
	late := w.batch(15, 15, c)
	must(t, w.check(late))
	if late.GetCheckpoint() == nil {
		t.Error("checkpoint is lost")
	}
	forged := w.batch(15, 15, c)
	forged.Checkpoint.Digest[0] ^= 1
	if err := w.check(forged); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("forged: %v", err)
	}
	w.take(late)
	again := w.batch(15, 15, c)
	must(t, w.check(again))
	if !Empty(again) {
		t.Error("what is held came through again")
	}
}

// TestAnyFlippedByteIsRefused: whatever byte of the items that a checkpoint covers, or of the checkpoint, is another.
func TestAnyFlippedByteIsRefused(t *testing.T) {
	w := newWorld(t)
	w.grow(12)
	good := w.batch(1, 12, w.sign(w.id, time.Now()))
	for i := range good.GetItems() { // some are withheld
		if i%3 == 0 {
			d := chain.Entry(good.GetItems()[i].GetEntry())
			good.Items[i] = &schema.Item{What: &schema.Item_Digest{Digest: d[:]}}
		}
	}
	must(t, w.check(proto.Clone(good).(*schema.Inbound)))
	in := proto.Clone(good).(*schema.Inbound)
	c := in.GetCheckpoint()
	fields := map[string][]byte{"digest": c.GetDigest(), "signature": c.GetSignature(), "certificate": c.GetCertificate()}
	for i, item := range in.GetItems() {
		fields[fmt.Sprint("entry ", i)], fields[fmt.Sprint("withheld ", i)] = item.GetEntry(), item.GetDigest()
	}
	for name, f := range fields {
		for i := range f {
			f[i] ^= 1 << (i % 8)
			if err := w.check(in); err == nil {
				t.Errorf("byte %d of %d of the %s flipped and let in", i, len(f), name)
			}
			f[i] ^= 1 << (i % 8)
		}
	}
	must(t, w.check(in))
	for name, change := range map[string]func(*schema.Checkpoint){
		"time": func(c *schema.Checkpoint) { c.Time-- }, "seq": func(c *schema.Checkpoint) { c.Seq-- }, "epoch": func(c *schema.Checkpoint) { c.Epoch++ },
	} {
		in := proto.Clone(good).(*schema.Inbound)
		change(in.GetCheckpoint())
		if err := w.check(in); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
}

func TestSamples(t *testing.T) {
	w := newWorld(t)
	b := w.border.Store.Begin(1, 1)
	must(t, b.SetPosition(&schema.Position{From: "jiangsu", Origin: "jiangsu", Epoch: epoch, Lane: lane.Live, Seq: 10}), b.Commit())
	f := func(index uint64, n int) *schema.LiveFrame {
		return &schema.LiveFrame{Index: index, Frame: make([]byte, n)}
	}
	liveOf := func(last uint64, frames ...*schema.LiveFrame) *schema.Inbound {
		return &schema.Inbound{Origin: "jiangsu", Epoch: epoch, Lane: lane.Live, Frames: frames, Last: last}
	}
	sealedOf := func(list ...*schema.SealedSeries) *schema.Inbound {
		return &schema.Inbound{Origin: "jiangsu", Epoch: epoch, Lane: lane.Backfill, Sealed: list}
	}
	pieceOf := func(id string, n int) *schema.Inbound {
		return &schema.Inbound{Origin: "jiangsu", Epoch: epoch, Lane: lane.Attachments, Blob: &schema.Blob{Id: id, Data: make([]byte, n)}}
	}
	id := fmt.Sprintf("%064d", 1)
	cases := []struct {
		name string
		in   *schema.Inbound
		err  error
		left int // frames
	}{
		{"frames", liveOf(15, f(11, 9), f(13, 9)), nil, 2},
		{"some held", liveOf(15, f(9, 9), f(10, 9), f(13, 9)), nil, 1},
		{"all held", liveOf(10, f(9, 9)), nil, 0},
		{"out of order", liveOf(15, f(13, 9), f(12, 9)), ErrMalformed, 0},
		{"beyond the end", liveOf(12, f(13, 9)), ErrMalformed, 0},
		{"too large", liveOf(15, f(11, frame.MaxBytes+1)), ErrSize, 0},
		{"too much", liveOf(30, f(11, 200<<10), f(12, 200<<10), f(13, 200<<10)), ErrSize, 0},
		{"a frame more", liveOf(30, f(11, 200<<10), f(12, 200<<10)), nil, 2},
		{"older epoch", &schema.Inbound{Origin: "jiangsu", Epoch: 6, Lane: lane.Live, Frames: []*schema.LiveFrame{f(11, 9)}, Last: 11}, ErrEpoch, 0},
		{"sealed", sealedOf(&schema.SealedSeries{Series: 0, Chunk: []byte{1}}, &schema.SealedSeries{Series: 4, Chunk: []byte{1}}), nil, 0},
		{"series twice", sealedOf(&schema.SealedSeries{Series: 4, Chunk: []byte{1}}, &schema.SealedSeries{Series: 4, Chunk: []byte{1}}), ErrMalformed, 0},
		{"neither chunk nor digest", sealedOf(&schema.SealedSeries{Series: 4}), ErrMalformed, 0},
		{"short digest", sealedOf(&schema.SealedSeries{Series: 4, Digest: []byte{1}}), ErrMalformed, 0},
		{"large chunk", sealedOf(&schema.SealedSeries{Series: 4, Chunk: make([]byte, 2<<20)}), ErrSize, 0},
		{"large chunks", sealedOf(&schema.SealedSeries{Series: 4, Chunk: make([]byte, 200<<10)}, &schema.SealedSeries{Series: 5, Chunk: make([]byte, 200<<10)}), ErrSize, 0},
		{"one chunk that fills more than a batch", sealedOf(&schema.SealedSeries{Series: 4, Chunk: make([]byte, 800<<10)}), nil, 0},
		{"piece", pieceOf(id, 100), nil, 0},
		{"piece too large", pieceOf(id, lane.PieceBytes+1), ErrSize, 0},
		{"empty piece", pieceOf(id, 0), ErrMalformed, 0},
		{"piece of nothing", pieceOf("", 5), ErrMalformed, 0},
		{"no piece", &schema.Inbound{Origin: "jiangsu", Epoch: epoch, Lane: lane.Attachments}, ErrMalformed, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := w.check(c.in)
			if !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Fatalf("%v, wanted %v", err, c.err)
			}
			if len(c.in.GetFrames()) != c.left && err == nil {
				t.Errorf("%d frames left, wanted %d", len(c.in.GetFrames()), c.left)
			}
		})
	}
	relayed := Neighbour{Site: "jiangsu", Origins: map[string]bool{"jiangsu": true, "suzhou": true}}
	in := liveOf(15, f(11, 9))
	in.Origin = "suzhou"
	if err := w.border.Check(t.Context(), relayed, in); !errors.Is(err, ErrOrigin) {
		t.Errorf("live samples of a site below: %v", err)
	}
}

// FuzzCheck: whatever bytes a neighbour sends, the border answers, and lets nothing past that is not chained to what is held.
func FuzzCheck(f *testing.F) {
	w := newWorld(f)
	w.grow(3)
	for _, in := range []*schema.Inbound{
		w.batch(1, 3, w.sign(w.id, time.Now())), w.batch(2, 3, nil),
		{Origin: "jiangsu", Epoch: epoch, Lane: lane.Live, Frames: []*schema.LiveFrame{{Index: 3, Frame: []byte("F")}}, Last: 3},
		{Origin: "jiangsu", Epoch: epoch, Lane: lane.Backfill, Sealed: []*schema.SealedSeries{{Series: 1, Chunk: []byte{1}}}},
	} {
		raw, err := proto.Marshal(in)
		must(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := &schema.Inbound{}
		if proto.Unmarshal(raw, in) != nil || w.border.Check(t.Context(), child, in) != nil {
			return
		}
		if in.GetLane() == lane.Events && in.GetFirst() != 1 {
			t.Errorf("let in from %d on while nothing is held", in.GetFirst())
		}
	})
}
