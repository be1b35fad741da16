package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"
)

// Version is a record as one entry of its site's ledger wrote it.
type Version struct {
	Origin  string
	Seq     uint64 // of the entry
	Time    int64  // ms
	Actor   string
	Cause   string // id of the command
	Deleted bool
	Record  schema.Record // nil when deleted
}

// versioned says whether the entries of a type are listed by record: what people configure, which changes seldom, and how a plant was judged,
// whose history people look at. All others are found in their ledger alone.
func versioned(m *schema.Meta) bool {
	return m.Group == schema.Group_GROUP_ENTERPRISE || slices.Contains([]string{"CleaningPlan", "CodeTable", "RiskResult"}, m.Name)
}

// versionKey names an entry that wrote a record; epochs rise with time, and so do numbers within one.
func versionKey(typ, key string, epoch, seq uint64) []byte {
	return appendUint(appendUint(appendString(appendString([]byte{keyVersion}, typ), key), epoch), seq)
}

// note lists an entry among its record's versions.
func (b *Batch) note(m *schema.Meta, e *schema.Entry, epoch uint64) error {
	if !versioned(m) {
		return nil
	}
	return b.set(versionKey(e.GetType(), e.GetKey(), epoch, e.GetSeq()), []byte(e.GetOrigin()))
}

// Versions are the versions of a record, newest first, from before an entry of its ledger on (0: the newest); at most so many.
// more says that there are older ones. Entries that a store of an earlier program took in are not listed, but for the row's own.
func (s *Store) Versions(ctx context.Context, typ, key string, before uint64, limit int) (list []Version, more bool, err error) {
	prefix := appendString(appendString([]byte{keyVersion}, typ), key)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, false, fmt.Errorf("versions of %s/%s: %w", typ, key, err)
	}
	for ok := it.Last(); ok && err == nil; ok = it.Prev() {
		at := it.Key()[len(prefix):]
		if len(at) != 16 {
			err = errKey
			break
		}
		epoch, seq := binary.BigEndian.Uint64(at), binary.BigEndian.Uint64(at[8:])
		if before != 0 && seq >= before {
			continue
		}
		if len(list) == limit {
			more = true
			break
		}
		var v Version
		if v, err = s.version(ctx, string(it.Value()), epoch, seq); err == nil {
			list = append(list, v)
		}
	}
	if err = errors.Join(err, it.Close()); err != nil {
		return nil, false, fmt.Errorf("versions of %s/%s: %w", typ, key, err)
	}
	if len(list) == 0 && before == 0 {
		if row, ok, err := s.Get(typ, key); err != nil || ok {
			return []Version{{Origin: row.Origin, Seq: row.Seq, Time: row.Time, Record: row.Record}}, false, err
		}
	}
	return list, more, nil
}

// version reads one entry of a ledger.
func (s *Store) version(ctx context.Context, origin string, epoch, seq uint64) (v Version, err error) {
	err = s.Ledger(ctx, origin, epoch, seq, 1, func(_ uint64, item *schema.Item) error {
		e := &schema.Entry{}
		if err := proto.Unmarshal(item.GetEntry(), e); err != nil {
			return fmt.Errorf("stored entry: %w", err)
		}
		v = Version{Origin: origin, Seq: seq, Time: e.GetTime(), Actor: e.GetActor(), Cause: e.GetCause(), Deleted: e.GetDeleted()}
		if v.Deleted {
			return nil
		}
		rec, err := schema.Decode(e.GetType(), e.GetRecord())
		v.Record = rec
		return err
	})
	return v, err
}
