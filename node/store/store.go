package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"dusthub/crypto/chain"
	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options of a store. Zero values mean the defaults of fill.
type Options struct {
	Dir        string
	FS         vfs.FS        // nil: the disk; the seam for encryption and for faults in tests
	Site       string        // whose store it is
	Partition  time.Duration // length of a partition of samples, 2 h
	CacheBytes int64         // of blocks read, beside memtables; 64 MB
	Logger     *slog.Logger
}

func (o *Options) fill() error {
	if o.Site == "" {
		return errors.New("store: no site")
	}
	if o.Partition == 0 {
		o.Partition = 2 * time.Hour
	}
	if o.Partition < time.Second || o.Partition > 24*time.Hour {
		return fmt.Errorf("store: partition of %s, wanted 1s to 24h", o.Partition)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Store is a site's store. One goroutine writes (Begin ... Commit); any number read.
type Store struct {
	opt   Options
	db    *pebble.DB
	cache *pebble.Cache
	reads atomic.Uint64

	mu      sync.RWMutex // guards what follows
	applied uint64       // A
	headsAt uint64       // H
	epoch   uint64
	heads   map[string]LedgerHead
	origins map[string]uint16
	names   []string // by number
	series  seriesSet
}

const (
	metaApplied = "applied"
	metaHeads   = "heads"
	metaEpoch   = "epoch"

	memTableBytes = 32 << 20
	memTables     = 3 // one is written, one is flushed, one is kept to be written next
	blockBytes    = 32 << 10
)

// Open opens the store in a folder, making it when there is none.
func Open(opt Options) (*Store, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	s := &Store{opt: opt, heads: map[string]LedgerHead{}, origins: map[string]uint16{}}
	s.series.init(opt.Partition.Milliseconds())
	// Pebble takes its memtables out of the cache: without room for them nothing read from the disk is ever kept, and every reading of a row
	// unpacks its block anew, which takes twenty times as long.
	s.cache = pebble.NewCache(opt.CacheBytes + memTables*memTableBytes)
	o := &pebble.Options{
		Cache: s.cache, DisableWAL: true, MemTableSize: memTableBytes, FormatMajorVersion: pebble.FormatNewest,
		Logger: quiet{opt.Logger}, FS: opt.FS,
	}
	for i := range o.Levels {
		l := &o.Levels[i]
		l.BlockSize = blockBytes
		l.Compression = func() *sstable.CompressionProfile { return sstable.ZstdCompression }
		l.FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(opt.Dir, o)
	if err != nil {
		s.cache.Unref()
		return nil, fmt.Errorf("open store %s: %w", opt.Dir, err)
	}
	s.db = db
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("load store %s: %w", opt.Dir, err), s.Close())
	}
	return s, nil
}

// Close closes the store. What was not flushed is gone; the raft log has it.
func (s *Store) Close() error {
	defer s.cache.Unref()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Reads is how many rows were asked for, and entries of lists looked at, since the store was opened: what a question costs, whatever the
// machine is doing at the time.
func (s *Store) Reads() uint64 { return s.reads.Load() }

// Site is whose store it is.
func (s *Store) Site() string { return s.opt.Site }

// Applied is A: the index of the last command whose effects are in the rows.
func (s *Store) Applied() uint64 { s.mu.RLock(); defer s.mu.RUnlock(); return s.applied }

// HeadsAt is H: the index as of which heads and engine state were kept.
func (s *Store) HeadsAt() uint64 { s.mu.RLock(); defer s.mu.RUnlock(); return s.headsAt }

// Epoch tells this life of the site from another under the same name; 0 until the first command gave it.
func (s *Store) Epoch() uint64 { s.mu.RLock(); defer s.mu.RUnlock(); return s.epoch }

// PartitionMs is the length of a partition in ms.
func (s *Store) PartitionMs() int64 { return s.series.partition }

// Flush brings everything committed to the disk; only then may the raft log be cut behind H.
func (s *Store) Flush() error {
	if err := s.db.Flush(); err != nil {
		return fmt.Errorf("flush store: %w", err)
	}
	return nil
}

// CheckpointTo makes a consistent copy of the store in a folder that does not exist yet, cheaply (hard links).
func (s *Store) CheckpointTo(dir string) error {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("checkpoint store to %s: %w", dir, err)
	}
	return nil
}

// LoadState reads engine state as of H.
func (s *Store) LoadState(name string) ([]byte, bool, error) {
	return s.get(append([]byte{keyState}, name...))
}

// get copies a value; false when there is none.
func (s *Store) get(key []byte) ([]byte, bool, error) { return getFrom(s.db, key) }

func getFrom(r pebble.Reader, key []byte) ([]byte, bool, error) {
	v, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read store: %w", err)
	}
	out := append([]byte(nil), v...)
	if err := closer.Close(); err != nil {
		return nil, false, fmt.Errorf("read store: %w", err)
	}
	return out, true, nil
}

// scan calls fn for each key in [from, to); fn must copy what it keeps.
func (s *Store) scan(from, to []byte, fn func(k, v []byte) error) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("scan store: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), v)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("scan store: %w", err)
	}
	return nil
}

func (s *Store) scanPrefix(prefix []byte, fn func(k, v []byte) error) error {
	return s.scan(prefix, after(prefix), fn)
}

func (s *Store) load() error {
	for name, to := range map[string]*uint64{metaApplied: &s.applied, metaHeads: &s.headsAt, metaEpoch: &s.epoch} {
		v, ok, err := s.get(append([]byte{keyMeta}, name...))
		if err != nil {
			return err
		}
		if ok && len(v) == 8 {
			*to = binary.BigEndian.Uint64(v)
		}
	}
	if err := s.scanPrefix([]byte{keyOrigin}, func(k, v []byte) error {
		name := string(k[1:])
		n := binary.BigEndian.Uint16(v)
		s.origins[name] = n
		for len(s.names) <= int(n) {
			s.names = append(s.names, "")
		}
		s.names[n] = name
		return nil
	}); err != nil {
		return err
	}
	if err := s.scanPrefix([]byte{keyHead}, func(k, v []byte) error {
		origin, _, err := cutString(k[1:])
		if err != nil || len(v) != 16+chain.Size {
			return errKey
		}
		s.heads[origin] = LedgerHead{Origin: origin, Epoch: binary.BigEndian.Uint64(v), Seq: binary.BigEndian.Uint64(v[8:]), Digest: chain.Digest(v[16:])}
		return nil
	}); err != nil {
		return err
	}
	return s.loadSeries()
}

// Head is where an origin's ledger stands here; false when nothing of it is here.
func (s *Store) Head(origin string) (LedgerHead, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.heads[origin]
	return h, ok
}

// Heads are where all ledgers that are here stand, by origin.
func (s *Store) Heads() []LedgerHead {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]LedgerHead, 0, len(s.heads))
	for _, h := range s.heads {
		out = append(out, h)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Origin < out[j].Origin })
	return out
}

// Origins lists the sites whose ledgers or samples are here, in order of first sight.
func (s *Store) Origins() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]string(nil), s.names...)
}

// Metrics are Pebble's own, for /metrics.
func (s *Store) Metrics() *pebble.Metrics { return s.db.Metrics() }

// quiet sends Pebble's chatter to the debug level.
type quiet struct{ log *slog.Logger }

func (q quiet) Infof(format string, args ...any) {
	q.log.Debug(fmt.Sprintf(format, args...), "part", "pebble")
}
func (q quiet) Errorf(format string, args ...any) {
	q.log.Error(fmt.Sprintf(format, args...), "part", "pebble")
}

// Fatalf is called when Pebble cannot go on, for instance when the disk is broken: neither can we. The replica's log has what is lost here.
func (q quiet) Fatalf(format string, args ...any) {
	panic("store: " + fmt.Sprintf(format, args...))
}

// Record decodes a stored record.
func decodeRecord(typ string, b []byte) (schema.Record, error) {
	r, err := schema.Decode(typ, b)
	if err != nil {
		return nil, fmt.Errorf("stored record: %w", err)
	}
	return r, nil
}
