package lane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

const epoch = 7

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

type writer struct {
	t     testing.TB
	s     *store.Store
	index uint64
}

func newWriter(t testing.TB) *writer {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: vfs.NewMem(), Site: "jiangsu", Partition: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	w := &writer{t: t, s: s}
	w.do(func(b *store.Batch) error { return b.SetEpoch(epoch) })
	return w
}

func (w *writer) do(fn func(*store.Batch) error) {
	w.t.Helper()
	w.index++
	b := w.s.Begin(w.index, int64(w.index))
	must(w.t, fn(b), b.Commit())
}

func (w *writer) own(rec schema.Record, to string) {
	w.t.Helper()
	w.do(func(b *store.Batch) error {
		_, err := b.Own(store.Change{Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Record: rec, To: to})
		return err
	})
}

func (w *writer) sign() {
	w.t.Helper()
	h, _ := w.s.Head("jiangsu")
	w.do(func(b *store.Batch) error {
		return b.PutCheckpoint(&schema.Checkpoint{Origin: "jiangsu", Epoch: epoch, Seq: h.Seq, Digest: h.Digest[:]})
	})
}

func TestWhoSeesWhat(t *testing.T) {
	entry := func(scope schema.Scope, to string) *schema.Entry { return &schema.Entry{Scope: scope, To: to} }
	const local, up, down = schema.Scope_SCOPE_LOCAL, schema.Scope_SCOPE_UP, schema.Scope_SCOPE_DOWN
	cases := []struct {
		name string
		e    *schema.Entry
		see  View
		want bool
	}{
		{"parent, up", entry(up, ""), Up, true},
		{"parent, local", entry(local, ""), Up, false},
		{"parent, down", entry(down, "*"), Up, false},
		{"child, to it", entry(down, "a"), Down("a"), true},
		{"child, to all", entry(down, "*"), Down("a"), true},
		{"child, to another", entry(down, "b"), Down("a"), false},
		{"child, to nobody", entry(down, ""), Down("a"), false},
		{"child, up", entry(up, ""), Down("a"), false},
		{"child, local", entry(local, "a"), Down("a"), false},
		{"copy, up", entry(up, ""), Verbatim, true},
		{"copy, local", entry(local, ""), Verbatim, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.see(c.e); got != c.want {
				t.Errorf("%v, wanted %v", got, c.want)
			}
		})
	}
}

// TestLedgerReadsWhole: whatever the records are, batches are contiguous and bounded, give the same chain, hold each
// signature once, and nothing withheld.
func TestLedgerReadsWhole(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWriter(t)
		n := rapid.IntRange(1, 60).Draw(r, "entries")
		var signed []uint64
		for i := range n {
			big := strings.Repeat("x", rapid.SampledFrom([]int{1, 100, 50_000, 300_000}).Draw(r, "size"))
			switch rapid.IntRange(0, 2).Draw(r, "scope") {
			case 0:
				w.own(&schema.User{Login: fmt.Sprint("u", i), Password: "hidden" + big}, "")
			case 1:
				w.own(&schema.Site{Id: fmt.Sprint("s", i), Name: "shown" + big}, "")
			case 2:
				w.own(&schema.CodeTable{Name: fmt.Sprint("c", i), Version: "other" + big}, "b")
			}
			if rapid.IntRange(0, 9).Draw(r, "sign") == 0 {
				w.sign()
				signed = append(signed, uint64(i+1))
			}
		}
		at, d, got := Cursor{Epoch: epoch}, chain.Genesis("jiangsu", epoch), []uint64(nil)
		for {
			next := at.Seq + 1
			in, err := Ledger(t.Context(), w.s, "jiangsu", &at, Up)
			must(t, err)
			if in == nil {
				break
			}
			raw, err := proto.Marshal(in)
			must(t, err)
			if in.GetFirst() != next || bytes.Contains(raw, []byte("hidden")) || bytes.Contains(raw, []byte("other")) {
				r.Fatalf("batch from %d, wanted %d, or it shows what it must not", in.GetFirst(), next)
			}
			if len(raw) > MaxBytes+400_000 || len(in.GetItems()) > 1 && proto.Size(in)-proto.Size(in.GetItems()[0]) > MaxBytes+1000 {
				r.Fatalf("batch of %d bytes", len(raw))
			}
			for _, item := range in.GetItems() {
				e, err := store.ItemDigest(item)
				must(t, err)
				d = chain.Next(d, e)
			}
			if c := in.GetCheckpoint(); c != nil {
				if c.GetSeq() > at.Seq {
					r.Fatalf("checkpoint at %d beside entries up to %d", c.GetSeq(), at.Seq)
				}
				got = append(got, c.GetSeq())
			}
		}
		h, _ := w.s.Head("jiangsu")
		if d != h.Digest || at.Seq != h.Seq {
			r.Fatalf("read up to %d, digest %x; head %d %x", at.Seq, d, h.Seq, h.Digest)
		}
		if len(signed) > 0 && (len(got) == 0 || got[len(got)-1] != signed[len(signed)-1]) {
			r.Fatalf("checkpoints %v, signed %v", got, signed)
		}
	})
}

func TestSignatureAfterItsEntries(t *testing.T) {
	w := newWriter(t)
	w.own(&schema.Site{Id: "s1"}, "")
	at := Cursor{Epoch: epoch}
	in, err := Ledger(t.Context(), w.s, "jiangsu", &at, Up)
	if err != nil || len(in.GetItems()) != 1 || in.GetCheckpoint() != nil {
		t.Fatalf("%v, %v", in, err)
	}
	w.sign()
	if in, err = Ledger(t.Context(), w.s, "jiangsu", &at, Up); err != nil || len(in.GetItems()) != 0 || in.GetFirst() != 2 || in.GetCheckpoint().GetSeq() != 1 {
		t.Fatalf("%v, %v", in, err)
	}
	if in, err = Ledger(t.Context(), w.s, "jiangsu", &at, Up); err != nil || in != nil {
		t.Fatalf("%v, %v", in, err)
	}
}

// frames is a log of frames at some indexes.
type frames map[uint64][]byte

func (f frames) Frames(from uint64, maxBytes int, fn func(uint64, []byte) error) (uint64, error) {
	for given := 0; from <= 100 && given < maxBytes; from++ {
		if b, ok := f[from]; ok {
			given += len(b)
			if err := fn(from, b); err != nil {
				return from, err
			}
		}
	}
	return from, nil
}

func TestFrames(t *testing.T) {
	log := frames{3: make([]byte, 200<<10), 5: make([]byte, 200<<10), 90: {1}}
	in, next, err := Frames(log, "jiangsu", epoch, 1)
	if err != nil || next != 6 || len(in.GetFrames()) != 2 || in.GetFirst() != 3 || in.GetLast() != 5 {
		t.Fatalf("%d frames, first %d last %d, next %d, %v", len(in.GetFrames()), in.GetFirst(), in.GetLast(), next, err)
	}
	in, next, err = Frames(log, "jiangsu", epoch, next)
	if err != nil || next != 101 || len(in.GetFrames()) != 1 || in.GetFirst() != 90 || in.GetLast() != 100 {
		t.Fatalf("%v, next %d, %v", in, next, err)
	}
	if in, next, err = Frames(log, "jiangsu", epoch, next); err != nil || in != nil || next != 101 {
		t.Fatalf("%v, next %d, %v", in, next, err)
	}
}

// sealedPartition seals random samples of many series and returns where.
func sealedPartition(w *writer, series int) int64 {
	const start = int64(1_700_000_040_000)
	var list []frame.Sample
	for n := range series {
		for i := range 60 {
			list = append(list, frame.Sample{Series: uint32(n), Time: start + int64(i)*1000, Value: 1 / float64(1+n*61+i)}) // raw values: large chunks
		}
	}
	for len(list) > 0 {
		n := min(len(list), 6000)
		w.do(func(b *store.Batch) error { _, err := b.Frame("jiangsu", frame.Append(nil, list[:n])); return err })
		list = list[n:]
	}
	w.do(func(b *store.Batch) error {
		parts, err := b.SealBefore(start + 60_000)
		if len(parts) != 1 {
			w.t.Fatalf("%d partitions", len(parts))
		}
		return errors.Join(err, b.Checkpoint())
	})
	return start
}

func TestSealedInPieces(t *testing.T) {
	w := newWriter(t)
	start := sealedPartition(w, 1000)
	read := func(series ...uint32) []*schema.Inbound {
		var out []*schema.Inbound
		found, err := Sealed(t.Context(), w.s, epoch, Want{Origin: "jiangsu", Partition: start, Series: series}, func(in *schema.Inbound) error {
			if proto.Size(in) > MaxBytes+70<<10 {
				t.Errorf("piece of %d bytes", proto.Size(in))
			}
			out = append(out, in)
			return nil
		})
		if err != nil || !found {
			t.Fatal(found, err)
		}
		for i, in := range out {
			if in.GetLast() != 0 != (i == len(out)-1) {
				t.Errorf("piece %d of %d has last %d", i, len(out), in.GetLast())
			}
		}
		return out
	}
	digests := read()
	if len(digests) != 1 || len(digests[0].GetSealed()) != 1000 || len(digests[0].GetSealed()[7].GetDigest()) != chain.Size {
		t.Fatalf("%d pieces of digests", len(digests))
	}
	all := make([]uint32, 1000)
	for i := range all {
		all[i] = uint32(i)
	}
	chunks := read(all...)
	n := 0
	for _, in := range chunks {
		for _, x := range in.GetSealed() {
			if d := chain.Entry(x.GetChunk()); !bytes.Equal(d[:], digests[0].GetSealed()[n].GetDigest()) {
				t.Fatalf("series %d: chunk is not what its digest says", x.GetSeries())
			}
			n++
		}
	}
	if n != 1000 || len(chunks) < 2 {
		t.Errorf("%d chunks in %d pieces", n, len(chunks))
	}
	if one := read(5); len(one) != 1 || len(one[0].GetSealed()) != 1 || one[0].GetSealed()[0].GetSeries() != 5 {
		t.Errorf("one series: %v", one)
	}
	if none := read(5000); len(none) != 1 || len(none[0].GetSealed()) != 0 {
		t.Errorf("a series that is not here: %v", none)
	}
	found, err := Sealed(t.Context(), w.s, epoch, Want{Origin: "jiangsu", Partition: start + 60_000}, nil)
	if found || err != nil {
		t.Errorf("a partition that is not here: %v %v", found, err)
	}
	differ, err := Differing(w.s, "jiangsu", start, append(digests[0].GetSealed()[:2:2], &schema.SealedSeries{Series: 9, Digest: make([]byte, chain.Size)}, &schema.SealedSeries{Series: 4000, Digest: make([]byte, chain.Size)}))
	if err != nil || len(differ) != 2 || differ[0] != 9 || differ[1] != 4000 {
		t.Errorf("differing %v, %v", differ, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sealed(ctx, w.s, epoch, Want{Origin: "jiangsu", Partition: start}, func(*schema.Inbound) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
