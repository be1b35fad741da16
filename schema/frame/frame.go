// Package frame is the columnar form in which samples travel: encoded once when they enter, the same bytes are
// the raft entry and what the live lane sends up.
package frame

// MaxBytes bounds one frame.
const MaxBytes = 256 << 10

// Quality of a sample (domain 2.6).
const (
	Good       uint8 = 0
	Stale      uint8 = 1
	OverRange  uint8 = 2
	Fault      uint8 = 3
	SourceLost uint8 = 4
	Backfill   uint8 = 5
)

// Sample is one reading of one series. Value is kept to the last bit; NaN and infinities are refused at the door.
type Sample struct {
	Series  uint32
	Time    int64 // ms
	Value   float64
	Quality uint8
}

// Append sorts samples by series and time and appends one frame with them to dst.
func Append(dst []byte, samples []Sample) []byte { panic("not yet") }

// Each checks the whole frame, then calls fn for each sample in order of series and time. It does not allocate
// per sample, and never panics whatever the bytes are.
func Each(frame []byte, fn func(Sample)) error { panic("not yet") }

// Count checks the frame and says how many samples it holds.
func Count(frame []byte) (int, error) { panic("not yet") }
