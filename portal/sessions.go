package portal

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"
)

// lives says whether a session has neither come to its end nor been idle for too long.
func (s *Server) lives(session *schema.Session) bool {
	now := s.nowMs()
	used := max(session.GetSeen(), session.GetCreated())
	return session.GetExpires() > now && used+sessionIdle.Milliseconds() > now
}

// touch writes down that a session is used, now and then: every replica must know, and a write with each request would be a
// flood.
func (s *Server) touch(ctx context.Context, v *viewer) {
	now := s.nowMs()
	if now-max(v.session.GetSeen(), v.session.GetCreated()) < sessionTouch.Milliseconds() {
		return
	}
	v.session.Seen = now
	if _, err := s.put(ctx, nil, s.change(v.session)); err != nil {
		s.log.Warn("use of a session was not kept", "login", v.user.GetLogin(), "err", err)
	}
}

func clip(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

// OpenSession is a session in a list. Its id is a digest: it opens nothing.
type OpenSession struct {
	ID      string `json:"id"`
	Login   string `json:"login"`
	Portal  string `json:"portal" enum:"regulator,enterprise"`
	Created int64  `json:"created" doc:"ms"`
	Seen    int64  `json:"seen" doc:"ms"`
	Expires int64  `json:"expires" doc:"ms"`
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty" doc:"what the browser says it is"`
	Current bool   `json:"current,omitempty" doc:"the one that asks"`
}

type sessionsInput struct {
	Login string `query:"login" maxLength:"64" doc:"of another person: the security administrator's to ask"`
}

func (s *Server) sessions(ctx context.Context, v *viewer, in *sessionsInput) (*Page[*OpenSession], error) {
	login := v.user.GetLogin()
	if in.Login != "" && in.Login != login {
		if v.user.GetRole() != securityAdmin {
			return nil, notFound("User", in.Login)
		}
		login = in.Login
	}
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "Session", Index: "login", Prefix: []string{login}, Limit: maxPage})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	out := &Page[*OpenSession]{Items: []*OpenSession{}}
	for _, r := range page.Rows {
		if x := r.Record.(*schema.Session); s.lives(x) {
			out.Items = append(out.Items, &OpenSession{
				ID: x.GetId(), Login: x.GetLogin(), Portal: x.GetPortal(), Created: x.GetCreated(), Seen: max(x.GetSeen(), x.GetCreated()), Expires: x.GetExpires(),
				Address: x.GetAddress(), Agent: x.GetAgent(), Current: x.GetId() == v.session.GetId(),
			})
		}
	}
	return out, nil
}

type sessionKeyInput struct {
	ID string `path:"id" maxLength:"64"`
}

// revokeSession ends a session. Another person's is not there for anybody but the security administrator.
func (s *Server) revokeSession(ctx context.Context, v *viewer, in *sessionKeyInput) (*none, error) {
	row, ok, err := s.opt.Backend.Store().Get("Session", in.ID)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	x, _ := row.Record.(*schema.Session)
	if !ok || x.GetLogin() != v.user.GetLogin() && v.user.GetRole() != securityAdmin {
		return nil, notFound("Session", in.ID)
	}
	_, err = s.put(ctx, v.user, &schema.Change{Type: "Session", Key: in.ID, Deleted: true})
	return &none{}, err
}
