package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"
)

// subjectAt is how a person's record names an identity of a provider.
func subjectAt(issuer, subject string) string { return issuer + " " + subject }

// holders are the people linked to an identity: one, or nobody. More than one would be a fault that opens nothing.
func (s *Server) holders(ctx context.Context, issuer, subject string) ([]store.Row, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "User", Index: "subject", Prefix: []string{subjectAt(issuer, subject)}, Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("find a linked person: %w", err)
	}
	return page.Rows, nil
}

// linked finds the person an identity is of; link: by the claim, and still to be written down. nil: nobody.
func (d *door) linked(ctx context.Context, who *identity) (user *schema.User, link bool, err error) {
	rows, err := d.s.holders(ctx, d.idp.Issuer, who.subject)
	if err != nil || len(rows) > 1 {
		return nil, false, err
	}
	if len(rows) == 1 {
		user, _ = rows[0].Record.(*schema.User)
		return user, false, nil
	}
	if who.login == "" {
		return nil, false, nil
	}
	user, ok, err := d.s.user(who.login)
	if err != nil || !ok || user.GetSubject() != "" || slices.Contains(offices, user.GetRole()) {
		return nil, false, err
	}
	return user, true, nil
}

// subjectOf is a person's identifier at the provider, without the issuer.
func subjectOf(u *schema.User) string {
	_, subject, _ := strings.Cut(u.GetSubject(), " ")
	return subject
}

// providerOf is the provider of a person's portal; nil: none.
func (s *Server) providerOf(u *schema.User) *relying {
	for p, roles := range rolesOf {
		if slices.Contains(roles, u.GetRole()) {
			return s.doors[p].idp
		}
	}
	return nil
}

// link lets a person log in by the provider of their portal; an empty subject ends that.
func (s *Server) link(ctx context.Context, u *schema.User, subject string) error {
	if subject == "" {
		u.Subject = ""
		return nil
	}
	idp := s.providerOf(u)
	if idp == nil {
		return problem(http.StatusConflict, codeRefused, "this person's portal has no login by a provider: configure one first")
	}
	if !isSubject(subject) {
		return invalid("body.subject", "the provider's identifier (sub) of one person: visible ASCII characters", nil)
	}
	rows, err := s.holders(ctx, idp.Issuer, subject)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Key != u.GetLogin() {
			return problem(http.StatusConflict, codeExists, "this identity is linked to %s already: unlink it there first", r.Key)
		}
	}
	u.Subject = subjectAt(idp.Issuer, subject)
	return nil
}
