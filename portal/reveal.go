package portal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A regulator asks for so many records in clear within a time: looking one contact up is work, reading them all is a leak.
const (
	revealsMost   = 60
	revealsWithin = time.Hour
	reasonLeast   = 4 // characters, as the input's schema says
	reasonMost    = 200
)

type revealInput struct {
	Type string `path:"type" maxLength:"32"`
	Key  string `path:"key" maxLength:"128"`
	Body struct {
		Reason string `json:"reason" minLength:"4" maxLength:"200" doc:"why; the audit keeps it"`
	}
}

// RevealedValue is a personal text in clear.
type RevealedValue struct {
	Path  string `json:"path" doc:"where it stands in the record: safety_phone, steps[2].actor_name"`
	Label string `json:"label" doc:"Chinese name of the field"`
	Value string `json:"value"`
	Shut  bool   `json:"shut,omitempty" doc:"the key it is sealed with is not at this site yet: the value is not known"`
}

// RevealView is the personal data of one record in clear. It is shown, not kept: a page lets it go after a while.
type RevealView struct {
	Values []RevealedValue `json:"values" nullable:"false"`
}

// revealScope lets those through who may see the record; of what never leaves the site, nothing is revealed.
func revealScope(s *Server, v *viewer, param func(string) string) error {
	typ := param("type")
	if !travels(typ) {
		return notFound("record with personal data", typ)
	}
	_, err := s.record(v, typ, param("key"))
	return err
}

// reveal shows a regulator the personal data of one record in clear (查看原文). It is in the audit, with the reason, before it
// is shown.
func (s *Server) reveal(ctx context.Context, v *viewer, in *revealInput) (*RevealView, error) {
	row, err := s.record(v, in.Type, in.Key)
	if err == nil {
		err = goodReason("body.reason", in.Body.Reason)
	}
	if err != nil {
		return nil, err
	}
	if wait := s.revealed.take(v.user.GetLogin(), s.opt.Now()); wait > 0 {
		p := problem(http.StatusTooManyRequests, codeThrottled, "at most %d records an hour are shown in clear; try again later", revealsMost)
		p.RetryAfter = int(wait.Seconds()) + 1
		return nil, p
	}
	if err = s.attest(ctx, v, "reveal", in.Type+"/"+in.Key, in.Body.Reason); err != nil {
		return nil, err
	}
	out := &RevealView{Values: []RevealedValue{}}
	schema.EachPersonal(row.Record, func(p schema.PersonalValue) bool {
		if !p.Binary() {
			out.Values = append(out.Values, s.revealedValue(enterpriseOf(row.Record), p))
		}
		return true
	})
	return out, nil
}

func (s *Server) revealedValue(plant string, p schema.PersonalValue) RevealedValue {
	v := RevealedValue{Path: p.Path, Label: labelOf(p.Field)}
	var err error
	if v.Value, err = s.opt.Personal.Open(plant, p.Text); err != nil {
		s.log.Warn("personal data does not open", "plant", plant, "field", p.Path, "err", err)
		v.Value, v.Shut = schema.Mask(p.Text), true
	}
	return v
}

func labelOf(fd protoreflect.FieldDescriptor) string {
	o, _ := proto.GetExtension(fd.Options(), schema.E_F).(*schema.FieldOptions)
	return o.GetZh()
}

// goodReason refuses a reason that says nothing.
func goodReason(location, reason string) error {
	if len([]rune(strings.TrimSpace(reason))) < reasonLeast {
		return invalid(location, fmt.Sprintf("why, in at least %d characters", reasonLeast), reason)
	}
	return nil
}

// attest keeps in the audit that somebody reads something, and why. What cannot be kept is not shown.
func (s *Server) attest(ctx context.Context, v *viewer, action, subject, reason string) error {
	entry := s.auditEntry(v.user.GetLogin(), action, clip(subject, maxSubject), "ok", v.address)
	entry.Reason = clip(reason, reasonMost)
	_, err := s.put(ctx, v.user, s.change(entry))
	return err
}

func (d *door) privacyRoutes() { handle(d, "reveal", d.s.reveal) }
