package federation

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/sm"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/lane"
)

// mender asks a child for what is missing here: sealed series of partitions whose root is not the owner's, and contents of
// attachments. It has at most one question of each kind open.
type mender struct {
	l     *link
	ask   func(*rpc.FromParent) error
	poke  chan struct{}     // ledgers have grown: partitions may differ
	asked map[place]verdict // partitions that were asked for in vain; only partitions' goroutine uses it

	mu        sync.Mutex
	partition *question // the open one, or nil
	content   *download // the open one, or nil
}

// place is a partition of an origin.
type place struct {
	origin string
	start  int64
}

// verdict is what was seen of a partition when it could not be mended; another is a reason to try again.
type verdict struct{ said, computed chain.Digest }

// question is an open Want.
type question struct {
	place
	series map[uint32]bool // nil: digests were asked for
	theirs []*schema.SealedSeries
	bad    string      // why some of it could not be taken in
	done   chan string // one reason why it is missing, empty when it is all here
}

// seriesAtOnce bounds one Want.
const seriesAtOnce = 1024

func newMender(l *link, ask func(*rpc.FromParent) error) *mender {
	return &mender{l: l, ask: ask, poke: make(chan struct{}, 1), asked: map[place]verdict{}}
}

// before judges an answer before it is committed; false when there is nothing to commit.
func (m *mender) before(in *schema.Inbound) (bool, error) {
	switch in.GetLane() {
	case lane.Backfill:
		return m.sealed(in)
	case lane.Attachments:
		return m.piece(in.GetOrigin(), in.GetBlob())
	}
	return true, nil
}

// after is told when a batch has been taken in.
func (m *mender) after(in *schema.Inbound) {
	switch {
	case in.GetLane() == lane.Events:
		select {
		case m.poke <- struct{}{}:
		default:
		}
	case in.GetLane() == lane.Backfill && in.GetLast() != 0:
		m.closeQuestion("")
	case in.GetLane() == lane.Attachments && in.GetBlob().GetLast():
		m.closeDownload("")
	}
}

func (m *mender) closeQuestion(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q := m.partition; q != nil {
		if q.bad != "" {
			reason = q.bad
		}
		q.done <- reason
		m.partition = nil
	}
}

// spoiled notes that the site refused a piece of the open question's answer.
func (m *mender) spoiled(in *schema.Inbound, why error) {
	m.l.log.Error("sealed series refused", "origin", in.GetOrigin(), "partition", in.GetPartition(), "err", why)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.partition != nil {
		m.partition.bad = why.Error()
	}
}

// sealed checks that sealed series are what was asked for. Digests are kept for the comparison, chunks are to be committed.
func (m *mender) sealed(in *schema.Inbound) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.partition
	if q == nil || q.origin != in.GetOrigin() || q.start != in.GetPartition() {
		return false, fmt.Errorf("%w: %s sends partition %d of %s unasked", errProtocol, m.l.peer.Site, in.GetPartition(), in.GetOrigin())
	}
	for _, x := range in.GetSealed() {
		if (q.series == nil) != (x.GetChunk() == nil) || q.series != nil && !q.series[x.GetSeries()] {
			return false, fmt.Errorf("%w: %s sends series %d of partition %d unasked", errProtocol, m.l.peer.Site, x.GetSeries(), in.GetPartition())
		}
	}
	if q.series == nil {
		q.theirs = append(q.theirs, in.GetSealed()...)
		return false, nil
	}
	return true, nil
}

// missing takes the child's word that it has not what was asked for, and puts it on record: a gap is never silent.
func (m *mender) missing(ctx context.Context, x *rpc.Missing) error {
	what := "Attachment/" + x.GetAttachment()
	if x.GetAttachment() == "" {
		what = fmt.Sprintf("Partition/%s/%013d", x.GetOrigin(), x.GetPartition())
	}
	m.l.log.Warn("child has not what was asked for", "what", what, "reason", x.GetReason())
	err := m.record(ctx, what, x.GetReason())
	if x.GetAttachment() == "" {
		m.closeQuestion("missing: " + x.GetReason())
	} else {
		m.closeDownload("missing: " + x.GetReason())
	}
	return err
}

// record puts a gap into quarantine, once, where the child sees it.
func (m *mender) record(ctx context.Context, what, reason string) error {
	const longest = 200
	id := sm.SM3([]byte(m.l.peer.Site + "/" + what))
	q := &schema.Quarantine{
		Id: "missing-" + hex.EncodeToString(id[:16]), Source: m.l.peer.Site, Door: "federation", Time: time.Now().UnixMilli(), Count: 1,
		Violations: []*schema.Violation{{Record: what, Rule: "missing", Got: reason[:min(len(reason), longest)], Wanted: "its content"}},
	}
	_, err := m.l.opt.Site.Propose(ctx, &schema.Command{
		Id: "missing/" + m.l.peer.Site + "/" + what, Actor: m.l.peer.Site, Body: &schema.Command_Refused{Refused: &schema.Refused{Quarantine: q}},
	})
	if err != nil {
		return fmt.Errorf("record that %s is missing: %w", what, err)
	}
	return nil
}

// lookAgain is how often partitions are compared when nothing tells of a change.
const lookAgain = time.Minute

// partitions mends partitions that differ until the context ends.
func (m *mender) partitions(ctx context.Context) error {
	for {
		p, wait, err := m.differing()
		if err != nil {
			return err
		}
		if p != nil {
			if err := m.mendPartition(ctx, *p); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(wait, lookAgain)):
		case <-m.poke:
			select { // what has just sealed may still be under way on the live lane
			case <-ctx.Done():
				return nil
			case <-time.After(min(wait, m.l.opt.Grace)):
			}
		}
	}
}

// differing finds the oldest partition of the child's origins that differs and is old enough; else how long until one is.
func (m *mender) differing() (*store.PartitionState, time.Duration, error) {
	wait := lookAgain
	for origin := range m.l.peer.Origins {
		all, err := m.l.store.Partitions(origin, 0)
		if err != nil {
			return nil, 0, fmt.Errorf("compare partitions of %s: %w", origin, err)
		}
		for _, p := range all {
			if !p.Mismatch() || m.asked[place{origin, p.Start}] == (verdict{p.Said, p.Computed}) {
				continue
			}
			if left := time.Until(time.UnixMilli(p.SealedAt).Add(m.l.opt.Grace)); left > 0 {
				wait = min(wait, left)
				continue
			}
			return &p, 0, nil
		}
	}
	return nil, wait, nil
}

// mendPartition asks for the digests of a partition's series, then for the series that differ.
func (m *mender) mendPartition(ctx context.Context, p store.PartitionState) error {
	at := place{p.Origin, p.Start}
	theirs, reason, err := m.want(ctx, at, nil)
	if err != nil {
		return err
	}
	differ, err := lane.Differing(m.l.store, p.Origin, p.Start, theirs)
	if err != nil {
		return err
	}
	m.l.log.Info("partition is mended", "origin", p.Origin, "partition", p.Start, "series", len(differ), "reason", reason)
	for some := range slices.Chunk(differ, seriesAtOnce) {
		if reason != "" {
			break
		}
		if _, reason, err = m.want(ctx, at, some); err != nil {
			return err
		}
	}
	return m.judge(at, reason)
}

// judge looks at a partition after it was asked for, so that one that stays different is not asked for again and again.
func (m *mender) judge(at place, reason string) error {
	now, err := m.l.store.Partitions(at.origin, at.start)
	if err != nil || len(now) == 0 || now[0].Start != at.start {
		return err
	}
	if !now[0].Mismatch() {
		delete(m.asked, at)
		m.l.metrics.answered(m.l.peer.Site, lane.Backfill, outcomeMended)
		return nil
	}
	m.asked[at] = verdict{now[0].Said, now[0].Computed}
	outcome := outcomeDiffers
	if reason != "" {
		outcome = outcomeMissing
	}
	m.l.metrics.answered(m.l.peer.Site, lane.Backfill, outcome)
	m.l.log.Error("partition still differs from its owner's", "origin", at.origin, "partition", at.start, "reason", reason)
	return nil
}

// want asks for digests (no series named) or for chunks, and waits until the answer is taken in.
func (m *mender) want(ctx context.Context, at place, series []uint32) ([]*schema.SealedSeries, string, error) {
	q := &question{place: at, done: make(chan string, 1)}
	if series != nil {
		q.series = map[uint32]bool{}
		for _, n := range series {
			q.series[n] = true
		}
	}
	m.mu.Lock()
	m.partition = q
	m.mu.Unlock()
	if err := m.ask(&rpc.FromParent{What: &rpc.FromParent_Want{Want: &rpc.Want{Origin: at.origin, Partition: at.start, Series: series}}}); err != nil {
		return nil, "", err
	}
	select {
	case reason := <-q.done:
		return q.theirs, reason, nil
	case <-ctx.Done():
		return nil, "", context.Cause(ctx)
	}
}
