package portal

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// What is personal is sealed before its command enters raft, in one place for every record that travels (propose), and in
// one for people, who never leave the site (change, userAt). node/personal says with which keys.

// travels says whether records of a type hold personal data of a plant, which other sites may read too.
func travels(typ string) bool {
	r, ok := schema.New(typ)
	return ok && !local(typ) && ofPlants(typ) && schema.HoldsPersonal(r.ProtoReflect().Descriptor())
}

// seal seals the personal texts of a command's records.
func (s *Server) seal(ctx context.Context, put *schema.Put) error {
	for _, c := range put.GetChanges() {
		if c.GetDeleted() || !travels(c.GetType()) {
			continue
		}
		rec, err := schema.Decode(c.GetType(), c.GetRecord())
		if err != nil {
			continue // the engine says what is wrong with it
		}
		if err = tooLong(rec); err == nil {
			err = s.sealRecord(ctx, rec)
		}
		if err != nil {
			return err
		}
		if c.Record, err = schema.Marshal(rec); err != nil {
			return err
		}
	}
	return nil
}

// tooLong refuses what the engine, which sees it sealed, cannot count.
func tooLong(rec schema.Record) error {
	return refusal(slices.DeleteFunc(schema.Validate(rec), func(v *schema.Violation) bool { return v.GetRule() != "personal" }))
}

func (s *Server) sealRecord(ctx context.Context, rec schema.Record) (err error) {
	plant := enterpriseOf(rec)
	schema.EachPersonal(rec, func(p schema.PersonalValue) bool {
		if p.Binary() {
			return true
		}
		var sealed string
		if sealed, err = s.sealText(ctx, plant, p.Text); err == nil {
			p.Set(sealed)
		}
		return err == nil
	})
	return err
}

// sealText seals a text of a plant with the key of the site that the plant belongs to.
func (s *Server) sealText(ctx context.Context, plant, text string) (string, error) {
	home := s.opt.Site.ID
	if row, ok, err := s.opt.Backend.Store().Get("Enterprise", plant); err == nil && ok {
		home = row.Origin
	}
	sealed, err := s.opt.Personal.Seal(ctx, home, plant, text)
	if err != nil {
		return "", fmt.Errorf("seal personal data of %s: %w", plant, err)
	}
	return sealed, nil
}

// inClear is a record with its personal texts opened, for the server's own comparisons.
func (s *Server) inClear(r schema.Record) schema.Record { return (&mask{s: s, clear: true}).record(r) }

// person is what of a user is sealed.
type person struct {
	Name string `json:"name"`
}

const nameless = "***"

func personPurpose(login string) string { return "person/" + login }

// sealedUser is a user as the site keeps it: the name is sealed under the site's key, and nothing of it stands beside.
func (s *Server) sealedUser(u *schema.User) (*schema.User, error) {
	raw, err := json.Marshal(person{u.GetName()})
	if err != nil {
		return nil, fmt.Errorf("seal person: %w", err)
	}
	out := proto.CloneOf(u)
	if out.PersonalSealed, err = s.opt.Keys.Seal(personPurpose(u.GetLogin()), raw); err != nil {
		return nil, fmt.Errorf("seal person: %w", err)
	}
	out.Name = nameless
	return out, nil
}

// openUser puts a user's name back. Without the key there is none.
func (s *Server) openUser(u *schema.User) *schema.User {
	if u.GetPersonalSealed() == "" {
		return u
	}
	var p person
	raw, err := s.opt.Keys.Open(personPurpose(u.GetLogin()), u.GetPersonalSealed())
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		s.log.Error("a person's name does not open", "login", u.GetLogin(), "err", err)
		return u
	}
	u.Name = p.Name
	return u
}
