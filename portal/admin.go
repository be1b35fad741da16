package portal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"

	"dusthub/crypto/sm"
	"dusthub/node/store"
	"dusthub/schema"
)

type credentialInput struct {
	Code string `path:"code" maxLength:"32"`
	Body struct {
		Kind string `json:"kind" enum:"token,sm4" doc:"token: a secret for the token doors; sm4: appid, appsecret, key and IV for the SM4 door"`
	}
}

// CredentialView is a new secret. It is shown this once; the site keeps digests, and the SM4 key sealed.
type CredentialView struct {
	Gateway   string `json:"gateway"`
	Secret    string `json:"secret,omitempty"`
	AppID     string `json:"appid,omitempty"`
	AppSecret string `json:"appsecret,omitempty"`
	Key       string `json:"key,omitempty" doc:"hexadecimal"`
	IV        string `json:"iv,omitempty" doc:"hexadecimal"`
}

const secretBytes = 32

func randomHex(n int) (string, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	return hex.EncodeToString(b), nil
}

func (s *Server) newCredential(ctx context.Context, v *viewer, in *credentialInput) (*CredentialView, error) {
	row, err := s.record(v, "Gateway", in.Code)
	if err != nil {
		return nil, err
	}
	if err = s.ownHere(row); err != nil {
		return nil, err
	}
	rec := &schema.Credential{Gateway: in.Code}
	old, ok, err := s.opt.Backend.Store().Get("Credential", in.Code)
	if err != nil {
		return nil, fmt.Errorf("read credential: %w", err)
	}
	if ok {
		rec = old.Record.(*schema.Credential) // a new secret of one kind leaves the other kind's in force
	}
	view := &CredentialView{Gateway: in.Code}
	if in.Body.Kind == "token" {
		err = s.tokenCredential(view, rec)
	} else {
		err = s.sm4Credential(view, rec)
	}
	if err != nil {
		return nil, err
	}
	entry := s.auditEntry(v.user.GetLogin(), "credential", in.Code, in.Body.Kind, v.address)
	if _, err := s.put(ctx, v.user, s.change(rec), s.change(entry)); err != nil {
		return nil, err
	}
	return view, nil
}

func (s *Server) tokenCredential(view *CredentialView, rec *schema.Credential) (err error) {
	if view.Secret, err = secret(secretBytes); err != nil {
		return err
	}
	digest := sm.SM3([]byte(view.Secret))
	rec.SecretSm3 = digest[:]
	return nil
}

func (s *Server) sm4Credential(view *CredentialView, rec *schema.Credential) (err error) {
	const idBytes = 8
	for _, f := range []struct {
		to *string
		n  int
	}{{&view.AppID, idBytes}, {&view.AppSecret, secretBytes}, {&view.Key, sm.KeySize}, {&view.IV, sm.KeySize}} {
		if *f.to, err = randomHex(f.n); err != nil {
			return err
		}
	}
	material, err := hex.DecodeString(view.Key + view.IV)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	sealed, err := s.opt.Keys.Seal("gateway/"+view.Gateway, material)
	if err != nil {
		return fmt.Errorf("seal key of %s: %w", view.Gateway, err)
	}
	digest := sm.SM3([]byte(view.AppSecret))
	rec.Appid, rec.AppsecretSm3, rec.Sm4Sealed = view.AppID, digest[:], []byte(sealed)
	return nil
}

type userInput struct {
	Body struct {
		Login      string `json:"login" maxLength:"32"`
		Name       string `json:"name" maxLength:"50"`
		Role       string `json:"role" maxLength:"32" doc:"table role"`
		Region     string `json:"region,omitempty" maxLength:"6" doc:"regulators: what they see; empty is all"`
		Enterprise string `json:"enterprise,omitempty" maxLength:"32" doc:"plant people"`
		Org        string `json:"org,omitempty" maxLength:"32" doc:"regulators: their authority; its region is theirs unless a smaller one is given"`
		Password   string `json:"password" maxLength:"256"`
	}
}

// UserView is a person, without the password.
type UserView struct {
	Login      string `json:"login"`
	Name       string `json:"name" personal:"yes"`
	Role       string `json:"role" table:"role"`
	Region     string `json:"region,omitempty"`
	Enterprise string `json:"enterprise,omitempty"`
	Org        string `json:"org,omitempty"`
	Disabled   bool   `json:"disabled,omitempty"`
	TwoFactor  bool   `json:"second_factor,omitempty"`
	Subject    string `json:"subject,omitempty" doc:"identifier at the provider that the person is linked to"`
	Linkable   bool   `json:"linkable,omitempty" doc:"the person's portal has a login by a provider; said in lists"`
}

func userView(u *schema.User) *UserView {
	return &UserView{Login: u.GetLogin(), Name: u.GetName(), Role: u.GetRole(), Region: u.GetRegion(), Enterprise: u.GetEnterprise(), Org: u.GetOrg(), Disabled: u.GetDisabled(), TwoFactor: u.GetTotpSealed() != "", Subject: subjectOf(u)}
}

func (s *Server) createUser(ctx context.Context, v *viewer, in *userInput) (*UserView, error) {
	b := in.Body
	u := &schema.User{Login: b.Login, Name: b.Name, Role: b.Role, Region: b.Region, Enterprise: b.Enterprise, Org: b.Org}
	if _, ok, err := s.user(b.Login); err != nil {
		return nil, err
	} else if ok { // found out before the password is hashed, which takes long
		return nil, problem(http.StatusConflict, codeExists, "the login %s is taken", b.Login)
	}
	if err := s.placed(u); err != nil {
		return nil, err
	}
	if err := weak("body.password", b.Password, b.Login); err != nil {
		return nil, err
	}
	hash, err := s.hashPassword(ctx, b.Password)
	if err != nil {
		return nil, err
	}
	s.setPassword(u, hash)
	u.MustChange = s.opt.FirstChange
	entry := s.auditEntry(v.user.GetLogin(), "user created", u.GetLogin(), u.GetRole(), v.address)
	if _, err := s.put(ctx, v.user, s.created(u), s.change(entry)); err != nil {
		return nil, err
	}
	return userView(u), nil
}

type changeUserInput struct {
	Login string `path:"login" maxLength:"32"`
	Body  struct {
		Disabled   *bool   `json:"disabled,omitempty"`
		Name       *string `json:"name,omitempty" minLength:"1" maxLength:"50"`
		Role       *string `json:"role,omitempty" maxLength:"32" doc:"table role"`
		Region     *string `json:"region,omitempty" maxLength:"6"`
		Enterprise *string `json:"enterprise,omitempty" maxLength:"32"`
		Org        *string `json:"org,omitempty" maxLength:"32"`
		Password   string  `json:"password,omitempty" maxLength:"256"`
		// A lost telephone: who lost it sets a new second factor up at the next login.
		NoSecondFactor bool `json:"no_second_factor,omitempty" doc:"takes the second factor away"`
		// The person may log in by the provider of their portal from then on.
		Subject *string `json:"subject,omitempty" maxLength:"255" doc:"identifier (sub) at the provider; empty unlinks"`
	}
}

// move gives a person another name, role or place. Nobody gives himself another role.
func (s *Server) move(v *viewer, in *changeUserInput, u *schema.User) error {
	b := in.Body
	if b.Role != nil && *b.Role != u.GetRole() && in.Login == v.user.GetLogin() {
		return invalid("body.role", "somebody else's: nobody changes his own role", *b.Role)
	}
	for _, f := range []struct{ from, to *string }{{b.Name, &u.Name}, {b.Role, &u.Role}, {b.Region, &u.Region}, {b.Enterprise, &u.Enterprise}, {b.Org, &u.Org}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if b.Role == nil && b.Region == nil && b.Enterprise == nil && b.Org == nil {
		return nil
	}
	return s.placed(u)
}

// changeUser disables or moves a person or gives a new password; each ends the person's sessions.
func (s *Server) changeUser(ctx context.Context, v *viewer, in *changeUserInput) (*UserView, error) {
	u, at, ok, err := s.userAt(in.Login)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notFound("User", in.Login)
	}
	b := in.Body
	if b.Disabled == nil && b.Password == "" && !b.NoSecondFactor && b.Subject == nil && b.Name == nil && b.Role == nil && b.Region == nil && b.Enterprise == nil && b.Org == nil {
		return nil, invalid("body", "something to change", nil)
	}
	if err = s.move(v, in, u); err != nil {
		return nil, err
	}
	if in.Body.Disabled != nil {
		if *in.Body.Disabled && in.Login == v.user.GetLogin() {
			return nil, invalid("body.disabled", "somebody else: nobody shuts himself out", true)
		}
		u.Disabled = *in.Body.Disabled
	}
	if in.Body.Password != "" {
		if err = weak("body.password", in.Body.Password, in.Login); err != nil {
			return nil, err
		}
		if err = s.freshPassword(ctx, "body.password", in.Body.Password, u); err != nil {
			return nil, err
		}
		u.MustChange = s.opt.FirstChange
	}
	if b.Subject != nil {
		if err = s.link(ctx, u, *b.Subject); err != nil {
			return nil, err
		}
	}
	if in.Body.NoSecondFactor {
		u.TotpSealed, u.Recovery = "", nil
	}
	return userView(u), s.replaceUser(ctx, v, u, at, "user changed", "")
}

// replaceUser writes a user made of the entry at a place of the ledger, and ends the sessions but one; the keys too when the person is
// disabled.
func (s *Server) replaceUser(ctx context.Context, v *viewer, u *schema.User, at uint64, action, keep string) error {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "Session", Index: "login", Prefix: []string{u.GetLogin()}, Limit: maxPage})
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	changes := []*schema.Change{s.changeOver(u, at), s.change(s.auditEntry(v.user.GetLogin(), action, u.GetLogin(), "ok", v.address))}
	for _, r := range page.Rows {
		if r.Key != keep {
			changes = append(changes, &schema.Change{Type: "Session", Key: r.Key, Deleted: true})
		}
	}
	if u.GetDisabled() {
		ended, err := s.endKeys(ctx, u.GetLogin())
		if err != nil {
			return err
		}
		changes = append(changes, ended...)
	}
	_, err = s.put(ctx, v.user, changes...)
	return err
}

type passwordInput struct {
	Body struct {
		Old string `json:"old" maxLength:"256"`
		New string `json:"new" maxLength:"256"`
	}
}

// changePassword changes one's own password; all other sessions end.
func (s *Server) changePassword(ctx context.Context, v *viewer, in *passwordInput) (*UserView, error) {
	login := v.user.GetLogin()
	if wait := s.throttle.wait(login, v.address); wait > 0 {
		return nil, throttled(wait)
	}
	right, err := s.checkPassword(ctx, in.Body.Old, v.user.GetPassword())
	if err != nil {
		return nil, err
	}
	if !right {
		s.throttle.failed(login, v.address)
		return nil, invalid("body.old", "the password in force", nil)
	}
	if err = weak("body.new", in.Body.New, login); err != nil {
		return nil, err
	}
	if err = s.freshPassword(ctx, "body.new", in.Body.New, v.user); err != nil {
		return nil, err
	}
	v.user.MustChange = false
	return userView(v.user), s.replaceUser(ctx, v, v.user, v.userAt, "password changed", v.session.GetId())
}

func (d *door) adminRoutes() {
	s := d.s
	handle(d, "credential", s.newCredential)
	handle(d, "orgs", s.orgs)
	handle(d, "org-write", s.writeOrg)
	handle(d, "org-delete", s.deleteOrg)
	handle(d, "users", s.users)
	handle(d, "roles", s.roles)
	handle(d, "user-create", s.createUser)
	handle(d, "user-change", s.changeUser)
}
