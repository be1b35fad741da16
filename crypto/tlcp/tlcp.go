// Package tlcp carries connections between sites, replicas and gateways over TLCP (GB/T 38636): both sides show a
// signing and an encryption certificate, and the suite is ECC_SM4_CBC_SM3 (0xE013) alone.
//
// The handshake is tjfoc/gmsm's gmtls, wrapped because of what was seen of it: with its default suites a ClientHello
// that offers only ECDHE makes its server panic; it prints errors; a silent client holds a handshake for ever. Here
// every handshake has a deadline and a recover, one suite, and our own judgement of the peer's certificates.
package tlcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/sm"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"
)

// HandshakeTimeout bounds a handshake on either side.
const HandshakeTimeout = 10 * time.Second

// Errors a caller decides on. What the peer did stands in the wrapped error.
var (
	// ErrHandshake says that no TLCP connection came about: the peer speaks another protocol, offers another suite,
	// shows no certificate, or hung up.
	ErrHandshake = errors.New("tlcp: handshake failed")
	// ErrRefused says that the peer's certificates are good but it may not come in here.
	ErrRefused = errors.New("tlcp: peer refused")
)

// Peer is who is at the other end, as its certificates say.
type Peer struct {
	Name, Unit string
	NotAfter   time.Time
	// Encryption is the key of its encryption certificate, the second one; nil when it showed none.
	Encryption *sm.PublicKey
}

// Allow decides whether a peer with good certificates may come in; nil allows every one.
type Allow func(Peer) error

// config is what both sides share. judge has the peer's certificates; gmtls itself verifies nothing.
func config(id *pki.Identity, judge func(raw [][]byte) error) *gmtls.Config {
	return &gmtls.Config{
		GMSupport:              gmtls.NewGMSupport(),
		Certificates:           id.Pair(),
		CipherSuites:           []uint16{gmtls.GMTLS_SM2_WITH_SM4_SM3},
		SessionTicketsDisabled: true, // a resumed session would skip the judgement
		ClientAuth:             gmtls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // the judgement is ours: verify below
		VerifyPeerCertificate:  func(raw [][]byte, _ [][]*x509.Certificate) error { return judge(raw) },
	}
}

// verify judges the two certificates a peer showed.
func verify(pool *pki.Pool, raw [][]byte) (Peer, error) {
	if len(raw) == 0 {
		return Peer{}, fmt.Errorf("%w: peer shows no certificate", pki.ErrUntrusted)
	}
	now := time.Now()
	first, err := pool.Verify(raw[0], now)
	if err != nil {
		return Peer{}, err
	}
	p := Peer{Name: first.Name, Unit: first.Unit, NotAfter: first.NotAfter}
	for _, der := range raw[1:] {
		other, err := pool.Verify(der, now)
		if err != nil {
			return Peer{}, err
		}
		if other.Name != p.Name || other.Unit != p.Unit {
			return Peer{}, fmt.Errorf("%w: certificates of %q and %q together", pki.ErrWrongName, p.Name, other.Name)
		}
		if other.NotAfter.Before(p.NotAfter) {
			p.NotAfter = other.NotAfter
		}
		if p.Encryption == nil {
			if p.Encryption, err = pki.PublicKey(der); err != nil {
				return Peer{}, err
			}
		}
	}
	return p, nil
}

// Conn is a TLCP connection whose peer is known.
type Conn struct {
	*gmtls.Conn
	peer Peer
}

// Peer is who is at the other end.
func (c *Conn) Peer() Peer { return c.peer }

// server makes the server's side of a handshake on raw; raw is closed when it fails.
func server(raw net.Conn, id *pki.Identity, allow Allow) (*Conn, error) {
	var peer Peer
	c := gmtls.Server(raw, config(id, func(certs [][]byte) error {
		var err error
		if peer, err = verify(id.Pool(), certs); err != nil {
			return err
		}
		if allow != nil {
			if err := allow(peer); err != nil {
				return fmt.Errorf("%w: %w", ErrRefused, err)
			}
		}
		return nil
	}))
	if err := handshake(raw, c); err != nil {
		return nil, err
	}
	return &Conn{c, peer}, nil
}

// client makes the client's side; the server must be a site of that name.
func client(ctx context.Context, raw net.Conn, id *pki.Identity, site string) (*Conn, error) {
	var peer Peer
	c := gmtls.Client(raw, config(id, func(certs [][]byte) error {
		var err error
		if peer, err = verify(id.Pool(), certs); err != nil {
			return err
		}
		if peer.Name != site || peer.Unit != pki.UnitSite {
			return fmt.Errorf("%w: server is %q (%s), wanted site %q", pki.ErrWrongName, peer.Name, peer.Unit, site)
		}
		return nil
	}))
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	if err := handshake(raw, c); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", err, ctx.Err())
		}
		return nil, err
	}
	return &Conn{c, peer}, nil
}

// handshake runs a handshake with a deadline, and makes an error of a panic within the library.
func handshake(raw net.Conn, c *gmtls.Conn) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: peer sent what the library cannot bear: %v", ErrHandshake, r)
		}
		if err != nil {
			raw.Close()
		}
	}()
	if err := raw.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if err := c.Handshake(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrHandshake, hint(err), err)
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	return nil
}

// hint says in words what most often lies behind an error of the library.
func hint(err error) string {
	var header gmtls.RecordHeaderError
	var timeout net.Error
	text := err.Error()
	switch {
	case errors.Is(err, pki.ErrUntrusted), errors.Is(err, pki.ErrWrongName), errors.Is(err, ErrRefused):
		return "certificates judged"
	case errors.As(err, &header):
		return "peer does not speak TLCP (plain text?)"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "peer kept silent"
	case strings.Contains(text, "protocol version"):
		return "peer speaks TLS, not TLCP"
	case strings.Contains(text, "cipher suite"):
		return "peer does not offer ECC_SM4_CBC_SM3 (0xE013)"
	case strings.Contains(text, "bad certificate"):
		return "peer refused our certificates, or showed none"
	}
	return "connection ended"
}
