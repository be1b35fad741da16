package portal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// appliedWithin bounds the wait until this replica has applied what the leader committed.
const appliedWithin = 5 * time.Second

// propose has a command applied and waits until it is visible here. A refusal comes back as a problem.
func (s *Server) propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	err := s.seal(ctx, cmd.GetPut()) // the first time, this writes the site's key
	var res *schema.Result
	if err == nil {
		res, err = s.opt.Backend.Propose(ctx, cmd)
	}
	if p := (*Problem)(nil); errors.As(err, &p) {
		return nil, p
	}
	if err != nil {
		return nil, s.notTaken(cmd.GetActor(), err)
	}
	if err := refusal(res.GetViolations()); err != nil {
		return nil, err
	}
	if res.GetIndex() == 0 {
		return res, nil
	}
	wait, cancel := context.WithTimeout(ctx, appliedWithin)
	defer cancel()
	if _, err := s.opt.Backend.Hub().Wait(wait, res.GetIndex()-1); err != nil {
		// It is committed; this replica is only late. The answer is right, a read right after it may not be.
		s.log.Warn("this replica is late", "index", res.GetIndex(), "err", err)
	}
	return res, nil
}

// notTaken says that a command's outcome is not known, in most cases because there is no leader.
func (s *Server) notTaken(actor string, err error) error {
	leader, _ := s.opt.Backend.Leader()
	s.log.Warn("command was not taken", "actor", actor, "leader", leader, "err", err)
	if leader == "" {
		return unavailable("the site has no leader at the moment")
	}
	return unavailable("the site could not take the change at the moment")
}

// put writes records in one command, in the name and with the role of a person; of nobody: the site itself.
func (s *Server) put(ctx context.Context, by *schema.User, changes ...*schema.Change) (*schema.Result, error) {
	return s.putFor(ctx, by, "", changes...)
}

// putFor is put with the reason that the audit keeps.
func (s *Server) putFor(ctx context.Context, by *schema.User, reason string, changes ...*schema.Change) (*schema.Result, error) {
	actor := "site"
	if by != nil {
		actor = by.GetLogin()
	}
	return s.propose(ctx, &schema.Command{Actor: actor, Body: &schema.Command_Put{Put: &schema.Put{Changes: changes, Role: by.GetRole(), Reason: reason}}})
}

// change is a record to be written. Records made here encode; one that did not would be refused as empty.
func (s *Server) change(r schema.Record) *schema.Change {
	var b []byte
	var err error
	if u, ok := r.(*schema.User); ok {
		r, err = s.sealedUser(u)
	}
	if err == nil {
		b, err = schema.Marshal(r)
	}
	if err != nil {
		s.log.Error("encode record", "type", schema.TypeOf(r), "err", err)
	}
	return &schema.Change{Type: schema.TypeOf(r), Record: b}
}

// created is a record that must not exist yet.
func (s *Server) created(r schema.Record) *schema.Change {
	c := s.change(r)
	c.Create = true
	return c
}

// changeOver is a record made of the one whose entry stands at a place of the ledger: it is refused when somebody else, perhaps at
// another replica, was quicker.
func (s *Server) changeOver(r schema.Record, at uint64) *schema.Change {
	c := s.change(r)
	c.Over = at
	return c
}

// act takes one step of a life cycle and returns the row after it. Only the owner of a record can move it.
func (s *Server) act(ctx context.Context, v *viewer, row store.Row, act *schema.Act) (store.Row, error) {
	name, err := s.sealText(ctx, enterpriseOf(row.Record), v.user.GetName())
	if err != nil {
		return row, s.notTaken(v.user.GetLogin(), err)
	}
	act.Type, act.Key, act.ActorName, act.Role = row.Type, row.Key, name, v.user.GetRole()
	if !allows(row.Type, act.GetAction(), act.GetRole()) {
		if steps[row.Type][act.GetAction()] == nil {
			return row, invalid("body.action", "an action of a "+row.Type, act.GetAction())
		}
		return row, problem(http.StatusForbidden, codeForbidden, "%s is not for the role %s", act.GetAction(), act.GetRole())
	}
	if err := s.ownHere(row); err != nil {
		return row, err
	}
	if err := over(row); err != nil {
		return row, err
	}
	if err := s.haveAttachments(v, act.GetAttachments()); err != nil {
		return row, err
	}
	_, refused := s.propose(ctx, &schema.Command{Actor: v.user.GetLogin(), Body: &schema.Command_Act{Act: act}})
	after, ok, err := s.opt.Backend.Store().Get(row.Type, row.Key)
	switch {
	case err != nil || !ok:
		return row, errors.Join(refused, err)
	case refused != nil && over(after) != nil: // somebody else closed it in the meantime
		return row, over(after)
	}
	return after, refused
}

// over refuses a step of a life cycle that has ended.
func over(row store.Row) error {
	r, ok := row.Record.(interface{ GetStage() string })
	if !ok || openAlarm(r.GetStage()) && r.GetStage() != "refused" && r.GetStage() != "ended" {
		return nil
	}
	return outOfTurn(row.Type+"/"+row.Key, r.GetStage(), "a life cycle that has not ended")
}

// ownHere refuses what belongs to another site: it is changed there and arrives here.
func (s *Server) ownHere(row store.Row) error {
	if row.Origin == s.opt.Site.ID {
		return nil
	}
	return problem(http.StatusConflict, codeNotHere, "%s %s belongs to the site %s and is dealt with there", row.Type, row.Key, row.Origin)
}

// freshID names a record this site makes: prefix, site, time, and enough chance that two never meet.
func (s *Server) freshID(prefix string) string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program rather than give a short read
	return fmt.Sprintf("%s-%s-%d-%s", prefix, s.opt.Site.ID, s.nowMs(), hex.EncodeToString(b[:]))
}

func (s *Server) auditEntry(actor, action, subject, result, address string) *schema.AuditEntry {
	return &schema.AuditEntry{Id: s.freshID("L"), Time: s.nowMs(), Actor: actor, Action: action, Subject: subject, Result: result, Address: address}
}

// audit keeps what somebody tried. It never fails the request: the throttle bounds how many there can be.
func (s *Server) audit(ctx context.Context, actor, action, subject, result, address string) {
	if _, err := s.put(ctx, nil, s.change(s.auditEntry(actor, action, subject, result, address))); err != nil {
		s.log.Warn("audit entry was not kept", "action", action, "actor", actor, "result", result, "err", err)
	}
}
