package tlcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"dusthub/crypto/pki"
)

// pendingHandshakes bounds how many peers may be in the middle of a handshake at one listener.
const pendingHandshakes = 256

// listener accepts connections whose handshake is done; handshakes run beside each other, so that a slow or silent peer keeps nobody waiting.
type listener struct {
	net.Listener
	id    *pki.Identity
	allow Allow
	log   *slog.Logger
	ready chan net.Conn
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
	err   error
}

// Listen listens on addr for TLCP connections. Refused peers are logged.
func Listen(ctx context.Context, addr string, id *pki.Identity, allow Allow, log *slog.Logger) (net.Listener, error) {
	raw, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &listener{Listener: raw, id: id, allow: allow, log: log, ready: make(chan net.Conn), slots: make(chan struct{}, pendingHandshakes), done: make(chan struct{})}
	go l.accept()
	return l, nil
}

func (l *listener) accept() {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			l.close(err)
			return
		}
		select {
		case l.slots <- struct{}{}:
		case <-l.done:
			raw.Close()
			return
		}
		go func() {
			defer func() { <-l.slots }()
			c, err := server(raw, l.id, l.allow)
			if err != nil {
				l.log.Warn("peer refused", "remote", raw.RemoteAddr().String(), "err", err)
				return
			}
			select {
			case l.ready <- c:
			case <-l.done:
				c.Close()
			}
		}()
	}
}

func (l *listener) close(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
	})
}

// Accept returns the next connection whose handshake is done.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, l.err
	}
}

// Close ends the listener.
func (l *listener) Close() error {
	l.close(net.ErrClosed)
	if err := l.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}

// Dial connects to a site over TLCP.
func Dial(ctx context.Context, addr string, id *pki.Identity, site string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTimeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	c, err := client(ctx, raw, id, site)
	if err != nil {
		return nil, fmt.Errorf("connect to %s at %s: %w", site, addr, err)
	}
	return c, nil
}
