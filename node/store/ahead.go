package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// ahead reads the rows that an index names many at a time, in the order of their keys: rows that lie together are unpacked once, not once
// each. The first reading is short, for whoever stops soon.
type ahead struct {
	typ  string
	it   *pebble.Iterator // over the rows of the type
	keys []string
	size int
}

const (
	aheadFirst = 16
	aheadMost  = 2048
)

// eachIndexed is Each by an index.
func (s *Store) eachIndexed(ctx context.Context, q Query, fn func(Row) (bool, error)) error {
	_, _, index, err := bounds(q)
	if err != nil {
		return err
	}
	snap := s.db.NewSnapshot()
	defer snap.Close()
	prefix := rowKey(q.Type, "")
	it, err := snap.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return fmt.Errorf("list %s: %w", q.Type, err)
	}
	a, more := &ahead{typ: q.Type, it: it, size: aheadFirst}, true
	err = s.walkOn(ctx, snap, q, func(entry []byte, _ func() (Row, error)) (bool, error) {
		k, err := indexed(entry, q.Type, index)
		if err != nil {
			return false, err
		}
		if a.keys = append(a.keys, string(k)); len(a.keys) < a.size {
			return true, nil
		}
		more, err = a.flush(fn)
		return more, err
	})
	if err == nil && more {
		_, err = a.flush(fn)
	}
	return errors.Join(err, it.Close())
}

// EachKeyed calls fn for every row of some types whose key begins with one of some prefixes, until fn fails. One iterator reads them all:
// opening one costs more than the few rows that a plant has of a type.
func (s *Store) EachKeyed(ctx context.Context, types, prefixes []string, fn func(Row) error) error {
	snap := s.db.NewSnapshot()
	defer snap.Close()
	it, err := snap.NewIter(nil)
	if err != nil {
		return fmt.Errorf("list rows: %w", err)
	}
	for _, typ := range types {
		for _, prefix := range prefixes {
			if err := ctx.Err(); err != nil {
				return errors.Join(err, it.Close())
			}
			if err := s.eachAt(it, typ, prefix, fn); err != nil {
				return errors.Join(err, it.Close())
			}
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("list rows: %w", err)
	}
	return nil
}

func (s *Store) eachAt(it *pebble.Iterator, typ, prefix string, fn func(Row) error) error {
	from := rowKey(typ, prefix)
	it.SetBounds(from, after(from))
	for more := it.First(); more; more = it.Next() {
		s.reads.Add(1)
		r, err := rowAt(nil, it, typ, nil)
		if err == nil {
			err = fn(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flush reads the rows whose keys were gathered and hands them on in the order of the index.
func (a *ahead) flush(fn func(Row) (bool, error)) (bool, error) {
	order := make([]int, len(a.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(a.keys[i], a.keys[j]) })
	rows := make([]Row, len(a.keys))
	for _, i := range order {
		at := rowKey(a.typ, a.keys[i])
		if !a.it.SeekGE(at) || !bytes.Equal(a.it.Key(), at) {
			return false, errors.Join(fmt.Errorf("index of %s names row %q, which is not there", a.typ, a.keys[i]), a.it.Error())
		}
		v, err := a.it.ValueAndErr()
		if err != nil {
			return false, fmt.Errorf("read row: %w", err)
		}
		if rows[i], err = decodeRow(a.typ, a.keys[i], v); err != nil {
			return false, err
		}
	}
	a.keys, a.size = a.keys[:0], min(aheadMost, 2*a.size)
	for _, r := range rows {
		if more, err := fn(r); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}
