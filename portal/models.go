package portal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"
)

// ModelEntry is a published risk model.
type ModelEntry struct {
	Version    string `json:"version"`
	Title      string `json:"title,omitempty"`
	Active     bool   `json:"active" doc:"plants are judged by it"`
	Configured bool   `json:"configured,omitempty" doc:"what the site judges by as long as no published model is active"`
	Publisher  string `json:"publisher,omitempty" doc:"site"`
	Published  int64  `json:"published,omitempty"`
	Note       string `json:"note,omitempty"`
	Origin     string `json:"origin,omitempty" doc:"site whose ledger has it"`
	Signature  string `json:"signature" enum:"ok,bad,none" doc:"none: a configured model is not signed"`
	Reason     string `json:"reason,omitempty" doc:"why the signature is bad"`
}

// ModelDetail is a risk model with its document and how it reads.
type ModelDetail struct {
	ModelEntry
	Document string         `json:"document" doc:"YAML"`
	Problems []ModelProblem `json:"problems" nullable:"false" doc:"why this program does not take the document; empty when it does"`
	View     *ModelView     `json:"view,omitempty"`
}

// ModelProblem is one thing that is wrong with a document.
type ModelProblem struct {
	Line   int    `json:"line" doc:"0: of the document as a whole"`
	Reason string `json:"reason"`
}

func problemViews(list []risk.Problem) []ModelProblem {
	out := make([]ModelProblem, 0, len(list))
	for _, p := range list {
		out = append(out, ModelProblem(p))
	}
	return out
}

// ModelCheck is what is wrong with a document.
type ModelCheck struct {
	OK       bool           `json:"ok"`
	Version  string         `json:"version,omitempty"`
	Problems []ModelProblem `json:"problems" nullable:"false"`
}

func (s *Server) modelEntry(r store.Row) ModelEntry {
	m := r.Record.(*schema.RiskModel)
	e := ModelEntry{
		Version: m.GetVersion(), Active: m.GetActive(), Publisher: m.GetPublisher(), Published: m.GetPublished(), Note: m.GetNote(), Origin: r.Origin, Signature: "ok",
	}
	if parsed, err := risk.Parse(m.GetDocument()); err == nil {
		e.Title = parsed.Title
	}
	switch err := s.signedModel(m); {
	case err != nil:
		e.Signature, e.Reason = "bad", err.Error()
	case len(m.GetSignature()) == 0:
		e.Signature = "none"
	}
	return e
}

func (s *Server) signedModel(m *schema.RiskModel) error {
	if s.opt.Signed == nil {
		return errors.New("this site has no certificates to check it by")
	}
	return s.opt.Signed(m)
}

// publishedModels are the rows of all published models, newest first.
func (s *Server) publishedModels(ctx context.Context) ([]store.Row, error) {
	var rows []store.Row
	err := s.opt.Backend.Store().Each(ctx, store.Query{Type: "RiskModel"}, func(r store.Row) (bool, error) {
		rows = append(rows, r)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list risk models: %w", err)
	}
	at := func(r store.Row) int64 { return r.Record.(*schema.RiskModel).GetPublished() }
	slices.SortStableFunc(rows, func(a, b store.Row) int { return int(min(1, max(-1, at(b)-at(a)))) })
	return rows, nil
}

func (s *Server) models(ctx context.Context, _ *viewer, _ *none) ([]ModelEntry, error) {
	rows, err := s.publishedModels(ctx)
	if err != nil {
		return nil, err
	}
	out, active, known := []ModelEntry{}, false, false
	configured := s.opt.Configured
	for _, r := range rows {
		e := s.modelEntry(r)
		e.Configured = e.Version == configured.Version
		active, known = active || e.Active, known || e.Configured
		out = append(out, e)
	}
	if !known {
		out = append(out, configuredEntry(configured, !active))
	}
	return out, nil
}

func configuredEntry(m *risk.Model, active bool) ModelEntry {
	return ModelEntry{Version: m.Version, Title: m.Title, Active: active, Configured: true, Signature: "none"}
}

type modelInput struct {
	Version string `path:"version" maxLength:"50"`
}

func (s *Server) modelDetail(ctx context.Context, _ *viewer, in *modelInput) (*ModelDetail, error) {
	row, ok, err := s.opt.Backend.Store().Get("RiskModel", in.Version)
	if err != nil {
		return nil, fmt.Errorf("read risk model: %w", err)
	}
	out := &ModelDetail{}
	switch configured := s.opt.Configured; {
	case ok:
		out.ModelEntry, out.Document = s.modelEntry(row), string(row.Record.(*schema.RiskModel).GetDocument())
	case in.Version == configured.Version:
		out.ModelEntry, out.Document = configuredEntry(configured, s.opt.Model().Version == configured.Version), string(configured.Document())
	default:
		return nil, notFound("risk model", in.Version)
	}
	out.Configured = in.Version == s.opt.Configured.Version
	m, problems := s.readModel([]byte(out.Document))
	if m != nil {
		out.View = modelView(m)
	}
	out.Problems = problemViews(problems)
	return out, nil
}

func (s *Server) readModel(document []byte) (*risk.Model, []risk.Problem) {
	m, err := risk.Parse(document)
	var problems risk.Problems
	if errors.As(err, &problems) {
		return nil, problems
	}
	return m, nil
}

type modelDocument struct {
	Document string `json:"document" maxLength:"1048576" doc:"YAML"`
}

type modelCheckInput struct{ Body modelDocument }

func (s *Server) checkModel(_ context.Context, _ *viewer, in *modelCheckInput) (*ModelCheck, error) {
	m, problems := s.readModel([]byte(in.Body.Document))
	out := &ModelCheck{Problems: problemViews(problems)}
	if m != nil {
		out.Version = m.Version
		_, taken, err := s.takenBy(m.Version, []byte(in.Body.Document))
		if err != nil {
			return nil, err
		}
		if taken {
			out.Problems = append(out.Problems, ModelProblem{Line: lineOfVersion(in.Body.Document), Reason: m.Version + " is a version with another document already: versions do not change"})
		}
	}
	out.OK = len(out.Problems) == 0
	return out, nil
}

func lineOfVersion(document string) int {
	for i, l := range strings.Split(document, "\n") {
		if strings.HasPrefix(l, "version:") {
			return i + 1
		}
	}
	return 0
}

// takenBy is the row of a version, and whether it has another document.
func (s *Server) takenBy(version string, document []byte) (*schema.RiskModel, bool, error) {
	row, ok, err := s.opt.Backend.Store().Get("RiskModel", version)
	if err != nil {
		return nil, false, fmt.Errorf("read risk model: %w", err)
	}
	if m, _ := row.Record.(*schema.RiskModel); ok {
		return m, !bytes.Equal(m.GetDocument(), document), nil
	}
	c := s.opt.Configured
	return nil, version == c.Version && !bytes.Equal(c.Document(), document), nil
}

type publishInput struct {
	Body struct {
		Document string `json:"document" maxLength:"1048576" doc:"YAML"`
		Note     string `json:"note,omitempty" maxLength:"2000"`
		Activate bool   `json:"activate,omitempty" doc:"judge by it from now on"`
	}
}

// publishModel signs a model and hands it to all sites. Its version must be new; the same document again does nothing new.
func (s *Server) publishModel(ctx context.Context, v *viewer, in *publishInput) (*ModelEntry, error) {
	if err := s.mayPublish(v); err != nil {
		return nil, err
	}
	document := []byte(in.Body.Document)
	m, problems := s.readModel(document)
	if m == nil {
		return nil, badModel(problems)
	}
	old, taken, err := s.takenBy(m.Version, document)
	switch {
	case err != nil:
		return nil, err
	case taken:
		return nil, problem(http.StatusConflict, codeExists, "the model %s has another document: a version does not change; give the new one its own", m.Version)
	case old != nil && (old.GetActive() || !in.Body.Activate):
		return s.entryOf(m.Version)
	case old != nil:
		return s.activate(ctx, v, old)
	}
	r, err := s.signModel(m, in.Body.Note)
	if err != nil {
		return nil, err
	}
	r.Active = in.Body.Activate
	return s.writeModel(ctx, v, "model.publish", r)
}

func badModel(problems []risk.Problem) error {
	p := problem(http.StatusUnprocessableEntity, codeRefused, "%s", risk.Problems(problems).Error())
	for _, x := range problems {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: fmt.Sprintf("body.document line %d", x.Line), Message: x.Reason, Value: x.Line})
	}
	return p
}

// mayPublish refuses where a site above publishes, and whoever does not regulate all of this one.
func (s *Server) mayPublish(v *viewer) error {
	if s.opt.Publish == nil {
		return problem(http.StatusConflict, codeNotHere, "risk models are published by the site at the root and arrive here from the parent")
	}
	if regionPrefix(v.user.GetRegion()) != regionPrefix(s.opt.Site.Region) && v.area() != "" {
		return problem(http.StatusForbidden, codeForbidden, "a risk model concerns the whole site")
	}
	return nil
}

func (s *Server) signModel(m *risk.Model, note string) (*schema.RiskModel, error) {
	certificate, signature, err := s.opt.Publish(m.Version, m.Document())
	if err != nil {
		return nil, err
	}
	r := &schema.RiskModel{
		Version: m.Version, Document: m.Document(), Signature: signature, Certificate: certificate, Publisher: s.opt.Site.ID, Published: s.nowMs(), Note: note,
	}
	if err := s.signedModel(r); err != nil {
		return nil, fmt.Errorf("own signature: %w", err)
	}
	return r, nil
}

type activateInput struct {
	Version string `path:"version" maxLength:"50"`
	Body    struct {
		Note string `json:"note,omitempty" maxLength:"200" doc:"why; kept in the audit log"`
	}
}

// activateModel puts a published model in force, an earlier one too; the configured one is published by that.
func (s *Server) activateModel(ctx context.Context, v *viewer, in *activateInput) (*ModelEntry, error) {
	if err := s.mayPublish(v); err != nil {
		return nil, err
	}
	row, ok, err := s.opt.Backend.Store().Get("RiskModel", in.Version)
	if err != nil {
		return nil, fmt.Errorf("read risk model: %w", err)
	}
	if ok {
		if err := s.ownHere(row); err != nil {
			return nil, err
		}
		m := row.Record.(*schema.RiskModel)
		if m.GetActive() {
			return s.entryOf(in.Version)
		}
		return s.activate(ctx, v, m)
	}
	if in.Version != s.opt.Configured.Version {
		return nil, notFound("risk model", in.Version)
	}
	r, err := s.signModel(s.opt.Configured, in.Body.Note)
	if err != nil {
		return nil, err
	}
	r.Active = true
	return s.writeModel(ctx, v, "model.activate", r)
}

func (s *Server) activate(ctx context.Context, v *viewer, m *schema.RiskModel) (*ModelEntry, error) {
	if err := s.signedModel(m); err != nil {
		return nil, problem(http.StatusUnprocessableEntity, codeRefused, "the signature of the model %s does not hold: %v", m.GetVersion(), err)
	}
	if parsed, problems := s.readModel(m.GetDocument()); parsed == nil {
		return nil, badModel(problems)
	}
	m = proto.Clone(m).(*schema.RiskModel)
	m.Active = true
	return s.writeModel(ctx, v, "model.activate", m)
}

// writeModel writes a model and who did it in one command.
func (s *Server) writeModel(ctx context.Context, v *viewer, action string, r *schema.RiskModel) (*ModelEntry, error) {
	c := s.change(r)
	c.To = "*"
	was := s.opt.Model().Version
	result := "published"
	if r.GetActive() {
		result = "in force instead of " + was
	}
	entry := s.auditEntry(v.user.GetLogin(), action, "RiskModel/"+r.GetVersion(), result, v.address)
	if _, err := s.put(ctx, v.user, c, s.change(entry)); err != nil {
		return nil, err
	}
	return s.entryOf(r.GetVersion())
}

func (s *Server) entryOf(version string) (*ModelEntry, error) {
	row, ok, err := s.opt.Backend.Store().Get("RiskModel", version)
	if err != nil || !ok {
		return nil, errors.Join(err, notFound("risk model", version))
	}
	e := s.modelEntry(row)
	e.Configured = version == s.opt.Configured.Version
	return &e, nil
}

func (d *door) modelRoutes() {
	s := d.s
	handle(d, "models", s.models)
	handle(d, "model-detail", s.modelDetail)
	handle(d, "model-check", s.checkModel)
	handle(d, "model-publish", s.publishModel)
	handle(d, "model-activate", s.activateModel)
}
