package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"
	"unicode"

	"dusthub/schema"
)

// Passwords: long enough, and of three of the four kinds of characters (GB/T 22239-2019 8.1.4.1).
const (
	minPassword = 10
	minKinds    = 3
)

func weak(location, password, login string) error {
	var kinds [4]bool
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			kinds[0] = true
		case unicode.IsLower(r):
			kinds[1] = true
		case unicode.IsDigit(r):
			kinds[2] = true
		default:
			kinds[3] = true
		}
	}
	n := 0
	for _, k := range kinds {
		if k {
			n++
		}
	}
	if len([]rune(password)) < minPassword || n < minKinds || password == login {
		return invalid(location, fmt.Sprintf("at least %d characters of %d kinds: capitals, small letters, digits, others", minPassword, minKinds), nil)
	}
	return nil
}

// Passwords last so long, and none of the last ones comes again (GB/T 22239-2019 8.1.4.1).
const (
	passwordFor     = 90 * 24 * time.Hour
	passwordHistory = 5 // with the one in force
)

// setPassword puts a hash in force and keeps the one before.
func (s *Server) setPassword(u *schema.User, hash string) {
	if u.GetPassword() != "" {
		u.PasswordHistory = append(u.PasswordHistory, u.GetPassword())
	}
	if n := len(u.GetPasswordHistory()); n >= passwordHistory {
		u.PasswordHistory = u.PasswordHistory[n-passwordHistory+1:]
	}
	u.Password, u.PasswordSet = hash, s.nowMs()
}

// freshPassword gives a person a password that none of the last ones was.
func (s *Server) freshPassword(ctx context.Context, location, password string, u *schema.User) error {
	for _, old := range append([]string{u.GetPassword()}, u.GetPasswordHistory()...) {
		used, err := s.checkPassword(ctx, password, old)
		if err != nil {
			return err
		}
		if used {
			return invalid(location, fmt.Sprintf("none of the last %d passwords", passwordHistory), nil)
		}
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	s.setPassword(u, hash)
	return nil
}

// dueOf is what a person must do before anything but the own account is open; empty: nothing. People of before passwords
// had a date keep theirs. Who came by a provider is asked for no password, and for no second factor that the provider has seen.
func (s *Server) dueOf(u *schema.User, session *schema.Session) string {
	if session.GetProvider() == "" && (u.GetMustChange() || u.GetPasswordSet() != 0 && s.nowMs()-u.GetPasswordSet() > passwordFor.Milliseconds()) {
		return "password"
	}
	if s.opt.SecondFactor && u.GetTotpSealed() == "" && u.GetEnterprise() == "" && !session.GetFactor() {
		return dueSecondFactor
	}
	return ""
}

const codeDue = "due"

func (s *Server) due(v *viewer) error {
	if what := s.dueOf(v.user, v.session); what != "" {
		return problem(http.StatusForbidden, codeDue, "first: %s", what)
	}
	return nil
}
