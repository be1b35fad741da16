package ingest

import (
	"context"
	"errors"
	"io"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema/frame"
	"dusthub/schema/rpc"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// access serves rpc.Access. A batch is taken when the one before it is committed, so that the readings of a gateway stay in order.
type access struct {
	rpc.UnimplementedAccessServer
	in *Intake
}

// NewAccess serves edge gateways; it must be reached through TLCP, by whose certificate a gateway is known.
func NewAccess(in *Intake) rpc.AccessServer { return &access{in: in} }

// Send takes batches and acknowledges each when it is committed. A stream ends with Unauthenticated (no gateway's certificate),
// PermissionDenied (a gateway that this site does not have), InvalidArgument, or Unavailable: then what was not acknowledged is to be sent again.
func (a *access) Send(stream rpc.Access_SendServer) error {
	peer, ok := tlcp.PeerFrom(stream.Context())
	if !ok || peer.Unit != pki.UnitGateway {
		a.in.denied.WithLabelValues(doorGRPC, "credential").Inc()
		return status.Error(codes.Unauthenticated, "a gateway's certificate is needed")
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		ack, err := a.take(stream.Context(), peer.Name, m)
		if err != nil {
			return a.status(peer.Name, err)
		}
		if err := stream.Send(ack); err != nil {
			return err
		}
	}
}

func (a *access) status(gateway string, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, ErrCredential) {
		a.in.denied.WithLabelValues(doorGRPC, "credential").Inc()
		return status.Error(codes.PermissionDenied, "no such gateway here, or it is disabled")
	}
	if !errors.Is(err, context.Canceled) {
		a.in.opt.Logger.Warn("batch not taken", "door", doorGRPC, "gateway", gateway, "err", err)
	}
	return status.Error(codes.Unavailable, "not committed, send again")
}

func (a *access) take(ctx context.Context, gateway string, m *rpc.Samples) (*rpc.SamplesAck, error) {
	if m.GetGateway() != "" && m.GetGateway() != gateway {
		return nil, status.Errorf(codes.PermissionDenied, "batch of gateway %q under the certificate of %q", clip(m.GetGateway()), gateway)
	}
	b := &Batch{Gateway: gateway, Door: doorGRPC, Backfill: m.GetBackfill(), SourceLost: m.GetSourceLost(), Where: "reading %d", Patient: true}
	if err := b.columns(m.GetMetrics()); err != nil {
		return nil, err
	}
	out, err := a.in.Take(ctx, b)
	if err != nil {
		return nil, err
	}
	return &rpc.SamplesAck{
		Batch: m.GetBatch(), Stored: uint32(out.Stored), Duplicates: uint32(out.Duplicates), Conflicts: uint32(out.Conflicts),
		Violations: out.Refused[:min(len(out.Refused), violationsKept)],
	}, nil
}

// columns takes readings over. Columns that do not fit each other are an error of the sender's program, not of a reading.
func (b *Batch) columns(metrics []*rpc.MetricSamples) error {
	n := 0
	for _, m := range metrics {
		if len(m.GetTimes()) != len(m.GetValues()) || len(m.GetQuality()) != 0 && len(m.GetQuality()) != len(m.GetTimes()) {
			return status.Errorf(codes.InvalidArgument, "metric %q: %d times, %d values, %d qualities", clip(m.GetMetric()), len(m.GetTimes()), len(m.GetValues()), len(m.GetQuality()))
		}
		n += len(m.GetTimes())
	}
	b.Readings = make([]Reading, 0, n)
	for _, m := range metrics {
		for i, t := range m.GetTimes() {
			r := Reading{Metric: m.GetMetric(), Time: t, Value: m.GetValues()[i], At: len(b.Readings)}
			if q := m.GetQuality(); len(q) > 0 {
				r.Quality = uint8(min(q[i], uint32(frame.Backfill)+1))
			}
			b.Readings = append(b.Readings, r)
		}
	}
	return nil
}
