package federation

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/lane"
)

// download is the content of an attachment that is being fetched.
type download struct {
	id     string
	origin string
	next   uint32 // piece
	left   int64  // bytes that may still come
	sum    hash.Hash
	bad    string      // why it is thrown away
	done   chan string // why it is not here, empty when it is
}

// piece checks a piece of content: in order, no more than announced, and with the last, that the whole is what its id says.
// Content that is not is thrown away and does not hold up the lane; a child that sends what it was not asked for is cut off.
func (m *mender) piece(origin string, b *schema.Blob) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.content
	if d == nil || d.id != b.GetId() || d.origin != origin || b.GetPiece() != d.next {
		return false, fmt.Errorf("%w: %s sends piece %d of attachment %s unasked", errProtocol, m.l.peer.Site, b.GetPiece(), b.GetId())
	}
	d.next++
	d.left -= int64(len(b.GetData()))
	d.sum.Write(b.GetData())
	switch {
	case d.left < 0:
		d.bad = "content is larger than its record says"
	case b.GetLast() && hex.EncodeToString(d.sum.Sum(nil)) != d.id:
		d.bad = "content is not what its digest says"
	}
	return d.bad == "", nil
}

func (m *mender) closeDownload(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.content; d != nil {
		if d.bad != "" {
			reason = d.bad
		}
		d.done <- reason
		m.content = nil
	}
}

// Pauses and buffers of the attachments' goroutine.
const (
	attachmentEvents = 1024
	retryContent     = 10 * time.Minute // content that was missing, or an event that was lost
)

// attachments fetches contents that are not here until the context ends: at first all, then as their records come.
func (m *mender) attachments(ctx context.Context) error {
	events, end := m.l.opt.Site.Hub().Subscribe(attachmentEvents)
	defer end()
	for {
		if err := m.fetchAll(ctx); err != nil {
			return err
		}
		if err := m.fetchNew(ctx, events); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// fetchAll looks through all attachments of the child's origins.
func (m *mender) fetchAll(ctx context.Context) error {
	var lacking []*schema.Attachment
	err := m.l.store.Each(ctx, store.Query{Type: "Attachment"}, func(r store.Row) (bool, error) {
		a := r.Record.(*schema.Attachment)
		if m.l.peer.Origins[r.Origin] {
			has, err := m.l.store.HasBlob(a.GetId())
			if err != nil {
				return false, err
			}
			if !has {
				lacking = append(lacking, a)
			}
		}
		return true, nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("look for attachments: %w", err)
	}
	for _, a := range lacking {
		if err := m.fetch(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// fetchNew fetches what is announced; it returns when events were lost, or when it is time to try again what was missing.
func (m *mender) fetchNew(ctx context.Context, events <-chan live.Event) error {
	again := time.NewTimer(retryContent)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
			return nil
		case e := <-events:
			for _, r := range e.Rows {
				a, ok := r.Record.(*schema.Attachment)
				if !ok || a == nil || !m.l.peer.Origins[r.Origin] {
					continue
				}
				if err := m.fetch(ctx, a); err != nil {
					return err
				}
			}
			if e.Lost {
				return nil
			}
		}
	}
}

// fetch asks for one content and waits until it is taken in.
func (m *mender) fetch(ctx context.Context, a *schema.Attachment) error {
	if has, err := m.l.store.HasBlob(a.GetId()); err != nil || has {
		return err
	}
	d := &download{id: a.GetId(), origin: m.l.peer.Site, left: a.GetSize(), sum: sm.NewSM3(), done: make(chan string, 1)}
	m.mu.Lock()
	m.content = d
	m.mu.Unlock()
	if err := m.ask(&rpc.FromParent{What: &rpc.FromParent_Attachment{Attachment: &rpc.WantAttachment{Id: a.GetId()}}}); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case reason := <-d.done:
		if reason == "" {
			m.l.metrics.answered(m.l.peer.Site, lane.Attachments, outcomeMended)
			return nil
		}
		m.l.metrics.answered(m.l.peer.Site, lane.Attachments, outcomeMissing)
		m.l.log.Warn("content of an attachment is not here", "attachment", a.GetId(), "reason", reason)
		return nil
	}
}
