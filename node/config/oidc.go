package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// OIDC are the OpenID providers (统一身份认证) by which people log in beside their passwords, one a portal.
type OIDC struct {
	Regulator  Provider `koanf:"regulator"`
	Enterprise Provider `koanf:"enterprise"`
}

// Provider is an OpenID provider; without an issuer there is none. <url>/api/v1/session/sso/return is registered there.
type Provider struct {
	Issuer     string   `koanf:"issuer" validate:"omitempty,url"` // as its discovery document says it, to the letter
	ClientID   string   `koanf:"client_id" validate:"max=256"`
	SecretFile string   `koanf:"client_secret_file"`
	URL        string   `koanf:"url" validate:"omitempty,url"` // of the portal, as browsers reach it
	NameZH     string   `koanf:"name_zh" validate:"max=20"`    // on the button
	NameEN     string   `koanf:"name_en" validate:"max=40"`
	Scopes     []string `koanf:"scopes" validate:"dive,max=64"` // beside openid
	// LinkClaim: its value is the login of who comes for the first time; empty: only the security administrator links people.
	LinkClaim string `koanf:"link_claim" validate:"max=64"`
	// A second factor shown to the provider, by amr or acr, stands for ours.
	TrustAMR []string `koanf:"trust_amr" validate:"dive,max=64"`
	TrustACR []string `koanf:"trust_acr" validate:"dive,max=256"`
	Hosts    []string `koanf:"hosts" validate:"dive,max=256"` // host[:port] of endpoints that are not the issuer's
	CAFile   string   `koanf:"ca_file"`                       // PEM; empty: the system's authorities
	Logout   bool     `koanf:"logout"`                        // who logs out here logs out there too
}

// noProvider has lists that are empty, as a printed configuration has them when it is read again.
func noProvider() Provider {
	return Provider{Scopes: []string{}, TrustAMR: []string{}, TrustACR: []string{}, Hosts: []string{}}
}

// problems judges what belongs together under a key.
func (p *Provider) problems(key string) []error {
	if p.Issuer == "" {
		if p.ClientID != "" || p.SecretFile != "" {
			return []error{fmt.Errorf("%s.issuer: is needed with a client id", key)}
		}
		return nil
	}
	var errs []error
	for _, f := range [][2]string{{"client_id", p.ClientID}, {"client_secret_file", p.SecretFile}, {"url", p.URL}, {"name_zh", p.NameZH}, {"name_en", p.NameEN}} {
		if f[1] == "" {
			errs = append(errs, fmt.Errorf("%s.%s: is needed", key, f[0]))
		}
	}
	for _, f := range [][2]string{{"issuer", p.Issuer}, {"url", p.URL}} {
		if u, err := url.Parse(f[1]); f[1] != "" && (err != nil || u.User != nil || u.Scheme != "https" && !loopback(u.Hostname())) {
			errs = append(errs, fmt.Errorf("%s.%s: must be https, without a password", key, f[0]))
		}
	}
	if u, err := url.Parse(p.URL); err == nil && strings.Trim(u.Path, "/") != "" {
		errs = append(errs, fmt.Errorf("%s.url: a portal stands at the root of its host, is %q", key, u.Path))
	}
	errs = append(errs, readable(key+".client_secret_file", p.SecretFile), readable(key+".ca_file", p.CAFile))
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (o *OIDC) problems() []error {
	errs := append(o.Regulator.problems("portal.oidc.regulator"), o.Enterprise.problems("portal.oidc.enterprise")...)
	if o.Regulator.Issuer != "" && o.Regulator.URL == o.Enterprise.URL && o.Enterprise.Issuer != "" {
		errs = append(errs, errors.New("portal.oidc: each portal has a url of its own"))
	}
	return errs
}
