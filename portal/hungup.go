package portal

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// hungUpEvery is how often a reading that takes long looks whether its browser still waits.
const hungUpEvery = 250 * time.Millisecond

// hungUp calls then when the other end of a connection has closed it, until stop is called. The HTTP server itself would notice only when
// it writes the answer, and a page that asked for something else in the meantime would have its old questions worked out to the end.
// Connections that are no sockets (TLCP) are not watched: there the deadline alone ends a reading.
func hungUp(conn net.Conn, then func()) (stop func()) {
	s, ok := conn.(syscall.Conn)
	if !ok {
		return func() {}
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return func() {}
	}
	var mu sync.Mutex
	stopped := false
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(hungUpEvery, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case stopped:
		case closedByPeer(raw):
			then()
		default:
			timer.Reset(hungUpEvery)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// closedByPeer looks, without taking anything, whether the other end has closed a connection.
func closedByPeer(raw syscall.RawConn) bool {
	closed := false
	err := raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err == syscall.ECONNRESET
	})
	return closed || err != nil
}
