package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"dusthub/schema"

	"github.com/go-playground/validator/v10"
)

// ModelDemo names the demonstration's risk model in engine.model.
const ModelDemo = "demo"

var judge = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get(tag) })
	for _, name := range []string{"site_id", "login"} {
		must(v.RegisterValidation(name, func(f validator.FieldLevel) bool { return schema.Patterns[name].MatchString(f.Field().String()) }))
	}
	must(v.RegisterValidation("address", func(f validator.FieldLevel) bool {
		_, port, err := net.SplitHostPort(f.Field().String())
		if err != nil {
			return false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return err == nil
	}))
	must(v.RegisterValidation("region", func(f validator.FieldLevel) bool {
		table, ok := schema.Table("region")
		if !ok {
			return false
		}
		for _, c := range table.GetCodes() {
			if c.GetCode() == f.Field().String() {
				return true
			}
		}
		return false
	}))
	return v
})

func must(err error) {
	if err != nil {
		panic("config: " + err.Error()) // a rule of this package is misspelt
	}
}

// wanted says in words what a rule asks for.
var wanted = map[string]string{
	"required": "is needed", "address": "must be host:port", "oneof": "must be one of %s", "min": "must be at least %s", "max": "must be at most %s",
	"email": "must be an e-mail address", "cidr": "must be a network such as 10.0.0.5/32", "url": "must be a URL", "site_id": "must be 2 to 32 lower case letters, digits and -, a letter first", "login": "must be 3 to 32 of a-z 0-9 . _ -, a letter first", "region": "must be a GB/T 2260 code",
}

// Validate names everything that is wrong, by key.
func (c *Config) Validate() error { return errors.Join(c.problems()...) }

func (c *Config) problems() []error {
	var errs []error
	var fields validator.ValidationErrors
	if err := judge().Struct(c); errors.As(err, &fields) {
		for _, f := range fields {
			_, key, _ := strings.Cut(f.Namespace(), dot)
			want := wanted[f.Tag()]
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, f.Param())
			}
			errs = append(errs, fmt.Errorf("%s: %s, is %q", key, want, fmt.Sprint(f.Value())))
		}
	} else if err != nil {
		errs = append(errs, err)
	}
	return append(errs, c.relations()...)
}

// relations judges what holds between keys.
func (c *Config) relations() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (c.Parent.Site == "") != (c.Parent.Addr == "") {
		add("parent: site and addr belong together, have %q and %q", c.Parent.Site, c.Parent.Addr)
	}
	if c.Parent.Site != "" && c.Parent.Site == c.Site.ID {
		add("parent.site: must be another site than %q", c.Site.ID)
	}
	if c.Site.Level == "ministry" && c.Parent.Site != "" {
		add("parent: a ministry has none, is %q", c.Parent.Site)
	}
	if c.Site.Level != "" && c.Site.Level != "ministry" && c.Site.Region == "" {
		add("site.region: is needed for level %s", c.Site.Level)
	}
	if c.Store.LiveWithin > c.Store.LateWindow {
		add("store.live_within: must be at most store.late_window %s, is %s", c.Store.LateWindow, c.Store.LiveWithin)
	}
	b := c.Bootstrap
	for _, p := range [][3]string{{"admin", b.AdminLogin, b.AdminPasswordFile}, {"security", b.SecurityLogin, b.SecurityPasswordFile}, {"audit", b.AuditLogin, b.AuditPasswordFile}} {
		if (p[1] == "") != (p[2] == "") {
			add("bootstrap: %s_login and %s_password_file belong together", p[0], p[0])
		}
	}
	if c.Engine.Model != ModelDemo {
		errs = append(errs, readable("engine.model", c.Engine.Model))
	}
	errs = append(errs, readable("doors.compat_mapping", c.Doors.CompatMapping))
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return slices.Concat(errs, c.Notify.problems(), c.Portal.OIDC.problems(), c.peers(), c.listeners())
}

// peers judges the list of replicas: odd in number, without doubles, and this one among them with its own addresses.
func (c *Config) peers() []error {
	if len(c.Replica.Peers) == 0 {
		return nil
	}
	var errs []error
	seen, self := map[string]string{}, false
	for i, p := range c.Replica.Peers {
		for _, v := range []string{p.ID, p.Raft, p.RPC} {
			if other, ok := seen[v]; ok && v != "" {
				errs = append(errs, fmt.Errorf("replica.peers[%d]: %q is in %s, too", i, v, other))
			}
			seen[v] = fmt.Sprintf("peers[%d]", i)
		}
		self = self || p.ID == c.Replica.ID
	}
	if !self {
		errs = append(errs, fmt.Errorf("replica.peers: %q is not among them", c.Replica.ID))
	}
	if len(c.Replica.Peers)%2 == 0 {
		errs = append(errs, fmt.Errorf("replica.peers: must be 1, 3 or 5, are %d (one more bears no more failures)", len(c.Replica.Peers)))
	}
	return errs
}

// listeners finds two listeners on one address.
func (c *Config) listeners() []error {
	var errs []error
	seen := map[string]string{}
	for _, l := range []struct{ key, addr string }{
		{"replica.raft", c.Replica.Raft}, {"replica.rpc", c.Replica.RPC}, {"listen.regulator", c.Listen.Regulator}, {"listen.enterprise", c.Listen.Enterprise},
		{"listen.access", c.Listen.Access}, {"listen.mqtt", c.Listen.MQTT}, {"listen.grpc", c.Listen.GRPC}, {"listen.ops", c.Listen.Ops},
	} {
		if l.addr == "" || strings.HasSuffix(l.addr, ":0") {
			continue
		}
		if other, ok := seen[l.addr]; ok {
			errs = append(errs, fmt.Errorf("%s: %s is %s's, too", l.key, l.addr, other))
		}
		seen[l.addr] = l.key
	}
	return errs
}
