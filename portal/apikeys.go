package portal

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/store"
	"dusthub/schema"
)

// A key lets a machine call named routes in the name of a person, with no session (T4): Authorization: Bearer <key>. It can do
// what is in its list, the person's role opens and the person's region or plant holds, and nothing more: no account, no
// administration, no audit, no personal data in clear. It ends with its time, with the person, and when it is revoked.
const (
	keyPrefix    = "dhk_"
	keyIDBytes   = 8
	keysPerUser  = 10
	keyTouch     = 5 * time.Minute // how often use is written down
	keyCalls     = 600             // of one key within a minute, at one replica
	keyFailures  = 60              // of one address within a minute, likewise
	keyWindow    = time.Minute
	codeKeyRoute = "key_route"
)

var keyForm = regexp.MustCompile(`^` + keyPrefix + `([0-9a-f]{16})_([A-Za-z0-9_-]{43})$`)

// machineTags are the groups of routes that keys may read; machineChanges the changes they may make. What is in neither is
// for people: stages of a life cycle are somebody's responsibility, accounts and administration nobody's but theirs.
var (
	machineTags    = []string{"overview", "enterprises", "risk", "series", "alarms", "warnings", "shelves", "rules", "limits", "spot checks", "cleaning", "attachments", "federation", "ledger", "records", "schema"}
	machineChanges = []string{"records-write", "record-import", "attachment-upload", "model-evaluate", "model-evaluate-batch", "model-what-if"}
)

// forMachines says whether a route can be given to a key.
func (a Access) forMachines() bool {
	if a.Roles == nil || a.account {
		return false
	}
	if a.Method != http.MethodGet {
		return slices.Contains(machineChanges, a.ID)
	}
	return slices.Contains(machineTags, a.Tag)
}

// machineRoutes are the routes that somebody can give to a key.
func machineRoutes(v *viewer) []Access {
	return slices.DeleteFunc(slices.Clone(accesses), func(a Access) bool {
		return !a.forMachines() || !slices.Contains(a.Portals, v.portal) || !slices.Contains(a.Roles, v.user.GetRole())
	})
}

func keyDigest(secret string) string {
	d := sm.SM3([]byte("dusthub key 1 " + secret)) // 256 random bits need no slow hash
	return hex.EncodeToString(d[:])
}

// bearer is the key a request comes with; empty when it has none.
func bearer(header string) string {
	scheme, key, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(key)
}

var errNoKey = problem(http.StatusUnauthorized, codeUnauthorized, "there is no such key, or it has ended: make a new one on the account page")

// unlock finds a key's record and its person, and whether the route is in its list.
func (s *Server) unlock(ctx context.Context, v *viewer, a Access, token string) error {
	key, err := s.keyOf(token)
	if err != nil {
		return err
	}
	if key == nil || key.GetPortal() != string(v.portal) || key.GetExpires() <= s.nowMs() {
		if wait := s.keysFailed.take(v.address, s.opt.Now()); wait > 0 {
			return tooMany(wait, "too many calls with keys that are none")
		}
		return errNoKey
	}
	user, at, ok, err := s.userAt(key.GetLogin())
	if err != nil {
		return err
	}
	if !ok || user.GetDisabled() || !slices.Contains(rolesOf[v.portal], user.GetRole()) {
		return errNoKey
	}
	if wait := s.keysUsed.take(key.GetId(), s.opt.Now()); wait > 0 {
		return tooMany(wait, "more than "+fmt.Sprint(keyCalls)+" calls a minute with one key")
	}
	v.user, v.userAt, v.key = user, at, key
	if !a.forMachines() || !slices.Contains(key.GetRoutes(), a.ID) {
		return problem(http.StatusForbidden, codeKeyRoute, "the key %s does not open %s: make one whose list names it", key.GetId(), a.ID)
	}
	s.touchKey(ctx, v)
	return nil
}

// keyOf reads the record of a key whose secret is right; nil when there is none.
func (s *Server) keyOf(token string) (*schema.ApiKey, error) {
	parts := keyForm.FindStringSubmatch(token)
	if parts == nil {
		return nil, nil //nolint:nilnil // no key is an answer
	}
	row, ok, err := s.opt.Backend.Store().Get("ApiKey", parts[1])
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, _ := row.Record.(*schema.ApiKey)
	digest := key.GetSecretSm3()
	if !ok {
		digest = keyDigest("") // compared all the same
	}
	if !sameSecret(digest, keyDigest(parts[2])) || !ok {
		return nil, nil //nolint:nilnil // no key is an answer
	}
	return key, nil
}

func tooMany(wait time.Duration, detail string) error {
	p := problem(http.StatusTooManyRequests, codeThrottled, "%s; try again later", detail)
	p.RetryAfter = int(wait.Seconds()) + 1
	return p
}

// touchKey writes down now and then that a key is used, over the record as it is: one that was revoked meanwhile does not
// come back.
func (s *Server) touchKey(ctx context.Context, v *viewer) {
	now := s.nowMs()
	row, ok, err := s.opt.Backend.Store().Get("ApiKey", v.key.GetId())
	key, _ := row.Record.(*schema.ApiKey)
	if err != nil || !ok || now-key.GetUsed() < keyTouch.Milliseconds() && key.GetUsedFrom() == v.address {
		return
	}
	key.Used, key.UsedFrom = now, clip(v.address, 64)
	if _, err := s.put(ctx, nil, s.changeOver(key, row.Seq)); err != nil {
		s.log.Warn("use of a key was not kept", "key", key.GetId(), "err", err)
	}
}

// KeyView is a key in a list, without its secret.
type KeyView struct {
	ID       string   `json:"id"`
	Login    string   `json:"login"`
	Name     string   `json:"name" doc:"what it is for"`
	Portal   string   `json:"portal"`
	Routes   []string `json:"routes" nullable:"false" doc:"identifiers of the routes it opens"`
	Created  int64    `json:"created" doc:"ms"`
	Expires  int64    `json:"expires" doc:"ms"`
	Used     int64    `json:"used,omitempty" doc:"ms, exact to 5 minutes; absent: never"`
	UsedFrom string   `json:"used_from,omitempty" doc:"address of the last use"`
	State    string   `json:"state" enum:"open,expired,disabled" doc:"disabled: its person is"`
}

// NewKeyView is a new key. Its secret is shown this once; the site keeps a digest.
type NewKeyView struct {
	Key    *KeyView `json:"key"`
	Secret string   `json:"secret" doc:"Authorization: Bearer ..."`
}

// KeyRouteView is a route that one can give to a key.
type KeyRouteView struct {
	ID      string `json:"id"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Summary string `json:"summary"`
	Tag     string `json:"tag"`
}

func (s *Server) keysOf(ctx context.Context, login string) ([]store.Row, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "ApiKey", Index: "login", Prefix: []string{login}, Limit: maxPage})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return page.Rows, nil
}

// endKeys are deletions of a person's keys.
func (s *Server) endKeys(ctx context.Context, login string) ([]*schema.Change, error) {
	rows, err := s.keysOf(ctx, login)
	if err != nil {
		return nil, err
	}
	out := make([]*schema.Change, 0, len(rows))
	for _, r := range rows {
		out = append(out, &schema.Change{Type: "ApiKey", Key: r.Key, Deleted: true})
	}
	return out, nil
}

func (s *Server) keyView(k *schema.ApiKey, disabled bool) *KeyView {
	v := &KeyView{ID: k.GetId(), Login: k.GetLogin(), Name: k.GetName(), Portal: k.GetPortal(), Routes: k.GetRoutes(), Created: k.GetCreated(), Expires: k.GetExpires(), Used: k.GetUsed(), UsedFrom: k.GetUsedFrom(), State: "open"}
	switch {
	case k.GetExpires() <= s.nowMs():
		v.State = "expired"
	case disabled:
		v.State = "disabled"
	}
	return v
}

type keysInput struct {
	Login string `query:"login" maxLength:"64" doc:"of another person, * of all: the security administrator's to ask"`
}

// keys lists one's own keys; the security administrator's list is of whom he asks for.
func (s *Server) keys(ctx context.Context, v *viewer, in *keysInput) (*Page[*KeyView], error) {
	q := store.Query{Type: "ApiKey", Limit: maxPage}
	if in.Login != "*" || v.user.GetRole() != securityAdmin {
		login := v.user.GetLogin()
		if in.Login != "" && in.Login != login {
			if v.user.GetRole() != securityAdmin {
				return nil, notFound("User", in.Login)
			}
			login = in.Login
		}
		q.Index, q.Prefix = "login", []string{login}
	}
	page, err := s.opt.Backend.Store().List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	out := &Page[*KeyView]{Items: []*KeyView{}}
	for _, r := range page.Rows {
		k := r.Record.(*schema.ApiKey)
		u, ok, err := s.user(k.GetLogin())
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, s.keyView(k, !ok || u.GetDisabled()))
	}
	slices.SortFunc(out.Items, func(a, b *KeyView) int { return int(b.Created - a.Created) })
	return out, nil
}

func (s *Server) keyRoutes(_ context.Context, v *viewer, _ *none) (*List[KeyRouteView], error) {
	out := &List[KeyRouteView]{Items: []KeyRouteView{}}
	for _, a := range machineRoutes(v) {
		out.Items = append(out.Items, KeyRouteView{ID: a.ID, Method: a.Method, Path: a.Path, Summary: a.Summary, Tag: a.Tag})
	}
	return out, nil
}

type newKeyInput struct {
	Body struct {
		Name     string   `json:"name" minLength:"1" maxLength:"100" doc:"what it is for"`
		Routes   []string `json:"routes" minItems:"1" maxItems:"50" nullable:"false" doc:"identifiers of GET /session/keys/routes"`
		Days     int      `json:"days" minimum:"1" maximum:"365" doc:"until it ends"`
		Password string   `json:"password" maxLength:"256" doc:"once more: a session that was left open must not be enough"`
	}
}

func (s *Server) createKey(ctx context.Context, v *viewer, in *newKeyInput) (*NewKeyView, error) {
	b := in.Body
	open := machineRoutes(v)
	for i, id := range b.Routes {
		if !slices.ContainsFunc(open, func(a Access) bool { return a.ID == id }) || slices.Contains(b.Routes[:i], id) {
			return nil, invalid(fmt.Sprintf("body.routes[%d]", i), "a route that machines may call and your role opens, once", id)
		}
	}
	if err := s.oncemore(ctx, v, b.Password); err != nil {
		return nil, err
	}
	rows, err := s.keysOf(ctx, v.user.GetLogin())
	if err != nil {
		return nil, err
	}
	if len(rows) >= keysPerUser {
		return nil, problem(http.StatusConflict, codeRefused, "at most %d keys: revoke one first", keysPerUser)
	}
	id, err := randomHex(keyIDBytes)
	if err != nil {
		return nil, err
	}
	hidden, err := secret(tokenBytes)
	if err != nil {
		return nil, err
	}
	now := s.nowMs()
	key := &schema.ApiKey{
		Id: id, Login: v.user.GetLogin(), Name: strings.TrimSpace(b.Name), SecretSm3: keyDigest(hidden), Routes: b.Routes, Portal: string(v.portal),
		Created: now, Expires: now + int64(b.Days)*dayMs,
	}
	entry := s.auditEntry(v.user.GetLogin(), "key created", "ApiKey/"+id, "ok", v.address)
	entry.After = clip(fmt.Sprintf("days=%d routes=%s", b.Days, strings.Join(b.Routes, ",")), 1000)
	if _, err = s.put(ctx, v.user, s.created(key), s.change(entry)); err != nil {
		return nil, err
	}
	return &NewKeyView{Key: s.keyView(key, false), Secret: keyPrefix + id + "_" + hidden}, nil
}

type keyInput struct {
	ID string `path:"id" maxLength:"32"`
}

// revokeKey ends a key. Another person's is not there for anybody but the security administrator.
func (s *Server) revokeKey(ctx context.Context, v *viewer, in *keyInput) (*none, error) {
	row, ok, err := s.opt.Backend.Store().Get("ApiKey", in.ID)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, _ := row.Record.(*schema.ApiKey)
	if !ok || key.GetLogin() != v.user.GetLogin() && v.user.GetRole() != securityAdmin {
		return nil, notFound("ApiKey", in.ID)
	}
	entry := s.auditEntry(v.user.GetLogin(), "key revoked", "ApiKey/"+in.ID, "ok", v.address)
	entry.Before = "login=" + key.GetLogin()
	_, err = s.put(ctx, v.user, &schema.Change{Type: "ApiKey", Key: in.ID, Deleted: true}, s.change(entry))
	return &none{}, err
}

func (d *door) keyRoutes() {
	handle(d, "keys", d.s.keys)
	handle(d, "key-routes", d.s.keyRoutes)
	handle(d, "key-create", d.s.createKey)
	handle(d, "key-revoke", d.s.revokeKey)
}
