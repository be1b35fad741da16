package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/engine/risk"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// caller is who calls by gRPC: a site, or a gateway with its plant.
type caller struct{ id, plant string }

type server struct {
	rpc.UnimplementedModelServer
	s *Service
}

// NewServer serves rpc.Model; it must be reached through TLCP, by whose certificates callers are known.
func NewServer(s *Service) rpc.ModelServer { return &server{s: s} }

func (s *server) caller(ctx context.Context) (caller, error) {
	peer, ok := tlcp.PeerFrom(ctx)
	switch {
	case !ok:
		return caller{}, status.Error(codes.Unauthenticated, "a site's or a gateway's certificate is needed")
	case peer.Unit == pki.UnitSite:
		return caller{id: peer.Name}, nil
	case peer.Unit != pki.UnitGateway:
		return caller{}, status.Error(codes.PermissionDenied, "neither a site nor a gateway")
	}
	row, ok, err := s.s.opt.Store.Get("Gateway", peer.Name)
	if err != nil {
		return caller{}, status.Error(codes.Unavailable, "try again")
	}
	g, isGateway := row.Record.(*schema.Gateway)
	if !ok || !isGateway || g.GetDisabled() || row.Origin != s.s.opt.Store.Site() {
		return caller{}, status.Error(codes.PermissionDenied, "no such gateway here, or it is disabled")
	}
	return caller{id: peer.Name, plant: g.GetEnterprise()}, nil
}

// of lets a gateway reach its own plant only. A site has its own model service for its own plants.
func (c caller) of(plant string) error {
	if c.plant == "" || c.plant != plant {
		return status.Errorf(codes.PermissionDenied, "%s may not ask about this plant", c.id)
	}
	return nil
}

// ended turns an error of the service into a status; a quota says when to ask again.
func ended(err error, trailer func(metadata.MD)) error {
	var quota *QuotaError
	var inputs *InputError
	switch {
	case errors.As(err, &quota):
		trailer(metadata.Pairs("retry-after", fmt.Sprint(RetryAfter(quota))))
		return status.Error(codes.ResourceExhausted, quota.Error())
	case errors.As(err, &inputs), errors.Is(err, risk.ErrModel):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, ErrModel), errors.Is(err, ErrPlant):
		return status.Error(codes.NotFound, err.Error())
	}
	return status.Error(codes.Internal, "the model could not be asked")
}

// RetryAfter is the time of a refused call in whole seconds, at least one.
func RetryAfter(e *QuotaError) int { return max(1, int(math.Ceil(e.RetryAfter.Seconds()))) }

func setTrailer(ctx context.Context) func(metadata.MD) {
	return func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) } // the status says the same in words
}

func choice(m *rpc.ModelChoice) Choice {
	return Choice{Version: m.GetVersion(), Document: m.GetDocument()}
}

// Evaluate judges one plant's inputs.
func (s *server) Evaluate(ctx context.Context, in *rpc.EvaluateRequest) (*rpc.EvaluateReply, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	r, err := s.s.Evaluate(c.id, choice(in.GetModel()), inputsOf(in.GetInputs()))
	if err != nil {
		return nil, ended(err, setTrailer(ctx))
	}
	return &rpc.EvaluateReply{Key: in.GetKey(), Result: judgement(r)}, nil
}

// EvaluateBatch judges many by one model.
func (s *server) EvaluateBatch(ctx context.Context, in *rpc.EvaluateBatchRequest) (*rpc.EvaluateBatchReply, error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	items := make([]Item, len(in.GetItems()))
	for i, it := range in.GetItems() {
		items[i] = Item{Key: it.GetKey(), Inputs: *inputsOf(it.GetInputs())}
	}
	list, err := s.s.Batch(c.id, choice(in.GetModel()), items)
	if err != nil {
		return nil, ended(err, setTrailer(ctx))
	}
	out := &rpc.EvaluateBatchReply{}
	for _, j := range list {
		out.Items = append(out.Items, reply(j))
	}
	return out, nil
}

// EvaluateStream judges inputs as they come. A caller beyond its allowance ends the stream.
func (s *server) EvaluateStream(stream rpc.Model_EvaluateStreamServer) error {
	c, err := s.caller(stream.Context())
	if err != nil {
		return err
	}
	in, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := s.s.OpenStream(c.id, choice(in.GetModel()))
	if err != nil {
		return ended(err, stream.SetTrailer)
	}
	defer st.Close()
	for {
		j, err := st.Judge(&Item{Key: in.GetKey(), Inputs: *inputsOf(in.GetInputs())})
		if err != nil {
			return ended(err, stream.SetTrailer)
		}
		if err := stream.Send(reply(j)); err != nil {
			return err
		}
		if in, err = stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// WhatIf judges a gateway's plant by its true inputs and by changed ones.
func (s *server) WhatIf(ctx context.Context, in *rpc.WhatIfRequest) (*rpc.WhatIfReply, error) {
	c, err := s.caller(ctx)
	if err == nil {
		err = c.of(in.GetEnterprise())
	}
	if err != nil {
		return nil, err
	}
	w, err := s.s.WhatIf(c.id, in.GetEnterprise(), choice(in.GetModel()), valuesOf(in.GetChanges()))
	if err != nil {
		return nil, ended(err, setTrailer(ctx))
	}
	return &rpc.WhatIfReply{Before: judgement(w.Before), After: judgement(w.After)}, nil
}

// Explain says why a gateway's plant has the level it has.
func (s *server) Explain(ctx context.Context, in *rpc.ExplainRequest) (*rpc.ExplainReply, error) {
	c, err := s.caller(ctx)
	if err == nil {
		err = c.of(in.GetEnterprise())
	}
	if err != nil {
		return nil, err
	}
	e, err := s.s.Explain(c.id, in.GetEnterprise(), choice(in.GetModel()))
	if err != nil {
		return nil, ended(err, setTrailer(ctx))
	}
	out := &rpc.ExplainReply{Result: judgement(e.Result), Level: e.Level, Sentences: e.Sentences}
	for _, l := range e.Lowers {
		out.Lowers = append(out.Lowers, &rpc.Lowering{Factor: l.Factor, What: l.What, By: l.By, Level: l.Level})
	}
	return out, nil
}

func inputsOf(in *rpc.Inputs) *Inputs {
	out := &Inputs{
		Dusts: in.GetDusts(), Workers: in.GetWorkers(), Building: in.GetBuilding(), Systems: int(in.GetSystems()), Measures: in.GetMeasures(),
		Management: in.GetManagement(), Floors: in.GetFloors(), Stopped: in.GetStopped(), Variables: valuesOf(in.GetVariables()),
	}
	for _, system := range in.GetSignals() {
		list := []Signal{}
		for _, sg := range system.GetSignals() {
			list = append(list, Signal{Kind: sg.GetKind(), Score: sg.GetScore()})
		}
		out.Signals = append(out.Signals, list)
	}
	return out
}

func valuesOf(in map[string]*rpc.InputValue) map[string]any {
	out := map[string]any{}
	for name, v := range in {
		switch x := v.GetValue().(type) {
		case *rpc.InputValue_Number:
			out[name] = x.Number
		case *rpc.InputValue_Text:
			out[name] = x.Text
		case *rpc.InputValue_Flag:
			out[name] = x.Flag
		default:
			out[name] = nil
		}
	}
	return out
}

func reply(j Judged) *rpc.EvaluateReply {
	out := &rpc.EvaluateReply{Key: j.Key, Error: j.Error}
	if j.Result != nil {
		out.Result = judgement(j.Result)
	}
	return out
}

func judgement(r *Judgement) *rpc.Judgement {
	return &rpc.Judgement{
		Model: r.Model, Level: r.Level, Band: r.Band, Floor: r.Floor, IndexMilli: r.IndexMilli, InherentMilli: r.InherentMilli, DynamicMilli: r.DynamicMilli,
		ManagementMilli: r.ManagementMilli, Factors: r.Factors,
	}
}
