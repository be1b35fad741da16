package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/sm"
	"dusthub/schema"

	"github.com/robfig/cron/v3"
	"google.golang.org/protobuf/proto"
)

// actorSite is the actor of what the site does by itself.
const actorSite = "site"

// Roles and pauses.
const (
	roleSystem   = "site_admin"
	roleSecurity = "security_admin"
	roleAudit    = "audit_admin"
	jobTimeout   = 10 * time.Second // of a command the site proposes by itself
	introduceTry = time.Second
)

// Run makes the node work until the context ends, then ends it in good order: leadership is handed over, state is kept,
// the store is closed. Who reads the store must have ended before. Errors: ErrRestart, and whatever made the replica fail.
func (n *Node) Run(ctx context.Context) error {
	jobs := cron.New(cron.WithLogger(cronLog{n.log}), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, job := range []struct {
		every time.Duration
		run   func(context.Context) error
		name  string
	}{
		{n.cfg.Engine.Tick, n.tick, "tick"},
		{n.cfg.Ledger.CheckpointEvery, n.sign, "sign ledger"},
	} {
		if _, err := jobs.AddFunc("@every "+job.every.String(), func() { n.lead(ctx, job.name, job.run) }); err != nil {
			return fmt.Errorf("schedule %s: %w", job.name, err)
		}
	}
	jobs.Start()
	var wg sync.WaitGroup
	wg.Go(func() { n.introduce(ctx) })
	n.log.Info("site runs", "site", n.cfg.Site.ID, "replica", n.cfg.Replica.ID, "version", Version, "applied", n.store.Applied(), "kept", n.store.HeadsAt())
	select {
	case <-ctx.Done():
	case <-n.replica.Failed():
	}
	cancel()
	<-jobs.Stop().Done()
	wg.Wait()
	err := n.replica.Shutdown()
	err = errors.Join(n.replica.Err(), err, n.closeStore())
	n.log.Info("site stopped", "site", n.cfg.Site.ID, "replica", n.cfg.Replica.ID, "err", err)
	return err
}

// lead runs a job of the leader.
func (n *Node) lead(ctx context.Context, name string, run func(context.Context) error) {
	if !n.IsLeader() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		n.log.Warn("job failed", "job", name, "err", err)
	}
}

func (n *Node) tick(ctx context.Context) error {
	_, err := n.Propose(ctx, &schema.Command{Actor: actorSite, Body: &schema.Command_Tick{Tick: &schema.Tick{}}})
	return err
}

// sign puts the site's signature under its ledger when it grew since the last.
func (n *Node) sign(ctx context.Context) error {
	head, ok := n.store.Head(n.cfg.Site.ID)
	if !ok || head.Seq == 0 {
		return nil
	}
	last, ok, err := n.store.Signed(head.Origin, head.Epoch, 0)
	if err != nil || ok && last.GetSeq() >= head.Seq {
		return err
	}
	c := &schema.Checkpoint{
		Origin: head.Origin, Epoch: head.Epoch, Seq: head.Seq, Digest: head.Digest[:], Time: time.Now().UnixMilli(), Certificate: n.identity.SignCert(),
	}
	if c.Signature, err = n.identity.Sign(chain.CheckpointMessage(c.GetOrigin(), c.GetEpoch(), c.GetSeq(), head.Digest, c.GetTime())); err != nil {
		return fmt.Errorf("sign ledger: %w", err)
	}
	_, err = n.Propose(ctx, &schema.Command{Actor: actorSite, Body: &schema.Command_Checkpoint{Checkpoint: c}})
	return err
}

// introduce writes the site's own record and the first administrator, whenever this replica begins to lead and they are not so yet.
func (n *Node) introduce(ctx context.Context) {
	leadership, end := n.Leadership()
	defer end()
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-leadership:
			for leads && n.IsLeader() && ctx.Err() == nil {
				err := n.putOwn(ctx)
				if err == nil {
					break
				}
				n.log.Warn("own records not written", "err", err)
				select {
				case <-ctx.Done():
				case <-time.After(introduceTry):
				}
			}
		}
	}
}

func (n *Node) putOwn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	c := n.cfg.Site
	site := &schema.Site{
		Id: c.ID, Name: c.Name, Level: c.Level, Region: c.Region, Parent: n.cfg.Parent.Site, Version: Version, SchemaVersion: schema.Version,
	}
	row, ok, err := n.store.Get("Site", c.ID)
	if err != nil {
		return err
	}
	if !ok || !proto.Equal(row.Record, site) {
		if err := n.put(ctx, site, false); err != nil {
			return err
		}
	}
	b := n.cfg.Bootstrap
	for _, a := range []struct{ login, file, role string }{
		{b.AdminLogin, b.AdminPasswordFile, roleSystem}, {b.SecurityLogin, b.SecurityPasswordFile, roleSecurity}, {b.AuditLogin, b.AuditPasswordFile, roleAudit},
	} {
		if err := n.putAdmin(ctx, a.login, a.file, a.role); err != nil {
			return err
		}
	}
	return nil
}

// putAdmin makes a first administrator, unless there is a user of that login.
func (n *Node) putAdmin(ctx context.Context, login, file, role string) error {
	if login == "" {
		return nil
	}
	if _, ok, err := n.store.Get("User", login); ok || err != nil {
		return err
	}
	password, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("first administrator: %w", err)
	}
	hash, err := sm.HashPassword(strings.TrimSpace(string(password)))
	if err != nil {
		return fmt.Errorf("first administrator: %w", err)
	}
	return n.put(ctx, &schema.User{Login: login, Name: login, Role: role, Password: hash, MustChange: n.cfg.Portal.FirstChange}, true)
}

// put writes one record of the site's own.
func (n *Node) put(ctx context.Context, rec schema.Record, create bool) error {
	raw, err := schema.Marshal(rec)
	if err != nil {
		return err
	}
	typ := schema.TypeOf(rec)
	res, err := n.Propose(ctx, &schema.Command{Actor: actorSite, Body: &schema.Command_Put{Put: &schema.Put{
		Changes: []*schema.Change{{Type: typ, Record: raw, Create: create}},
	}}})
	if err != nil {
		return err
	}
	if schema.Refuses(res.GetViolations()) {
		return fmt.Errorf("%s/%s refused: %v", typ, schema.KeyOf(rec), res.GetViolations())
	}
	return nil
}

// cronLog sends cron's log to ours.
type cronLog struct{ log *slog.Logger }

// Info is what cron does, of interest to nobody but a debugger.
func (c cronLog) Info(msg string, args ...any) { c.log.Debug(msg, append(args, "part", "cron")...) }

// Error is a job that panicked.
func (c cronLog) Error(err error, msg string, args ...any) {
	c.log.Error(msg, append(args, "err", err, "part", "cron")...)
}
