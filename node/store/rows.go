package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// ErrQuery says that a query names an index, a type or a cursor that does not exist.
var ErrQuery = errors.New("store: bad query")

// putRow writes an entry's record as the row it is now, and moves its index entries.
func (b *Batch) putRow(e *schema.Entry, rec schema.Record, epoch uint64) error {
	meta, ok := schema.MetaOf(e.GetType())
	if !ok {
		return fmt.Errorf("write %s: unknown record type", e.GetType())
	}
	if err := b.note(meta, e, epoch); err != nil {
		return err
	}
	old, existed, err := b.Get(e.GetType(), e.GetKey())
	if err != nil {
		return err
	}
	if existed {
		for _, ix := range meta.Index {
			if err := b.b.Delete(indexKey(e.GetType(), ix, old.Record, e.GetKey()), nil); err != nil {
				return fmt.Errorf("write batch: %w", err)
			}
		}
	}
	row := Row{Origin: e.GetOrigin(), Seq: e.GetSeq(), Time: e.GetTime(), Here: b.now, Type: e.GetType(), Key: e.GetKey(), Record: rec}
	if existed {
		row.Here = old.Here
	}
	b.rows = append(b.rows, row)
	if e.GetDeleted() {
		if err := b.b.Delete(rowKey(e.GetType(), e.GetKey()), nil); err != nil {
			return fmt.Errorf("write batch: %w", err)
		}
		return nil
	}
	for _, ix := range meta.Index {
		if err := b.set(indexKey(e.GetType(), ix, rec, e.GetKey()), nil); err != nil {
			return err
		}
	}
	v := binary.AppendUvarint(nil, uint64(len(row.Origin)))
	v = append(v, row.Origin...)
	v = binary.AppendUvarint(v, row.Seq)
	v = binary.AppendVarint(v, row.Time)
	v = binary.AppendVarint(v, row.Here)
	return b.set(rowKey(e.GetType(), e.GetKey()), append(v, e.GetRecord()...))
}

func decodeRow(typ, key string, v []byte) (Row, error) {
	r := Row{Type: typ, Key: key}
	n, w := binary.Uvarint(v)
	if w <= 0 || n > uint64(len(v)-w) {
		return r, fmt.Errorf("stored row %s/%s: malformed", typ, key)
	}
	r.Origin = string(v[w : w+int(n)])
	v = v[w+int(n):]
	seq, w1 := binary.Uvarint(v)
	if w1 <= 0 {
		return r, fmt.Errorf("stored row %s/%s: malformed", typ, key)
	}
	at, w2 := binary.Varint(v[w1:])
	if w2 <= 0 {
		return r, fmt.Errorf("stored row %s/%s: malformed", typ, key)
	}
	here, w3 := binary.Varint(v[w1+w2:])
	if w3 <= 0 {
		return r, fmt.Errorf("stored row %s/%s: malformed", typ, key)
	}
	r.Seq, r.Time, r.Here = seq, at, here
	var err error
	r.Record, err = decodeRecord(typ, v[w1+w2+w3:])
	return r, err
}

func rowFrom(reader pebble.Reader, typ, key string) (Row, bool, error) {
	v, ok, err := getFrom(reader, rowKey(typ, key))
	if err != nil || !ok {
		return Row{}, false, err
	}
	r, err := decodeRow(typ, key, v)
	return r, err == nil, err
}

// Get reads one row.
func (s *Store) Get(typ, key string) (Row, bool, error) {
	s.reads.Add(1)
	return rowFrom(s.db, typ, key)
}

// indexKey is the index entry of a record.
func indexKey(typ string, index []string, rec schema.Record, key string) []byte {
	k := appendString(appendString([]byte{keyIndex}, typ), strings.Join(index, ","))
	m := rec.ProtoReflect()
	for _, name := range index {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if fd.Kind() == protoreflect.StringKind {
			k = appendString(k, m.Get(fd).String())
		} else {
			k = appendInt(k, m.Get(fd).Int())
		}
	}
	return append(k, key...)
}

// bounds are the keys a query ranges over, and how many fields of the index its keys hold.
func bounds(q Query) (from, to []byte, index []string, err error) {
	meta, ok := schema.MetaOf(q.Type)
	if !ok {
		return nil, nil, nil, fmt.Errorf("%w: unknown type %q", ErrQuery, q.Type)
	}
	if q.Index == "" {
		prefix := rowKey(q.Type, strings.Join(q.Prefix, ""))
		return prefix, after(prefix), nil, nil
	}
	for _, ix := range meta.Index {
		if strings.Join(ix, ",") == q.Index {
			index = ix
		}
	}
	if index == nil || len(q.Prefix) > len(index) {
		return nil, nil, nil, fmt.Errorf("%w: %s has no index %q", ErrQuery, q.Type, q.Index)
	}
	prefix := appendString(appendString([]byte{keyIndex}, q.Type), q.Index)
	for i, v := range q.Prefix {
		if meta.Field(index[i]).Kind() != protoreflect.StringKind {
			return nil, nil, nil, fmt.Errorf("%w: %s.%s is no string", ErrQuery, q.Type, index[i])
		}
		prefix = appendString(prefix, v)
	}
	from, to = prefix, after(prefix)
	if len(q.Prefix) < len(index) && meta.Field(index[len(q.Prefix)]).Kind() == protoreflect.Int64Kind {
		if q.From != 0 {
			from = appendInt(bytes.Clone(prefix), q.From)
		}
		if q.To != 0 {
			to = appendInt(bytes.Clone(prefix), q.To)
		}
	}
	return from, to, index, nil
}

// List reads one page of rows. Errors: ErrQuery, the context's.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	var page Page
	var last []byte
	err := s.walk(ctx, q, func(it []byte, row func() (Row, error)) (bool, error) {
		if len(page.Rows) == limit {
			page.Next = base64.RawURLEncoding.EncodeToString(last)
			return false, nil
		}
		r, err := row()
		if err != nil {
			return false, err
		}
		page.Rows = append(page.Rows, r)
		last = append(last[:0], it...)
		return true, nil
	})
	return page, err
}

// Count counts the rows a query selects.
func (s *Store) Count(ctx context.Context, q Query) (int, error) {
	n := 0
	err := s.walk(ctx, q, func([]byte, func() (Row, error)) (bool, error) { n++; return true, nil })
	return n, err
}

// Each calls fn for every row a query selects, without paging, until fn returns false.
func (s *Store) Each(ctx context.Context, q Query, fn func(Row) (bool, error)) error {
	if q.Index != "" {
		return s.eachIndexed(ctx, q, fn)
	}
	return s.walk(ctx, q, func(_ []byte, row func() (Row, error)) (bool, error) {
		r, err := row()
		if err != nil {
			return false, err
		}
		return fn(r)
	})
}

const checkContextEvery = 256

func (s *Store) walk(ctx context.Context, q Query, visit func(key []byte, row func() (Row, error)) (bool, error)) error {
	snap := s.db.NewSnapshot()
	defer snap.Close()
	return s.walkOn(ctx, snap, q, visit)
}

func (s *Store) walkOn(ctx context.Context, snap *pebble.Snapshot, q Query, visit func(key []byte, row func() (Row, error)) (bool, error)) error {
	from, to, index, err := bounds(q)
	if err != nil {
		return err
	}
	if q.After != "" {
		cursor, err := base64.RawURLEncoding.DecodeString(q.After)
		if err != nil || bytes.Compare(cursor, from) < 0 || to != nil && bytes.Compare(cursor, to) >= 0 {
			return fmt.Errorf("%w: cursor", ErrQuery)
		}
		if q.Desc {
			to = cursor
		} else {
			from = slices.Concat(cursor, []byte{0}) // the first key after it
		}
	}
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("list %s: %w", q.Type, err)
	}
	step, ok := it.Next, it.First
	if q.Desc {
		step, ok = it.Prev, it.Last
	}
	seen := 0
	defer func() { s.reads.Add(uint64(seen)) }()
	for more := ok(); more; more = step() {
		if seen++; seen%checkContextEvery == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), it.Close())
		}
		goOn, err := visit(it.Key(), func() (Row, error) { return rowAt(snap, it, q.Type, index) })
		if err != nil || !goOn {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("list %s: %w", q.Type, err)
	}
	return nil
}

// rowAt reads the row an iterator stands at, or the row its index entry names.
func rowAt(snap *pebble.Snapshot, it *pebble.Iterator, typ string, index []string) (Row, error) {
	if index == nil {
		_, k, err := cutString(it.Key()[1:])
		if err != nil {
			return Row{}, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return Row{}, fmt.Errorf("read row: %w", err)
		}
		return decodeRow(typ, string(k), v)
	}
	k, err := indexed(it.Key(), typ, index)
	if err != nil {
		return Row{}, err
	}
	r, ok, err := rowFrom(snap, typ, string(k))
	if err == nil && !ok {
		err = fmt.Errorf("index of %s names row %q, which is not there", typ, k)
	}
	return r, err
}

// indexed is the key of the row that an index entry names.
func indexed(entry []byte, typ string, index []string) ([]byte, error) {
	_, k, err := cutString(entry[1:])
	if err != nil {
		return nil, err
	}
	if _, k, err = cutString(k); err != nil {
		return nil, err
	}
	meta, _ := schema.MetaOf(typ)
	for _, name := range index {
		if meta.Field(name).Kind() == protoreflect.StringKind {
			_, k, err = cutString(k)
		} else {
			_, k, err = cutInt(k)
		}
		if err != nil {
			return nil, err
		}
	}
	return k, nil
}
