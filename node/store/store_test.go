package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

const testPartition = time.Minute

func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "db", FS: fs, Site: "jiangsu", Partition: testPartition})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// op is one command of a test's history.
type op struct {
	samples []frame.Sample
	origin  string
	record  *schema.Alarm
	seal    int64
}

// apply does to a store what the machine does: everything, or after a crash heads alone.
func (o op) apply(t testing.TB, s *Store, index uint64) {
	t.Helper()
	switch {
	case index <= s.HeadsAt():
		return
	case index <= s.Applied():
		if o.samples != nil {
			must(t, s.ReplayFrame(o.origin, frame.Append(nil, slices.Clone(o.samples))))
		}
		return
	}
	b := s.Begin(index, int64(index))
	if s.Epoch() == 0 {
		must(t, b.SetEpoch(7))
	}
	switch {
	case o.samples != nil:
		_, err := b.Frame(o.origin, frame.Append(nil, slices.Clone(o.samples)))
		must(t, err)
	case o.record != nil:
		_, err := b.Own(Change{Type: "Alarm", Key: o.record.GetId(), Record: o.record})
		must(t, err)
	default:
		parts, err := b.SealBefore(o.seal)
		must(t, err)
		for _, p := range parts {
			_, err := b.Own(Change{Type: "Partition", Key: p.GetId(), Record: p})
			must(t, err)
		}
		_, err = b.ResealForeign()
		must(t, err, b.Checkpoint())
	}
	must(t, b.Commit())
}

func history(r *rand.Rand, n int) []op {
	var out []op
	now := int64(1_700_000_000_000)
	for i := range n {
		now += int64(r.IntN(4000))
		switch r.IntN(12) {
		case 0:
			out = append(out, op{seal: now - 90_000})
		case 1:
			out = append(out, op{record: &schema.Alarm{Id: fmt.Sprint("a", r.IntN(20)), Enterprise: fmt.Sprint("e", r.IntN(3)), Stage: "raised", Condition: "active", Onset: now, Value: float64(i)}})
		default:
			o := op{origin: "jiangsu"}
			if r.IntN(3) == 0 {
				o.origin = "wuxi"
			}
			for range 1 + r.IntN(40) {
				at := now - int64(r.IntN(3000))
				if r.IntN(20) == 0 {
					at -= int64(r.IntN(300_000)) // late
				}
				v := float64(r.IntN(1000)) / 10
				if r.IntN(30) == 0 {
					v = r.NormFloat64()
				}
				o.samples = append(o.samples, frame.Sample{Series: uint32(r.IntN(5)), Time: at, Value: v, Quality: uint8(r.IntN(20) / 19 * 2)})
			}
			out = append(out, o)
		}
	}
	return out
}

// picture is everything a reader can see, as text.
func picture(t testing.TB, s *Store) string {
	t.Helper()
	ctx := context.Background()
	text := fmt.Sprintln("heads", func() LedgerHead { h, _ := s.Head("jiangsu"); return h }(), s.Epoch(), s.Origins())
	for _, origin := range []string{"jiangsu", "wuxi"} {
		text += fmt.Sprintln(origin, s.SampleCount(origin))
		for n := range uint32(5) {
			ref := SeriesRef{origin, n}
			p, ok := s.Latest(ref)
			text += fmt.Sprintln(n, p, ok, s.SeriesCount(ref))
			must(t, s.Points(ctx, ref, 0, math.MaxInt64/2, func(p Point) error {
				text += fmt.Sprintf("%d=%x/%d ", p.Time, math.Float64bits(p.Value), p.Quality)
				return nil
			}))
		}
		parts, err := s.Partitions(origin, 0)
		must(t, err)
		for _, p := range parts {
			text += fmt.Sprintf("%d %x %d %d\n", p.Start, p.Computed, p.Series, p.Revision)
		}
	}
	for _, q := range []Query{{Type: "Alarm"}, {Type: "Alarm", Index: "onset", Desc: true}, {Type: "Alarm", Index: "enterprise,onset", Prefix: []string{"e1"}}} {
		page, err := s.List(ctx, q)
		must(t, err)
		for _, r := range page.Rows {
			text += fmt.Sprintln(r.Key, r.Seq, r.Time, r.Here, r.Record.(*schema.Alarm).GetOnset())
		}
	}
	return text
}

// TestCrashAnywhere: a store that lost what was not flushed, at any point, and is fed the log again, shows what an uncrashed one shows.
func TestCrashAnywhere(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			ops := history(r, 150)
			whole := open(t, vfs.NewMem())
			defer whole.Close()
			for i, o := range ops {
				o.apply(t, whole, uint64(i+1))
			}
			want := picture(t, whole)
			fs := vfs.NewCrashableMem()
			s := open(t, fs)
			for i := 0; i < len(ops); i++ {
				ops[i].apply(t, s, uint64(i+1))
				if r.IntN(25) == 0 {
					must(t, s.Flush())
				}
				if r.IntN(30) == 0 {
					fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
					must(t, s.Close())
					s = open(t, fs)
					i = int(s.HeadsAt()) - 1 // the log is delivered again from behind H
				}
			}
			defer s.Close()
			if got := picture(t, s); got != want {
				t.Errorf("after crashes\n%s\nwanted\n%s", got, want)
			}
		})
	}
}

// TestChainVerifies: the ledger's chain, recomputed, is its head's digest.
func TestChainVerifies(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	for i, o := range history(rand.New(rand.NewPCG(9, 9)), 200) {
		o.apply(t, s, uint64(i+1))
	}
	h, _ := s.Head("jiangsu")
	d, err := s.ChainAt(t.Context(), "jiangsu", h.Epoch, h.Seq)
	if err != nil || d != h.Digest || h.Seq == 0 {
		t.Errorf("chain %x at %d, head %x, %v", d, h.Seq, h.Digest, err)
	}
}

// TestParentSeesTheSameRoot: samples that arrive in another order and in other frames seal to the same root; a missing
// sample is noticed, and the owner's chunks mend it.
func TestParentSeesTheSameRoot(t *testing.T) {
	child, parent := open(t, vfs.NewMem()), open(t, vfs.NewMem())
	defer child.Close()
	defer parent.Close()
	parent.opt.Site = "ministry"
	r := rand.New(rand.NewPCG(3, 4))
	var all []frame.Sample
	start := int64(1_700_000_040_000)
	for i := range 200 {
		all = append(all, frame.Sample{Series: uint32(i % 4), Time: start + int64(i/4)*1000, Value: float64(r.IntN(500)) / 10})
	}
	b := child.Begin(1, 1)
	_, err := b.Frame("jiangsu", frame.Append(nil, slices.Clone(all)))
	must(t, err, b.Commit())
	b = child.Begin(2, 2)
	parts, err := b.SealBefore(start + 1e9)
	must(t, err, b.Checkpoint(), b.Commit())
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	b = parent.Begin(1, 1)
	_, err = b.Frame("jiangsu", frame.Append(nil, slices.Clone(all[:150])))
	must(t, err, b.Commit())
	b = parent.Begin(2, 2)
	equal, err := b.SealForeign("jiangsu", parts[0])
	must(t, err, b.Checkpoint(), b.Commit())
	if equal {
		t.Error("50 missing samples were not noticed")
	}
	b = parent.Begin(3, 3)
	_, err = b.Frame("jiangsu", frame.Append(nil, slices.Clone(all[150:190]))) // late, one conflicting
	must(t, err, b.Commit())
	var chunks []*schema.SealedSeries
	must(t, child.Chunks("jiangsu", parts[0].GetStart(), func(n uint32, _ chain.Digest, c []byte) error {
		chunks = append(chunks, &schema.SealedSeries{Series: n, Chunk: slices.Clone(c)})
		return nil
	}))
	b = parent.Begin(4, 4)
	must(t, b.Sealed("jiangsu", parts[0].GetStart(), chunks), b.Checkpoint(), b.Commit())
	state, err := parent.Partitions("jiangsu", 0)
	if err != nil || len(state) != 1 || state[0].Mismatch() || parent.SampleCount("jiangsu") != 200 {
		t.Errorf("%+v, %d samples, %v", state, parent.SampleCount("jiangsu"), err)
	}
}

func TestDuplicatesAndConflicts(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	one := []frame.Sample{{Series: 1, Time: 1000, Value: 5}}
	b := s.Begin(1, 1)
	first, err := b.Frame("jiangsu", frame.Append(nil, one))
	must(t, err)
	again, err := b.Frame("jiangsu", frame.Append(nil, one))
	must(t, err)
	other, err := b.Frame("jiangsu", frame.Append(nil, []frame.Sample{{Series: 1, Time: 1000, Value: 6}}))
	must(t, err, b.Commit())
	if first.Stored != 1 || again.Duplicates != 1 || other.Conflicted != 1 || other.Conflicts[0].Kept != 5 {
		t.Errorf("%+v %+v %+v", first, again, other)
	}
	b = s.Begin(2, 2)
	_, err = b.SealBefore(1e9)
	must(t, err, b.Checkpoint(), b.Commit())
	b = s.Begin(3, 3)
	late, err := b.Frame("jiangsu", frame.Append(nil, []frame.Sample{{Series: 1, Time: 1000, Value: 6}, {Series: 1, Time: 2000, Value: 6}}))
	must(t, err, b.Commit())
	if late.Conflicted != 1 || late.Stored != 1 || s.SeriesCount(SeriesRef{"jiangsu", 1}) != 2 {
		t.Errorf("late: %+v", late)
	}
}

func TestBucketsAreWhatTheSamplesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := Open(Options{Dir: "db", FS: vfs.NewMem(), Site: "jiangsu", Partition: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		base := int64(1_700_000_000_000)
		var all []frame.Sample
		for i := range rapid.IntRange(1, 500).Draw(t, "n") {
			all = append(all, frame.Sample{Series: 1, Time: base + int64(i)*int64(rapid.SampledFrom([]int{7000, 30000}).Draw(t, "gap")), Value: float64(i%97) / 4})
		}
		b := s.Begin(1, 1)
		if _, err := b.Frame("jiangsu", frame.Append(nil, slices.Clone(all))); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SealBefore(base + rapid.Int64Range(0, 5*hourMs).Draw(t, "sealed")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Checkpoint(), b.Commit()); err != nil {
			t.Fatal(err)
		}
		step := rapid.SampledFrom([]int64{1000, minuteMs, 5 * minuteMs, hourMs}).Draw(t, "step")
		from, to := floor(base+rapid.Int64Range(-hourMs, hourMs).Draw(t, "from"), step), floor(base+rapid.Int64Range(hourMs, 4*hourMs).Draw(t, "to"), step)
		got, err := s.Buckets(t.Context(), SeriesRef{"jiangsu", 1}, from, to, step)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int64]*Bucket{}
		if err := s.Points(t.Context(), SeriesRef{"jiangsu", 1}, from, to, func(p Point) error {
			at := floor(p.Time, step)
			if want[at] == nil {
				want[at] = &Bucket{Start: at}
			}
			want[at].add(p)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d buckets, wanted %d", len(got), len(want))
		}
		for _, g := range got {
			w := want[g.Start]
			if w == nil || g.Count != w.Count || g.Min != w.Min || g.Max != w.Max || g.Last != w.Last || math.Abs(g.Sum-w.Sum) > 1e-6 {
				t.Fatalf("%+v, wanted %+v", g, w)
			}
		}
	})
}

func TestChunkRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &part{start: 60_000}
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			v := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(0, 900), func(i int) float64 { return float64(i) / 10 })).Draw(t, "v")
			offset := uint32(rapid.IntRange(0, 59_999).Draw(t, "at"))
			if i, there := p.find(offset); !there {
				p.insert(i, offset, v, rapid.SampledFrom([]uint8{0, 0, 2}).Draw(t, "q"))
			}
		}
		b := appendChunk(nil, p)
		got, err := decodeChunk(b, 60_000, 60_000)
		if err != nil || !slices.Equal(got.offsets, p.offsets) {
			t.Fatal(err, got)
		}
		for i := range p.values {
			if math.Float64bits(got.values[i]) != math.Float64bits(p.values[i]) || got.point(i).Quality != p.point(i).Quality {
				t.Fatalf("value %d: %v became %v", i, p.point(i), got.point(i))
			}
		}
	})
}

func FuzzDecodeChunk(f *testing.F) {
	p := &part{start: 0, offsets: []uint32{0, 1000, 2000}, values: []float64{1, 1.5, math.Pi}}
	f.Add(appendChunk(nil, p))
	p.values[2] = 2
	f.Add(appendChunk(nil, p))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = decodeChunk(b, 0, 60_000)
		_, _ = decodeSeries(1, b, 60_000)
		_, _, _ = decodeRollup(b, true)
		_, _ = decodeRow("Alarm", "x", b)
	})
}

func TestKeysSortAsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		x, y := appendString(nil, a), appendString(nil, b)
		if (a < b) != (slices.Compare(x, y) < 0) {
			t.Fatalf("%q %q", a, b)
		}
		if got, rest, err := cutString(append(x, 'z')); err != nil || got != a || string(rest) != "z" {
			t.Fatalf("%q became %q", a, got)
		}
	})
}

// BenchmarkFrame: 100,000 series, a frame of 5,000 samples at a time.
func BenchmarkFrame(b *testing.B) {
	s := open(b, vfs.NewMem())
	defer s.Close()
	const count, per = 100_000, 5000
	now, n := int64(1_700_000_000_000), 0
	in := make([]frame.Sample, per)
	var raw []byte
	batch := s.Begin(1, 1)
	stored := 0
	for b.Loop() {
		b.StopTimer()
		for i := range in {
			in[i] = frame.Sample{Series: uint32((n + i) % count), Time: now + int64((n+i)/count)*10, Value: float64((n+i)%700) / 10}
		}
		n += per
		raw = frame.Append(raw[:0], in)
		b.StartTimer()
		a, err := batch.Frame("jiangsu", raw)
		must(b, err)
		stored += a.Stored
	}
	b.ReportMetric(float64(stored)/b.Elapsed().Seconds(), "samples/s")
}

// What was read from the disk is kept in memory, however large the memtables have grown.
func TestCacheHoldsBlocksBesideMemtables(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	const rows = 200
	b := s.Begin(1, 1)
	must(t, b.SetEpoch(7))
	for n := range rows {
		_, err := b.Own(Change{Type: "Alarm", Key: fmt.Sprint(n), Record: &schema.Alarm{Id: fmt.Sprint(n), Enterprise: "e", Condition: "active", Stage: "raised", Level: 1}})
		must(t, err)
	}
	must(t, b.Commit())
	for i := range 512 { // a memtable begins small and is twice as large each time it is full
		must(t, s.db.Set([]byte{0xff, byte(i), byte(i >> 8)}, make([]byte, 256<<10), pebble.NoSync))
	}
	must(t, s.Flush())
	read := func() {
		for n := range rows {
			if _, ok, err := s.Get("Alarm", fmt.Sprint(n)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	read()
	missed := s.db.Metrics().BlockCache.Misses
	read()
	if m := s.db.Metrics(); m.MemTable.Size+m.MemTable.ZombieSize < 2*memTableBytes {
		t.Fatalf("memtables of %d MB show nothing", m.MemTable.Size>>20)
	}
	if again := s.db.Metrics().BlockCache.Misses - missed; again > rows/10 {
		t.Errorf("%d of %d rows were read from the disk again", again, rows)
	}
}
