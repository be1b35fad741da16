package collect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"dusthub/schema/rpc"

	"google.golang.org/protobuf/proto"
)

// The buffer is a folder of segments, named by the number of their first record, and the file "acked".
//
//	record   length uint32, readings uint32, CRC-32C uint32 of what follows and of the two before, number uint64, rpc.Samples
//	acked    number uint64, CRC-32C uint32: records up to it are acknowledged
//
// Integers are little endian. Segments are only appended to; a record that is torn or does not match its CRC ends its segment. Written is
// what the system has, so that it outlives the process; once a second it is also brought to the disk.
const (
	segmentSuffix  = ".seg"
	ackedFile      = "acked"
	recordHead     = 12
	numberBytes    = 8
	ackedBytes     = 12
	maxRecord      = 4 << 20
	segmentsAtMost = 16 // the buffer's bytes are split so
	largestSegment = 8 << 20
	syncEvery      = time.Second
	bufferMode     = 0o600
	folderMode     = 0o700
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errClosed = errors.New("buffer is closed")

// record is one batch as it lies in the buffer.
type record struct {
	number   uint64
	readings int
	samples  *rpc.Samples
}

type segment struct {
	file     *os.File
	first    uint64 // number of the first record it may hold
	size     int64
	readings int // not acknowledged
}

// cursor stands before the record that follows a number.
type cursor struct {
	after   uint64
	segment *segment
	offset  int64
}

// buffer keeps batches until they are acknowledged. Any number of goroutines may append; one reads and acknowledges.
type buffer struct {
	dir string
	max int64
	log *slog.Logger

	mu       sync.Mutex
	segments []*segment
	next     uint64 // number of the next record
	acked    uint64
	ackFile  *os.File
	head     cursor // before the first record that is not acknowledged
	reader   cursor
	bytes    int64
	readings int // not acknowledged
	lost     uint64
	synced   time.Time
	closed   bool
	grown    chan struct{} // holds one when something was appended
}

func openBuffer(dir string, maxBytes int64, log *slog.Logger) (*buffer, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("make buffer: %w", err)
	}
	b := &buffer{dir: dir, max: maxBytes, log: log, next: 1, grown: make(chan struct{}, 1), synced: time.Now()}
	if err := b.load(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *buffer) load() error {
	var err error
	if b.ackFile, err = os.OpenFile(filepath.Join(b.dir, ackedFile), os.O_CREATE|os.O_RDWR, bufferMode); err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	var ack [ackedBytes]byte
	if _, err = b.ackFile.ReadAt(ack[:], 0); err == nil && crc32.Checksum(ack[:8], castagnoli) == binary.LittleEndian.Uint32(ack[8:]) {
		b.acked = binary.LittleEndian.Uint64(ack[:8])
	}
	b.next = b.acked + 1
	names, err := filepath.Glob(filepath.Join(b.dir, "*"+segmentSuffix))
	if err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := b.loadSegment(name); err != nil {
			return err
		}
	}
	b.head = cursor{after: b.acked}
	b.reader = b.head
	if b.readings > 0 {
		b.grown <- struct{}{}
	}
	b.log.Info("buffer opened", "readings", b.readings, "bytes", b.bytes)
	return b.trim()
}

// loadSegment counts what a segment holds and cuts off what is torn at its end.
func (b *buffer) loadSegment(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, bufferMode)
	if err != nil {
		return fmt.Errorf("open buffer: %w", err)
	}
	s := &segment{file: f}
	b.segments = append(b.segments, s)
	if _, err := fmt.Sscanf(filepath.Base(name), "%d"+segmentSuffix, &s.first); err != nil {
		return fmt.Errorf("open buffer: file %s: %w", name, err)
	}
	for {
		r, size, err := readRecord(f, s.size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.log.Warn("end of a buffer segment is torn and cut off", "segment", name, "at", s.size, "err", err)
			if err := f.Truncate(s.size); err != nil {
				return fmt.Errorf("open buffer: %w", err)
			}
			break
		}
		s.size += size
		b.next = max(b.next, r.number+1)
		if r.number > b.acked {
			s.readings += r.readings
		}
	}
	b.bytes += s.size
	b.readings += s.readings
	return nil
}

// readRecord reads the record at an offset of a segment and says how long it is. Errors: io.EOF at the segment's end.
func readRecord(segment io.ReaderAt, offset int64) (record, int64, error) {
	var head [recordHead]byte
	n, err := segment.ReadAt(head[:], offset)
	if n == 0 && errors.Is(err, io.EOF) {
		return record{}, 0, io.EOF
	}
	if n < recordHead {
		return record{}, 0, errors.New("record is torn")
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length < numberBytes || length > maxRecord {
		return record{}, 0, fmt.Errorf("record of %d bytes", length)
	}
	body := make([]byte, length)
	if _, err := segment.ReadAt(body, offset+recordHead); err != nil {
		return record{}, 0, errors.New("record is torn")
	}
	if crc32.Update(crc32.Checksum(head[:8], castagnoli), castagnoli, body) != binary.LittleEndian.Uint32(head[8:]) {
		return record{}, 0, errors.New("record does not match its checksum")
	}
	r := record{number: binary.LittleEndian.Uint64(body), readings: int(binary.LittleEndian.Uint32(head[4:])), samples: &rpc.Samples{}}
	if err := proto.Unmarshal(body[numberBytes:], r.samples); err != nil {
		return record{}, 0, fmt.Errorf("record: %w", err)
	}
	return r, recordHead + int64(length), nil
}

func count(s *rpc.Samples) int {
	n := 0
	for _, m := range s.GetMetrics() {
		n += len(m.GetTimes())
	}
	return n
}

// Append keeps a batch.
func (b *buffer) Append(s *rpc.Samples) error {
	n := count(s)
	raw := make([]byte, recordHead+numberBytes, recordHead+numberBytes+proto.Size(s))
	raw, err := proto.MarshalOptions{}.MarshalAppend(raw, s)
	if err != nil {
		return fmt.Errorf("encode batch: %w", err)
	}
	if len(raw) > maxRecord {
		return fmt.Errorf("batch of %d bytes, at most %d", len(raw), maxRecord)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	binary.LittleEndian.PutUint32(raw, uint32(len(raw)-recordHead))
	binary.LittleEndian.PutUint32(raw[4:], uint32(n))
	binary.LittleEndian.PutUint64(raw[recordHead:], b.next)
	binary.LittleEndian.PutUint32(raw[8:], crc32.Update(crc32.Checksum(raw[:8], castagnoli), castagnoli, raw[recordHead:]))
	seg, err := b.room(int64(len(raw)))
	if err != nil {
		return err
	}
	if _, err := seg.file.WriteAt(raw, seg.size); err != nil {
		return fmt.Errorf("write buffer: %w", err) // what was written of it is overwritten, or cut off at the next start
	}
	seg.size += int64(len(raw))
	seg.readings += n
	b.bytes += int64(len(raw))
	b.readings += n
	b.next++
	select {
	case b.grown <- struct{}{}:
	default:
	}
	return b.sync(seg)
}

func (b *buffer) sync(seg *segment) error {
	if time.Since(b.synced) < syncEvery {
		return nil
	}
	b.synced = time.Now()
	if err := seg.file.Sync(); err != nil {
		return fmt.Errorf("write buffer: %w", err)
	}
	return nil
}

// room gives the segment to append n bytes to. It drops the oldest when the buffer is full.
func (b *buffer) room(n int64) (*segment, error) {
	for b.bytes+n > b.max && len(b.segments) > 0 {
		s := b.segments[0]
		if s.readings > 0 {
			b.lost += uint64(s.readings)
			b.log.Warn("buffer is full, the oldest readings are lost", "readings", s.readings)
		}
		if err := b.drop(); err != nil {
			return nil, err
		}
	}
	if k := len(b.segments); k > 0 {
		if s := b.segments[k-1]; s.size == 0 || s.size+n <= min(largestSegment, b.max/segmentsAtMost) {
			return s, nil
		}
	}
	if k := len(b.segments); k > 0 {
		if err := b.segments[k-1].file.Sync(); err != nil {
			return nil, fmt.Errorf("write buffer: %w", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(b.dir, fmt.Sprintf("%020d", b.next)+segmentSuffix), os.O_CREATE|os.O_RDWR|os.O_TRUNC, bufferMode)
	if err != nil {
		return nil, fmt.Errorf("write buffer: %w", err)
	}
	s := &segment{file: f, first: b.next}
	b.segments = append(b.segments, s)
	return s, nil
}

// drop removes the oldest segment.
func (b *buffer) drop() error {
	s := b.segments[0]
	b.segments = b.segments[1:]
	b.bytes -= s.size
	b.readings -= s.readings
	for _, c := range []*cursor{&b.head, &b.reader} {
		if c.segment == s {
			c.segment, c.offset = nil, 0
		}
	}
	if err := errors.Join(s.file.Close(), os.Remove(s.file.Name())); err != nil {
		return fmt.Errorf("drop buffer segment: %w", err)
	}
	return nil
}

// Next reads the first batch behind a number; false when there is none.
func (b *buffer) Next(after uint64) (record, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return record{}, false, errClosed
	}
	if b.reader.after != after {
		b.reader = b.head
	}
	for {
		r, ok, err := b.advance(&b.reader)
		if err != nil || !ok || r.number > after {
			return r, ok, err
		}
	}
}

// advance reads the record a cursor stands before, and moves it behind.
func (b *buffer) advance(c *cursor) (record, bool, error) {
	i := 0
	if c.segment != nil {
		i = slices.Index(b.segments, c.segment)
	}
	for ; i < len(b.segments); i++ {
		s := b.segments[i]
		if s != c.segment {
			c.segment, c.offset = s, 0
		}
		if c.offset >= s.size {
			continue
		}
		r, size, err := readRecord(s.file, c.offset)
		if err != nil {
			return record{}, false, fmt.Errorf("read buffer %s at %d: %w", s.file.Name(), c.offset, err)
		}
		c.offset += size
		c.after = r.number
		return r, true, nil
	}
	return record{}, false, nil
}

// Ack forgets the batches up to a number.
func (b *buffer) Ack(number uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	for b.head.after < number {
		c := b.head
		r, ok, err := b.advance(&c)
		if err != nil {
			return err
		}
		if !ok || r.number > number { // the oldest were dropped meanwhile
			break
		}
		b.head = c
		if r.number > b.acked {
			c.segment.readings -= r.readings
			b.readings -= r.readings
		}
	}
	b.acked = max(b.acked, number)
	b.head.after = max(b.head.after, number)
	var raw [ackedBytes]byte
	binary.LittleEndian.PutUint64(raw[:], b.acked)
	binary.LittleEndian.PutUint32(raw[8:], crc32.Checksum(raw[:8], castagnoli))
	if _, err := b.ackFile.WriteAt(raw[:], 0); err != nil {
		return fmt.Errorf("write buffer: %w", err)
	}
	return b.trim()
}

// trim removes segments that are acknowledged whole; the last stays, it is being written to.
func (b *buffer) trim() error {
	for len(b.segments) > 1 && b.segments[1].first <= b.acked+1 {
		if err := b.drop(); err != nil {
			return err
		}
	}
	return nil
}

// levels says what the buffer holds and what it has lost.
func (b *buffer) levels() (readings int, bytes int64, lost, acked uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.readings, b.bytes, b.lost, b.acked
}

// Close brings what is there to the disk.
func (b *buffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	var errs []error
	for _, s := range b.segments {
		errs = append(errs, s.file.Sync(), s.file.Close())
	}
	if b.ackFile != nil {
		errs = append(errs, b.ackFile.Sync(), b.ackFile.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close buffer: %w", err)
	}
	return nil
}
