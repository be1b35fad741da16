package conformance

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"github.com/tjfoc/gmsm/gmtls"
	"google.golang.org/grpc/codes"
)

// Section 2: who gets a connection.
func transportChecks() []Check {
	refusing := func(id, sent string, attempt func(context.Context, *audit) (string, error)) Check {
		return Check{
			ID: id, Section: "2", Sent: sent, Expected: "no connection comes about, and the site goes on serving those it should", apart: true,
			run: func(ctx context.Context, a *audit) (string, error) {
				got, err := attempt(ctx, a)
				if err != nil {
					return "", err
				}
				if _, err := a.handshake(ctx, a.id); err != nil {
					return "", fmt.Errorf("%s, but after that the auditor itself gets no connection: %w", got, err)
				}
				return got, nil
			},
		}
	}
	return []Check{
		{
			ID: "transport.tlcp", Section: "2", Sent: "a TLCP handshake as a site", apart: true,
			Expected: "suite ECC_SM4_CBC_SM3 (0xE013), two certificates of the CA with one subject: CN the site's id, OU site",
			run:      goodHandshake,
		},
		refusing("transport.plain-text", "HTTP/2 in plain text", plainText),
		refusing("transport.tls", "a TLS 1.2 and a TLS 1.3 handshake", tlsRefused),
		refusing("transport.other-suite", "a TLCP ClientHello that offers ECDHE_SM4_CBC_SM3 (0xE011) alone", otherSuite),
		refusing("transport.no-certificate", "a TLCP handshake without certificates", noCertificate),
		refusing("transport.other-ca", "a TLCP handshake with certificates of the auditor's name, by another CA", func(ctx context.Context, a *audit) (string, error) {
			return a.unwelcome(ctx, a.stranger)
		}),
		refusing("transport.expired", "a TLCP handshake with certificates of the CA that have expired", func(ctx context.Context, a *audit) (string, error) {
			if a.expired == nil {
				return "", skip("needs the CA, to make certificates that have expired")
			}
			return a.unwelcome(ctx, a.expired)
		}),
		{
			ID: "transport.gateway", Section: "2", Sent: "Hello and Digests with a gateway's certificate", apart: true,
			Expected: "PERMISSION_DENIED to both, or no connection", run: gatewayRefused,
		},
	}
}

// handshake makes a TLCP connection and ends it again.
func (a *audit) handshake(ctx context.Context, id *pki.Identity) (gmtls.ConnectionState, error) {
	conn, err := tlcp.Dial(ctx, a.target.Addr, id, a.target.Site)
	if err != nil {
		return gmtls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

func goodHandshake(ctx context.Context, a *audit) (string, error) {
	state, err := a.handshake(ctx, a.id) // which checks the CA, CN and OU of every certificate shown
	if err != nil {
		return "", err
	}
	if state.CipherSuite != gmtls.GMTLS_SM2_WITH_SM4_SM3 {
		return "", fmt.Errorf("suite %#x", state.CipherSuite)
	}
	if state.DidResume {
		return "", errors.New("the session was resumed")
	}
	shown := state.PeerCertificates
	if len(shown) < 2 {
		return "", fmt.Errorf("%d certificates", len(shown))
	}
	if one, two := string(shown[0].RawSubject), string(shown[1].RawSubject); one != two {
		return "", fmt.Errorf("two subjects: %q and %q", shown[0].Subject.CommonName, shown[1].Subject.CommonName)
	}
	return fmt.Sprintf("suite 0x%X, %d certificates of %q", state.CipherSuite, len(shown), shown[0].Subject.CommonName), nil
}

// unwelcome expects that a handshake with these certificates fails at the site's end.
func (a *audit) unwelcome(ctx context.Context, id *pki.Identity) (string, error) {
	_, err := a.handshake(ctx, id)
	switch {
	case err == nil:
		return "", errors.New("the handshake was completed")
	case !errors.Is(err, tlcp.ErrHandshake):
		return "", err // the network's doing, not the site's
	}
	return err.Error(), nil
}

// connected gives do a TCP connection to the site, with a deadline.
func (a *audit) connected(ctx context.Context, do func(net.Conn) (string, error)) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", a.target.Addr)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(a.patience)); err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	return do(conn)
}

// plainText speaks HTTP/2 from the first byte; a server that takes it answers with a SETTINGS frame.
func plainText(ctx context.Context, a *audit) (string, error) {
	return a.connected(ctx, func(conn net.Conn) (string, error) {
		const settings = 4 // type of the frame, at its fourth byte
		emptySettings := []byte{0, 0, 0, settings, 0, 0, 0, 0, 0}
		if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), emptySettings...)); err != nil {
			return "connection ended", nil //nolint:nilerr // that is the refusal
		}
		answer := make([]byte, len(emptySettings))
		n, err := conn.Read(answer)
		if n > 3 && answer[3] == settings {
			return "", errors.New("the site answers HTTP/2 in plain text")
		}
		return ending(n, err), nil
	})
}

// ending says how a connection ended that was not to come about.
func ending(n int, err error) string {
	if n > 0 {
		return fmt.Sprintf("%d bytes that are no answer", n)
	}
	return fmt.Sprintf("connection ended: %v", err)
}

func tlsRefused(ctx context.Context, a *audit) (string, error) {
	var got string
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var err error
		got, err = a.connected(ctx, func(conn net.Conn) (string, error) {
			c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v}) //nolint:gosec // it is to fail, whoever the server is
			err := c.HandshakeContext(ctx)
			if err == nil {
				return "", fmt.Errorf("a %s handshake was completed", tls.VersionName(v))
			}
			return err.Error(), nil
		})
		if err != nil {
			return "", err
		}
	}
	return got, nil
}

// otherSuite writes a ClientHello by hand: the TLCP library at hand does not offer that suite alone.
func otherSuite(ctx context.Context, a *audit) (string, error) {
	hello, err := clientHello(0xE011)
	if err != nil {
		return "", err
	}
	return a.connected(ctx, func(conn net.Conn) (string, error) {
		if _, err := conn.Write(hello); err != nil {
			return "connection ended", nil //nolint:nilerr // that is the refusal
		}
		answer := make([]byte, 6) // header of a record, type of the handshake message
		n, err := conn.Read(answer)
		const handshakeRecord, serverHello = 22, 2
		if n == len(answer) && answer[0] == handshakeRecord && answer[5] == serverHello {
			return "", errors.New("the site answers with ServerHello")
		}
		return ending(n, err), nil
	})
}

// clientHello is a record with a ClientHello of TLCP 1.1 that offers one suite (GB/T 38636, 6.4.5.2.1).
func clientHello(suite uint16) ([]byte, error) {
	const (
		tlcpVersion     = 0x0101
		handshakeRecord = 22
		kind            = 1 // ClientHello
	)
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("make a ClientHello: %w", err)
	}
	body := append(binary.BigEndian.AppendUint16(nil, tlcpVersion), random...)
	body = append(body, 0) // no session
	body = binary.BigEndian.AppendUint16(append(body, 0, 2), suite)
	body = append(body, 1, 0) // no compression
	message := append([]byte{kind, 0, 0, byte(len(body))}, body...)
	record := binary.BigEndian.AppendUint16([]byte{handshakeRecord}, tlcpVersion)
	return append(binary.BigEndian.AppendUint16(record, uint16(len(message))), message...), nil
}

func noCertificate(ctx context.Context, a *audit) (string, error) {
	return a.connected(ctx, func(conn net.Conn) (got string, err error) {
		defer func() {
			if r := recover(); r != nil { // the library's, on an answer that it did not expect
				got, err = fmt.Sprintf("an answer that the TLCP library cannot bear: %v", r), nil
			}
		}()
		c := gmtls.Client(conn, &gmtls.Config{GMSupport: gmtls.NewGMSupport(), CipherSuites: []uint16{gmtls.GMTLS_SM2_WITH_SM4_SM3}, InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil {
			return err.Error(), nil
		}
		return "", errors.New("the handshake was completed")
	})
}

// gatewayRefused: gateways may have a connection, for another service, but not this one.
func gatewayRefused(ctx context.Context, a *audit) (string, error) {
	if a.gateway == nil {
		return "", skip("needs the identity of a gateway")
	}
	if _, err := a.handshake(ctx, a.gateway); err != nil {
		return a.unwelcome(ctx, a.gateway)
	}
	c, err := newChild(a.target, a.gateway, a.patience)
	if err != nil {
		return "", err
	}
	defer c.close()
	_, err = c.client.Digests(ctx, &rpc.DigestRequest{Origin: a.target.Site})
	if err == nil {
		return "", errors.New("its call of Digests was answered")
	}
	if _, err = refusal(err, codes.PermissionDenied); err != nil {
		return "", fmt.Errorf("its call of Digests: %w", err)
	}
	s, err := c.start(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	s.send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: &rpc.Hello{Site: c.name(), Epoch: c.epoch, SchemaVersion: schema.Version, Origins: []string{c.name()}}}})
	return s.refused(ctx, codes.PermissionDenied)
}
