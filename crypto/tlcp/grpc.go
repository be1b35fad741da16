package tlcp

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"dusthub/crypto/pki"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

const protocol = "tlcp"

// AuthInfo is what grpc knows of a connection: who the peer is.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Peer Peer
}

// AuthType is "tlcp".
func (AuthInfo) AuthType() string { return protocol }

// PeerFrom is the peer of the call that ctx belongs to.
func PeerFrom(ctx context.Context) (Peer, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, false
	}
	info, ok := p.AuthInfo.(AuthInfo)
	return info.Peer, ok
}

type transport struct {
	id    *pki.Identity
	site  string // client: whom we expect
	allow Allow  // server
	log   *slog.Logger
}

// ServerCredentials serve grpc over TLCP. Refused peers are logged.
func ServerCredentials(id *pki.Identity, allow Allow, log *slog.Logger) credentials.TransportCredentials {
	return &transport{id: id, allow: allow, log: log}
}

// ClientCredentials connect to a site over TLCP.
func ClientCredentials(id *pki.Identity, site string) credentials.TransportCredentials {
	return &transport{id: id, site: site}
}

func (t *transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, err := server(raw, t.id, t.allow)
	if err != nil {
		t.log.Warn("peer refused", "remote", raw.RemoteAddr().String(), "err", err)
		return nil, nil, err
	}
	return c, info(c), nil
}

func (t *transport) ClientHandshake(ctx context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, err := client(ctx, raw, t.id, t.site)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", t.site, err)
	}
	return c, info(c), nil
}

func info(c *Conn) AuthInfo {
	return AuthInfo{CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, Peer: c.peer}
}

func (t *transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: protocol}
}

func (t *transport) Clone() credentials.TransportCredentials { c := *t; return &c }

// OverrideServerName is grpc's old way to name the server; the name is fixed when the credentials are made.
func (t *transport) OverrideServerName(string) error { return nil }
