package federation

import (
	"context"
	"fmt"
	"slices"

	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/lane"
)

// answer sends the sealed series a parent wants, or says that they are not here.
func (l *link) answer(ctx context.Context, want *rpc.Want, missing func(*rpc.Missing) error) error {
	no := func(reason string) error {
		return missing(&rpc.Missing{Origin: want.GetOrigin(), Partition: want.GetPartition(), Reason: reason})
	}
	head, ok := l.store.Head(want.GetOrigin())
	if !ok || want.GetOrigin() != l.self && !slices.Contains(l.below(), want.GetOrigin()) {
		return no("no samples of this origin here")
	}
	found, err := lane.Sealed(ctx, l.store, head.Epoch, lane.Want{Origin: want.GetOrigin(), Partition: want.GetPartition(), Series: want.GetSeries()}, func(in *schema.Inbound) error { return l.ship(ctx, in) })
	if err != nil || found {
		return err
	}
	return no("partition is not here, or no longer")
}

// answerContent sends the content of an attachment, or says that it is not here. Only what an Attachment record names is given away.
func (l *link) answerContent(ctx context.Context, id string, missing func(*rpc.Missing) error) error {
	_, known, err := l.store.Get("Attachment", id)
	if err != nil {
		return fmt.Errorf("look for attachment: %w", err)
	}
	if known {
		found, err := lane.Content(ctx, l.store, l.self, l.store.Epoch(), id, func(in *schema.Inbound) error { return l.ship(ctx, in) })
		if err != nil || found {
			return err
		}
	}
	return missing(&rpc.Missing{Attachment: id, Reason: "content is not here"})
}
