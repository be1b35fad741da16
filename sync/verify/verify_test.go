package verify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const epoch = 7

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, site string) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: vfs.NewMem(), Site: site, Partition: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

const start = int64(1_700_000_040_000)

// pair is a site with a ledger of n entries and some sealed samples, and another with a copy of what change lets through.
func pair(t *testing.T, n int, change func(seq uint64, item *schema.Item, c *schema.Checkpoint, samples *[]frame.Sample)) (a, b *store.Store, pool *pki.Pool) {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.NewCA(dir+"/ca", "test CA")
	must(t, err, ca.Issue(dir+"/id", "jiangsu", pki.UnitSite, nil, time.Hour))
	id, err := pki.LoadIdentity(dir + "/id")
	must(t, err)
	a, b = open(t, "jiangsu"), open(t, "ministry")
	samples := []frame.Sample{{Series: 1, Time: start + 5, Value: 1}, {Series: 2, Time: start + 9, Value: 2}}
	w := a.Begin(1, 1)
	must(t, w.SetEpoch(epoch))
	for i := range n {
		_, err = w.Own(store.Change{Type: "Site", Key: fmt.Sprint("s", i), Record: &schema.Site{Id: fmt.Sprint("s", i)}})
		must(t, err)
	}
	_, err = w.Frame("jiangsu", frame.Append(nil, samples))
	must(t, err)
	parts, err := w.SealBefore(start + 60_000)
	must(t, err, w.Checkpoint(), w.Commit())
	h, _ := a.Head("jiangsu")
	c := &schema.Checkpoint{Origin: "jiangsu", Epoch: epoch, Seq: h.Seq, Digest: h.Digest[:], Time: time.Now().UnixMilli(), Certificate: id.SignCert()}
	c.Signature, err = id.Sign(chain.CheckpointMessage("jiangsu", epoch, h.Seq, h.Digest, c.GetTime()))
	must(t, err)
	w = a.Begin(2, 2)
	must(t, w.PutCheckpoint(c), w.Commit())
	change(0, nil, c, &samples)
	v := b.Begin(1, 1)
	must(t, a.Ledger(t.Context(), "jiangsu", epoch, 1, n, func(seq uint64, item *schema.Item) error {
		change(seq, item, nil, nil)
		if item.GetWhat() == nil {
			return nil
		}
		return v.Foreign("jiangsu", epoch, seq, item, nil, nil)
	}))
	_, err = v.Frame("jiangsu", frame.Append(nil, samples))
	must(t, err)
	_, err = v.SealForeign("jiangsu", parts[0])
	must(t, err, v.PutCheckpoint(c), v.Checkpoint(), v.Commit())
	return a, b, id.Pool()
}

func TestCompare(t *testing.T) {
	other := []byte("another entry")
	cases := []struct {
		name   string
		change func(seq uint64, item *schema.Item, c *schema.Checkpoint, samples *[]frame.Sample)
		words  []string // differences
	}{
		{"equal", func(uint64, *schema.Item, *schema.Checkpoint, *[]frame.Sample) {}, nil},
		{"withheld entries are no difference", func(seq uint64, item *schema.Item, _ *schema.Checkpoint, _ *[]frame.Sample) {
			if seq%2 == 1 {
				d := chain.Entry(item.GetEntry())
				item.What = &schema.Item_Digest{Digest: d[:]}
			}
		}, nil},
		{"two entries differ", func(seq uint64, item *schema.Item, _ *schema.Checkpoint, _ *[]frame.Sample) {
			if seq == 17 || seq == 900 {
				item.What = &schema.Item_Entry{Entry: other}
			}
		}, []string{"the chain of jiangsu at ministry", "entry 17 of jiangsu", "entry 900 of jiangsu"}},
		{"signature", func(_ uint64, _ *schema.Item, c *schema.Checkpoint, _ *[]frame.Sample) {
			if c != nil {
				c.Signature = append([]byte(nil), c.GetSignature()...)
				c.Signature[20] ^= 1
			}
		}, []string{"the checkpoint of jiangsu at ministry, entry 1000: pki: signature"}},
		{"a sample", func(_ uint64, _ *schema.Item, _ *schema.Checkpoint, samples *[]frame.Sample) {
			if samples != nil {
				*samples = (*samples)[:1]
			}
		}, []string{"2 samples of 2 series at jiangsu, 1 of 1 at ministry"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b, pool := pair(t, 1000, c.change)
			r, err := Compare(t.Context(), pool, "jiangsu", Local("jiangsu", a), Local("ministry", b))
			must(t, err)
			if len(r.Differences) != len(c.words) || r.Equal() != (len(c.words) == 0) || r.Compared != 1000 {
				t.Fatalf("%+v, wanted %q", r, c.words)
			}
			for i, w := range c.words {
				if !strings.Contains(r.Differences[i], w) {
					t.Errorf("%q, wanted %q", r.Differences[i], w)
				}
			}
		})
	}
}

func TestCompareWithNothing(t *testing.T) {
	a, _, pool := pair(t, 3, func(uint64, *schema.Item, *schema.Checkpoint, *[]frame.Sample) {})
	r, err := Compare(t.Context(), pool, "jiangsu", Local("jiangsu", a), Local("ministry", open(t, "ministry")))
	if err != nil || r.Equal() || len(r.Differences) != 1 || !strings.Contains(r.Differences[0], "ministry has nothing") {
		t.Errorf("%+v, %v", r, err)
	}
}
