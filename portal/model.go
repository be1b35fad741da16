package portal

import (
	"context"
	"errors"
	"net/http"

	"dusthub/node/engine/risk"
	"dusthub/node/model"
	"dusthub/node/store"
	"dusthub/schema"
)

// modelProblem turns an error of the model service into a problem: a quota into 429 with Retry-After.
func modelProblem(err error) error {
	var quota *model.QuotaError
	var inputs *model.InputError
	var bad risk.Problems
	switch {
	case errors.As(err, &quota):
		p := problem(http.StatusTooManyRequests, codeThrottled, "%s", quota.Error())
		p.RetryAfter = model.RetryAfter(quota)
		return p
	case errors.As(err, &inputs):
		return problem(http.StatusUnprocessableEntity, codeRefused, "%s", inputs.Error())
	case errors.As(err, &bad):
		return badModel(bad)
	case errors.Is(err, model.ErrModel):
		return problem(http.StatusNotFound, codeNotFound, "%s", err.Error())
	case errors.Is(err, model.ErrPlant):
		return problem(http.StatusConflict, codeNotHere, "the plant is judged at the site that keeps it")
	}
	return err
}

// answered is an answer of the service, with its error in the form of the portal.
func answered[T any](out T, err error) (T, error) {
	if err != nil {
		err = modelProblem(err)
	}
	return out, err
}

type evaluateInput struct {
	Body struct {
		model.Choice
		model.Inputs
		Given *model.Inputs `json:"inputs,omitempty" doc:"instead of the inputs beside it"`
	}
}

func (s *Server) evaluate(_ context.Context, v *viewer, in *evaluateInput) (*model.Judgement, error) {
	given := &in.Body.Inputs
	if in.Body.Given != nil {
		given = in.Body.Given
	}
	return answered(s.opt.Service.Evaluate(v.user.GetLogin(), in.Body.Choice, given))
}

type evaluateBatchInput struct {
	Body struct {
		model.Choice
		Items []model.Item `json:"items" maxItems:"10000"`
	}
}

// Batch is what became of the items of a batch.
type Batch struct {
	Items []model.Judged `json:"items"`
}

func (s *Server) evaluateBatch(_ context.Context, v *viewer, in *evaluateBatchInput) (*Batch, error) {
	items, err := answered(s.opt.Service.Batch(v.user.GetLogin(), in.Body.Choice, in.Body.Items))
	return &Batch{Items: items}, err
}

type whatIfInput struct {
	Body struct {
		model.Choice
		Enterprise string         `json:"enterprise" maxLength:"20"`
		Changes    map[string]any `json:"changes" doc:"inputs by the name expressions know them by; floor.F6 is whether that floor holds"`
	}
}

func (s *Server) whatIf(_ context.Context, v *viewer, in *whatIfInput) (*model.WhatIf, error) {
	if _, err := s.enterpriseRow(v, in.Body.Enterprise); err != nil {
		return nil, err
	}
	return answered(s.opt.Service.WhatIf(v.user.GetLogin(), in.Body.Enterprise, in.Body.Choice, in.Body.Changes))
}

type explainInput struct {
	Code    string `path:"code" maxLength:"20"`
	Version string `query:"version" maxLength:"50"`
}

func (s *Server) explainLevel(_ context.Context, v *viewer, in *explainInput) (*model.Explanation, error) {
	return answered(s.opt.Service.Explain(v.user.GetLogin(), in.Code, model.Choice{Version: in.Version}))
}

type usageInput struct {
	From  string `query:"from" maxLength:"10" doc:"day, such as 2026-11-24; Beijing time"`
	To    string `query:"to" maxLength:"10" doc:"day, the last included"`
	After string `query:"after"`
	Limit int    `query:"limit" minimum:"0" maximum:"1000"`
}

// modelUsage pages through the usage log, newest day first; who does not regulate the whole site sees what is his own.
func (s *Server) modelUsage(ctx context.Context, v *viewer, in *usageInput) (*Page[*schema.ModelUse], error) {
	all := v.area() == "" || v.area() == regionPrefix(s.opt.Site.Region)
	out := &Page[*schema.ModelUse]{Items: []*schema.ModelUse{}}
	limit := pageSize(in.Limit)
	after := in.After
	for range s.scan {
		page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "ModelUse", Index: "day", Desc: true, Limit: 1, After: after})
		if err != nil {
			return nil, err
		}
		if len(page.Rows) == 0 {
			return out, nil
		}
		u := page.Rows[0].Record.(*schema.ModelUse)
		if in.From != "" && u.GetDay() < in.From {
			return out, nil
		}
		if (in.To == "" || u.GetDay() <= in.To) && (all || u.GetCaller() == v.user.GetLogin()) {
			out.Items = append(out.Items, u)
		}
		if after = page.Next; after == "" {
			return out, nil
		}
		if len(out.Items) == limit {
			out.Next = after
			return out, nil
		}
	}
	out.Next = after
	return out, nil
}

func (d *door) serviceRoutes() {
	s := d.s
	handle(d, "model-evaluate", s.evaluate)
	handle(d, "model-evaluate-batch", s.evaluateBatch)
	handle(d, "model-what-if", s.whatIf)
	handle(d, "model-explain", s.explainLevel)
	handle(d, "model-usage", s.modelUsage)
}
