package portal

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Paging of lists that are newest first.
const (
	defaultPage = 100
	maxPage     = 1000
	// maxScan bounds how many rows one answer looks at for a narrow viewer; the answer then ends early, with a cursor.
	maxScan = 20_000
)

// pageSize is how many items a page holds when so many are asked for; 0 is the default.
func pageSize(asked int) int {
	if asked <= 0 {
		return defaultPage
	}
	return min(asked, maxPage)
}

// place is where a row stands in a list that is newest first.
type place struct {
	time int64
	key  string
}

// compare is the order of such a list.
func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(q.time, p.time), cmp.Compare(q.key, p.key))
}

// before says whether p comes before q in it.
func (p place) before(q place) bool { return p.compare(q) < 0 }

func (p place) cursor() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.time, 10) + "|" + p.key))
}

func parsePlace(cursor string) (place, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	at, key, ok := strings.Cut(string(b), "|")
	t, numberErr := strconv.ParseInt(at, 10, 64)
	if err != nil || numberErr != nil || !ok {
		return place{}, problem(400, codeBadRequest, "after: not a cursor of this list")
	}
	return place{t, key}, nil
}

// newest asks for rows of one or more time-ordered indexes, newest first.
type newest struct {
	queries []store.Query // From and To bound the time
	time    func(schema.Record) int64
	keep    func(store.Row) bool
	after   string
	limit   int
	recent  *recentKey    // the list in memory that it begins with; nil for none
	byPlant string        // index of the store that holds a plant's own in the same order; "": "enterprise," and that of the only query
	beside  []store.Query // what the list in memory does not know of: read beside it
}

// list merges the indexes into one page. It ends early when too many rows were looked at in vain.
func (s *Server) list(ctx context.Context, n newest) ([]store.Row, string, error) {
	limit := pageSize(n.limit)
	var from *place
	if n.after != "" {
		p, err := parsePlace(n.after)
		if err != nil {
			return nil, "", err
		}
		from = &p
	}
	var all []store.Row
	var stop *place // rows behind it are not known
	queries, most, behind := n.queries, s.scan, from
	if n.recent != nil {
		rows, rest, err := s.remembered(n, from, limit)
		if err != nil {
			return nil, "", err
		}
		if all, behind, queries = rows, rest, nil; rest != nil {
			queries, most = s.narrowed(n, limit)
		}
	}
	read := func(queries []store.Query, from *place, most int) error {
		for _, q := range queries {
			rows, end, err := s.take(ctx, n, q, from, limit, most)
			if err != nil {
				return err
			}
			all = append(all, rows...)
			if end != nil && (stop == nil || end.before(*stop)) {
				stop = end
			}
		}
		return nil
	}
	if err := read(queries, behind, most); err != nil {
		return nil, "", err
	}
	if n.recent != nil {
		if err := read(n.beside, from, s.scan); err != nil {
			return nil, "", err
		}
	}
	at := func(r store.Row) place { return place{n.time(r.Record), r.Key} }
	slices.SortFunc(all, func(a, b store.Row) int { return at(a).compare(at(b)) })
	all = slices.CompactFunc(all, func(a, b store.Row) bool { return a.Key == b.Key && a.Type == b.Type })
	if stop != nil {
		all = slices.DeleteFunc(all, func(r store.Row) bool { return stop.before(at(r)) })
	}
	if len(all) > limit {
		all = all[:limit]
		last := at(all[limit-1])
		stop = &last
	}
	if stop == nil {
		return all, "", nil
	}
	return all, stop.cursor(), nil
}

// take reads up to limit+1 rows of one index from a place on, looking at most so many; end is where it stopped, nil when it came to the end.
func (s *Server) take(ctx context.Context, n newest, q store.Query, from *place, limit, most int) (rows []store.Row, end *place, err error) {
	q.Desc = true
	if from != nil && from.time < math.MaxInt64 && (q.To == 0 || q.To > from.time+1) {
		q.To = from.time + 1
	}
	seen := 0
	var last place
	err = s.opt.Backend.Store().Each(ctx, q, func(r store.Row) (bool, error) {
		p := place{n.time(r.Record), r.Key}
		if from != nil && !from.before(p) {
			return true, nil
		}
		if len(rows) > limit || seen >= most {
			end = &last
			return false, nil
		}
		seen++
		last = p
		if n.keep == nil || n.keep(r) {
			rows = append(rows, r)
		}
		return true, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", q.Type, err)
	}
	return rows, end, nil
}

// backBlock is how many ledger items are read at a time when going backwards.
const backBlock = 512

// ledgerBackwards calls fn for the entries of a ledger that can be read here, newest first, until fn returns false or
// most were looked at; it returns the sequence number before which it stopped (0 at the beginning). Ledgers are kept forwards,
// so that it reads block by block: what it costs is bounded by most, not by the ledger.
func ledgerBackwards(ctx context.Context, st *store.Store, origin string, most int, fn func(*schema.Entry) (bool, error)) (uint64, error) {
	head, ok := st.Head(origin)
	if !ok {
		return 0, nil
	}
	to := head.Seq
	for seen := 0; to > 0 && seen < most; {
		from := uint64(1)
		if to > backBlock {
			from = to - backBlock + 1
		}
		block := make([]*schema.Entry, 0, backBlock)
		err := st.Ledger(ctx, origin, head.Epoch, from, int(to-from+1), func(_ uint64, item *schema.Item) error {
			e := &schema.Entry{}
			if raw := item.GetEntry(); raw != nil {
				if err := proto.Unmarshal(raw, e); err != nil {
					return fmt.Errorf("stored entry: %w", err)
				}
				block = append(block, e)
			}
			return nil
		})
		if err != nil {
			return to, fmt.Errorf("read ledger of %s: %w", origin, err)
		}
		seen += int(to - from + 1)
		for _, e := range slices.Backward(block) {
			if more, err := fn(e); err != nil || !more {
				return e.GetSeq(), err
			}
		}
		to = from - 1
	}
	return to, nil
}
