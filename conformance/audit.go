package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dusthub/crypto/pki"
	"dusthub/schema"
)

// Target is the site to be audited and what the auditor has been given for it. A folder holds an identity as pki.LoadIdentity
// reads it. What is left empty is optional: checks that need it are skipped, and say so.
type Target struct {
	Site     string // id
	Addr     string // of its gRPC listener
	Identity string // folder: certificates of a site made for the audit; the id begins with "audit". May be left empty where there is CA
	Other    string // folder: a second such site
	Gateway  string // folder: certificates of a gateway
	CA       string // folder: the CA itself (ca.crt, ca.key), where it is at hand; what is missing above is issued by it
}

// auditPrefix keeps the suite from running under the identity of a real child, whose epoch it would end.
const auditPrefix = "audit"

// audit is one run.
type audit struct {
	target   Target
	dir      string // of identities made for this run
	id       *pki.Identity
	stranger *pki.Identity // of the auditor's name, certified by a CA that nobody knows
	silent   *pki.Identity // who opens a stream and says nothing; the auditor itself where there is no CA to make another
	gateway  *pki.Identity // nil: not given
	expired  *pki.Identity // nil: no CA to make it
	child    *child
	other    *child // nil: not given
	patience time.Duration
}

func begin(t Target, patience time.Duration) (*audit, error) {
	dir, err := os.MkdirTemp("", "dusthub-conformance-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	a := &audit{target: t, dir: dir, patience: patience}
	if err := a.prepare(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *audit) prepare() error {
	t := &a.target
	if t.Site == "" || t.Addr == "" || t.Identity == "" && t.CA == "" {
		return errors.New("conformance: needs the site's id, its address, and an identity or the CA")
	}
	ca, err := a.authority()
	if err != nil {
		return err
	}
	if a.id, err = auditor(t.Identity); err != nil {
		return err
	}
	a.silent = a.id
	if ca != nil {
		if err := a.issue(ca); err != nil {
			return err
		}
	}
	if a.stranger, err = a.makeStranger(); err != nil {
		return fmt.Errorf("make another CA: %w", err)
	}
	if t.Gateway != "" {
		if a.gateway, err = pki.LoadIdentity(t.Gateway); err != nil {
			return fmt.Errorf("identity of a gateway: %w", err)
		}
		if a.gateway.Unit() != pki.UnitGateway {
			return fmt.Errorf("conformance: the certificate of %q is a %s's, not a gateway's", a.gateway.Name(), a.gateway.Unit())
		}
	}
	if a.child, err = newChild(*t, a.id, a.patience); err != nil || t.Other == "" {
		return err
	}
	id, err := auditor(t.Other)
	if err != nil {
		return err
	}
	if id.Name() == a.id.Name() {
		return fmt.Errorf("conformance: the second identity is %q as well", id.Name())
	}
	a.other, err = newChild(*t, id, a.patience)
	return err
}

// auditor reads an identity that an audit may be run under.
func auditor(dir string) (*pki.Identity, error) {
	id, err := pki.LoadIdentity(dir)
	if err != nil {
		return nil, fmt.Errorf("identity of the auditor: %w", err)
	}
	if id.Unit() != pki.UnitSite || !strings.HasPrefix(id.Name(), auditPrefix) {
		return nil, fmt.Errorf("conformance: identity %q (%s): wanted a site made for the audit, whose id begins with %q", id.Name(), id.Unit(), auditPrefix)
	}
	return id, nil
}

const (
	identityLife = time.Hour
	// expiredLife: certificates are good from five minutes before they are made, so these have ended.
	expiredLife = time.Minute
	gatewayName = "000000030000G01" // the code of a gateway that is nowhere
	publicMode  = 0o644
)

// authority loads the CA, and has it make the auditor's identity when none was given. Nil: there is no CA.
func (a *audit) authority() (*pki.CA, error) {
	if a.target.CA == "" {
		return nil, nil //nolint:nilnil // it is optional
	}
	ca, err := pki.LoadCA(a.target.CA)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	if a.target.Identity == "" {
		a.target.Identity = a.at("auditor")
		if err := ca.Issue(a.target.Identity, auditPrefix, pki.UnitSite, nil, identityLife); err != nil {
			return nil, fmt.Errorf("certify the auditor: %w", err)
		}
	}
	return ca, nil
}

// at is a folder for what is made for this run.
func (a *audit) at(name string) string { return filepath.Join(a.dir, name) }

// issue has the CA make what was not given.
func (a *audit) issue(ca *pki.CA) error {
	if a.target.Gateway == "" {
		a.target.Gateway = a.at("gateway")
		if err := ca.Issue(a.target.Gateway, gatewayName, pki.UnitGateway, nil, identityLife); err != nil {
			return fmt.Errorf("certify a gateway: %w", err)
		}
	}
	if a.target.Other == "" {
		a.target.Other = a.at("other")
		if err := ca.Issue(a.target.Other, a.id.Name()+"-b", pki.UnitSite, nil, identityLife); err != nil {
			return fmt.Errorf("certify a second site: %w", err)
		}
	}
	if err := ca.Issue(a.at("expired"), a.id.Name(), pki.UnitSite, nil, expiredLife); err != nil {
		return fmt.Errorf("make expired certificates: %w", err)
	}
	var err error
	if a.expired, err = pki.LoadIdentity(a.at("expired")); err != nil {
		return err
	}
	if err := ca.Issue(a.at("silent"), a.id.Name()+"-silent", pki.UnitSite, nil, identityLife); err != nil {
		return fmt.Errorf("certify a silent site: %w", err)
	}
	a.silent, err = pki.LoadIdentity(a.at("silent"))
	return err
}

// makeStranger makes an identity of the auditor's name under a CA of its own, which trusts the real one: the auditor's end
// must not be the one to refuse.
func (a *audit) makeStranger() (*pki.Identity, error) {
	ca, err := pki.NewCA(filepath.Join(a.dir, "strange-ca"), "another CA")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(a.dir, "stranger")
	if err := ca.Issue(dir, a.id.Name(), pki.UnitSite, nil, identityLife); err != nil {
		return nil, err
	}
	const trusted = "ca.crt"
	real, err := os.ReadFile(filepath.Join(a.target.Identity, trusted))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, trusted), real, publicMode); err != nil { //nolint:gosec // a public certificate in our own folder
		return nil, err
	}
	return pki.LoadIdentity(dir)
}

// close lets go of what the run holds here.
func (a *audit) close() {
	for _, c := range []*child{a.child, a.other} {
		if c != nil {
			c.close()
		}
	}
	_ = os.RemoveAll(a.dir) // keys of an hour's life, in a folder that only we can read
}

// leave deletes the record that the auditor wrote about itself.
func (a *audit) leave(ctx context.Context) error {
	c := a.child
	if c.book.last() == 0 {
		return nil // nothing was written, or nothing was taken
	}
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	e, err := c.book.entry(c.record())
	if err != nil {
		return err
	}
	e.Deleted, e.Record = true, nil
	if err := c.book.write(e, 0); err != nil {
		return err
	}
	in := c.book.batch(s.held().GetSeq())
	if in.Checkpoint, err = c.book.sign(c.id, time.Now()); err != nil {
		return err
	}
	p, err := s.give(ctx, in)
	if err != nil {
		return err
	}
	return c.judge(p, c.book.last(), c.book.last())
}

// bad is a record that conforms to nothing: it has no name, and its level is none.
func bad(id string) *schema.Site { return &schema.Site{Id: id, Level: "planet"} }
