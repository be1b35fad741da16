package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dusthub/schema/rpc"
)

var quiet = slog.New(slog.DiscardHandler)

func batch(from int64, n int) *rpc.Samples {
	m := &rpc.MetricSamples{Metric: "320505030001C001T0101"}
	for i := range int64(n) {
		m.Times = append(m.Times, from+i)
		m.Values = append(m.Values, float64(from+i)+rand.Float64())
	}
	return &rpc.Samples{Metrics: []*rpc.MetricSamples{m}}
}

func open(t testing.TB, dir string, size int64) *buffer {
	t.Helper()
	b, err := openBuffer(dir, size, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func fill(t testing.TB, b *buffer, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := b.Append(batch(int64(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// drain reads everything behind a number.
func drain(t testing.TB, b *buffer, after uint64) (times []int64, last uint64) {
	t.Helper()
	for {
		r, ok, err := b.Next(after)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return times, after
		}
		after = r.number
		times = append(times, r.samples.GetMetrics()[0].GetTimes()...)
	}
}

func span(from, to int64) string {
	var out []int64
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return fmt.Sprint(out)
}

func TestBufferKeepsOrderAndForgetsWhatIsAcknowledged(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, minMaxBytes)
	fill(t, b, 0, 10)
	if got, last := drain(t, b, 0); fmt.Sprint(got) != span(0, 10) || last != 10 {
		t.Fatalf("read %v to %d", got, last)
	}
	if err := b.Ack(4); err != nil {
		t.Fatal(err)
	}
	if n, _, lost, acked := b.levels(); n != 6 || lost != 0 || acked != 4 {
		t.Errorf("%d readings, %d lost, %d acknowledged", n, lost, acked)
	}
	if got, _ := drain(t, b, 4); fmt.Sprint(got) != span(4, 10) {
		t.Errorf("read again from 4: %v", got)
	}
	if got, _ := drain(t, b, 7); fmt.Sprint(got) != span(7, 10) {
		t.Errorf("read again from 7: %v", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Append(batch(1, 1)); !errors.Is(err, errClosed) {
		t.Errorf("append after close: %v", err)
	}
	b = open(t, dir, minMaxBytes)
	if n, _, _, acked := b.levels(); n != 6 || acked != 4 {
		t.Errorf("after a start: %d readings, %d acknowledged", n, acked)
	}
	fill(t, b, 10, 12)
	if got, last := drain(t, b, 4); fmt.Sprint(got) != span(4, 12) || last != 12 {
		t.Errorf("after a start: %v to %d", got, last)
	}
	if err := b.Ack(12); err != nil {
		t.Fatal(err)
	}
	if n, _, _, _ := b.levels(); n != 0 {
		t.Errorf("%d readings left", n)
	}
}

func TestBufferIsTrimmedWhileItIsUsed(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, minMaxBytes)
	after := uint64(0)
	for i := range 200 {
		fill(t, b, 100*i, 100*i+100)
		got, last := drain(t, b, after)
		if fmt.Sprint(got) != span(int64(100*i), int64(100*i+100)) {
			t.Fatalf("round %d: %v", i, got)
		}
		after = last
		if err := b.Ack(last); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	if _, size, lost, _ := b.levels(); lost != 0 || size > minMaxBytes/segmentsAtMost*2 || len(files) > 2 {
		t.Errorf("%d bytes in %d files, %d lost", size, len(files), lost)
	}
}

func TestFullBufferLosesTheOldestAndCountsThem(t *testing.T) {
	b := open(t, t.TempDir(), minMaxBytes)
	const n = 40000
	fill(t, b, 0, 10)
	drain(t, b, 0) // a reader that stands at what is dropped
	fill(t, b, 10, n)
	kept, size, lost, _ := b.levels()
	if size > minMaxBytes || lost == 0 || kept+int(lost) != n {
		t.Fatalf("%d kept in %d bytes, %d lost of %d", kept, size, lost, n)
	}
	got, last := drain(t, b, 5)
	if len(got) != kept || got[0] != int64(lost) || got[len(got)-1] != n-1 {
		t.Errorf("read %d from %d to %d", len(got), got[0], got[len(got)-1])
	}
	if err := b.Ack(3); err != nil { // of what is gone
		t.Fatal(err)
	}
	if again, _, _, _ := b.levels(); again != kept {
		t.Errorf("an acknowledgement of what was dropped leaves %d of %d", again, kept)
	}
	if err := b.Ack(last); err != nil {
		t.Fatal(err)
	}
	if left, _, _, _ := b.levels(); left != 0 {
		t.Errorf("%d left", left)
	}
}

// TestTornEnds: whatever bytes the end of the last segment loses, all whole records before it are there.
func TestTornEnds(t *testing.T) {
	whole := t.TempDir()
	b := open(t, whole, minMaxBytes)
	fill(t, b, 0, 5)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(whole, fmt.Sprintf("%020d.seg", 1))
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	record := len(raw) / 5
	for _, damage := range []string{"cut", "flip"} {
		for at := 4 * record; at < len(raw); at++ {
			dir := t.TempDir()
			bad := append([]byte(nil), raw...)
			if damage == "cut" {
				bad = bad[:at]
			} else {
				bad[at] ^= 0x10
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := openBuffer(dir, minMaxBytes, quiet)
			if err != nil {
				t.Fatalf("%s at %d: %v", damage, at, err)
			}
			fill(t, b, 100, 101)
			got, _ := drain(t, b, 0)
			if fmt.Sprint(got) != "[0 1 2 3 100]" {
				t.Errorf("%s at %d: %v", damage, at, got)
			}
			b.Close()
		}
	}
}

func TestBufferWithoutItsAcknowledgements(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, minMaxBytes)
	fill(t, b, 0, 3)
	if err := b.Ack(2); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := os.WriteFile(filepath.Join(dir, ackedFile), []byte("nonsense bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, dir, minMaxBytes)
	if got, _ := drain(t, b, 0); fmt.Sprint(got) != span(0, 3) {
		t.Errorf("read %v: what may not be acknowledged is to be sent again", got)
	}
}

// TestBufferSurvivesKill appends in another process that is killed, and finds what that process said it had kept.
func TestBufferSurvivesKill(t *testing.T) {
	if os.Getenv("DUSTHUB_TEST_BUFFER") != "" {
		b, err := openBuffer(".", minMaxBytes, quiet)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for i := 0; ; i++ {
			if err := b.Append(batch(int64(i), 1)); err != nil {
				os.Exit(1)
			}
			fmt.Println(i)
		}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBufferSurvivesKill$")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DUSTHUB_TEST_BUFFER=here")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for buf := make([]byte, 4096); len(said) < 3000; {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		said += string(buf[:n])
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	lines := strings.Count(said, "\n")
	got, _ := drain(t, open(t, dir, minMaxBytes), 0)
	if len(got) < lines || got[lines-1] != int64(lines-1) {
		t.Errorf("%d readings there, %d were kept", len(got), lines)
	}
}

func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	b, err := openBuffer(dir, minMaxBytes, quiet)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err = b.Append(batch(int64(i), 2)); err != nil {
			f.Fatal(err)
		}
	}
	b.Close()
	raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%020d.seg", 1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		offset := int64(0)
		for {
			r, size, err := readRecord(bytes.NewReader(raw), offset)
			if err != nil {
				if (offset == int64(len(raw))) != errors.Is(err, io.EOF) {
					t.Fatalf("at %d of %d: %v", offset, len(raw), err)
				}
				return
			}
			if size < recordHead+numberBytes || offset+size > int64(len(raw)) || r.samples == nil {
				t.Fatalf("record of %d bytes at %d of %d", size, offset, len(raw))
			}
			offset += size
		}
	})
}

func BenchmarkBufferAppend(b *testing.B) {
	buf, err := openBuffer(b.TempDir(), 64<<20, quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer buf.Close()
	s := batch(1_700_000_000_000, 20)
	b.ReportAllocs()
	for b.Loop() {
		if err := buf.Append(s); err != nil {
			b.Fatal(err)
		}
	}
}
